package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"lambent.dev/lambent/internal/backup"
)

// backupTarget is the path of backups.
const backupTarget = "/_lambent/backup"

// Backup is the state of a running Lambent, held still until End. It implements [backup.Source].
type Backup struct {
	// Origin tells the data folder from others.
	Origin string

	c     *Client
	body  io.Closer
	lines *bufio.Scanner
}

// BeginBackup begins a backup. Only the root user may, one at a time.
func (c *Client) BeginBackup(ctx context.Context) (*Backup, error) {
	answer, err := c.send(ctx, call{service: "lambent", method: http.MethodPost, target: backupTarget})
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return nil, errors.Join(refusal(answer), answer.Body.Close())
	}
	b := &Backup{c: c, body: answer.Body, lines: bufio.NewScanner(answer.Body)}
	b.lines.Buffer(nil, 1<<20)
	l, err := b.line()
	if err != nil || l.Origin == "" {
		return nil, errors.Join(errors.New("the list of the backup does not begin as it should"), err, b.End(ctx))
	}
	b.Origin = l.Origin
	return b, nil
}

// refusal reads an error whose answer was not read yet.
func refusal(answer *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	return failure(answer, body)
}

// backupLine is a line of the list.
type backupLine struct {
	backup.File

	Origin string `json:"origin"`
	End    bool   `json:"end"`
	Error  string `json:"error"`
}

func (b *Backup) line() (l backupLine, err error) {
	if !b.lines.Scan() {
		return l, errors.Join(errors.New("the list of the backup was cut off before its end"), b.lines.Err())
	}
	if err := json.Unmarshal(b.lines.Bytes(), &l); err != nil {
		return l, fmt.Errorf("read the list of the backup: %w", err)
	}
	if l.Error != "" {
		return l, errors.New(l.Error)
	}
	return l, nil
}

// Files implements [backup.Source]. It can be called once.
func (b *Backup) Files(_ context.Context, each func(backup.File) error) error {
	for {
		l, err := b.line()
		if err != nil || l.End {
			return err
		}
		if err := each(l.File); err != nil {
			return err
		}
	}
}

// Open implements [backup.Source].
func (b *Backup) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	answer, err := b.c.send(ctx, call{service: "lambent", method: http.MethodGet, target: backupTarget + "?name=" + url.QueryEscape(name)})
	if err != nil {
		return nil, err
	}
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return nil, errors.Join(backup.ErrGone, answer.Body.Close())
	case answer.StatusCode != http.StatusOK:
		return nil, errors.Join(refusal(answer), answer.Body.Close())
	}
	return answer.Body, nil
}

// End gives back what the backup holds.
func (b *Backup) End(ctx context.Context) error {
	_, _, err := b.c.do(ctx, call{service: "lambent", method: http.MethodDelete, target: backupTarget})
	return errors.Join(err, b.body.Close())
}
