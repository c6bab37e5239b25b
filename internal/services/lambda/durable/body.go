package durable

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/store"
)

// maxInline is how many bytes of payloads one transaction writes into rows. Each is written twice: to its operation and to the history.
const maxInline = 512 << 10

// smallBody is the size up to which a payload never becomes a blob.
const smallBody = 512

// body is a payload: a text in the row, or a blob. The zero body is none.
type body struct {
	Set  bool    `json:",omitempty"`
	Text string  `json:",omitempty"`
	Blob blob.ID `json:",omitempty"`
	Size int     `json:",omitempty"` // of a blob, in bytes
}

func (b body) size() int { return len(b.Text) + b.Size }

// keeper keeps the payloads of a transaction, before it begins.
type keeper struct {
	e      *Engine
	inline int
	made   []blob.ID
}

// keep makes the body of a text; nil is none.
func (k *keeper) keep(ctx context.Context, text *string) (body, error) {
	switch {
	case text == nil:
		return body{}, nil
	case len(*text) <= smallBody, len(*text) <= blob.InlineLimit && k.inline+len(*text) <= maxInline:
		k.inline += len(*text)
		return body{Set: true, Text: *text}, nil
	}
	w, err := k.e.deps.Blobs.Create(ctx)
	if err != nil {
		return body{}, fmt.Errorf("keep payload: %w", err)
	}
	defer w.Abort()
	if _, err := io.WriteString(w, *text); err != nil {
		return body{}, fmt.Errorf("keep payload: %w", err)
	}
	id, err := w.Commit(ctx)
	if err != nil {
		return body{}, fmt.Errorf("keep payload: %w", err)
	}
	k.made = append(k.made, id)
	return body{Set: true, Blob: id, Size: len(*text)}, nil
}

// abandon deletes what was kept for a transaction that failed.
func (k *keeper) abandon(ctx context.Context) { k.e.drop(ctx, k.made) }

// drop deletes blobs; what fails is left to the sweep.
func (e *Engine) drop(ctx context.Context, ids []blob.ID) {
	for _, id := range ids {
		if err := e.deps.Blobs.Delete(context.WithoutCancel(ctx), id); err != nil {
			e.deps.Log.WarnContext(ctx, "payload of a durable execution was not deleted", slog.String("blob", string(id)), slog.Any("error", err))
		}
	}
}

// text reads a body; nil for none.
func (e *Engine) text(ctx context.Context, b body) (*string, error) {
	if !b.Set {
		return nil, nil
	}
	if b.Blob == "" {
		return &b.Text, nil
	}
	r, err := e.deps.Blobs.Open(ctx, b.Blob, blob.Whole())
	if err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	defer func() { _ = r.Close() }()
	all, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	s := string(all)
	return &s, nil
}

// HoldsBody tells whether an execution has a payload in the blob.
func (e *Engine) HoldsBody(ctx context.Context, id blob.ID) (held bool, err error) {
	err = e.deps.Store.View(ctx, func(rd store.Reader) error {
		held, err = isHeld(rd, id)
		return err
	})
	return held, err
}

func isHeld(rd store.Reader, id blob.ID) (bool, error) {
	span := holders(id).Span()
	span.Limit = 1
	for _, err := range rd.Range(span) {
		return err == nil, err
	}
	return false, nil
}
