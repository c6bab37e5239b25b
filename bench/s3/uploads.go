package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/auth/sigv4"
)

const (
	// broken is the size of the bodies of uploads, of which half break off in the middle, in bytes.
	broken = 256 << 10
	// settle is how long the platform may take to notice what broke off.
	settle = time.Minute
)

// uploads begins many uploads at once, breaks off half of them, ends the others, and looks at what is left.
func (b *bench) uploads(ctx context.Context) error {
	before, err := lab.ResidentOf(b.platform.pid)
	if err != nil {
		return err
	}
	files, err := b.bodies()
	if err != nil {
		return err
	}
	body := strings.Repeat("u", broken)
	conns := make([]net.Conn, b.uploadCount)
	err = inParallel(len(conns), 32, func(i int) error {
		conn, err := b.beginUpload(ctx, fmt.Sprintf("upload/%05d", i), body)
		conns[i] = conn
		return err
	})
	if err != nil {
		return err
	}
	during, err := lab.ResidentOf(b.platform.pid)
	if err != nil {
		return err
	}
	err = inParallel(len(conns), 32, func(i int) error {
		if i%2 == 0 {
			return conns[i].Close()
		}
		_, err := conns[i].Write([]byte(body[broken/2:]))
		if err != nil {
			return err
		}
		answer, err := http.ReadResponse(bufio.NewReader(conns[i]), nil)
		if err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("upload %d: %s", i, answer.Status)
		}
		return errors.Join(err, answer.Body.Close(), conns[i].Close())
	})
	if err != nil {
		return err
	}
	left, err := b.settled(files + b.uploadCount/2)
	if err != nil {
		return err
	}
	found := 0
	for i := range b.uploadCount {
		if err := b.platform.get(ctx, fmt.Sprintf("upload/%05d", i), broken); err == nil {
			found++
		} else if i%2 == 1 {
			return err
		}
	}
	each := (during - before) / int64(b.uploadCount)
	lab.Row(fmt.Sprintf("%d uploads at once, memory of the platform for each", b.uploadCount), "≤ 128 KiB", fmt.Sprintf("%d KiB (%d MB in all)", each>>10, during/1e6), each <= 128<<10)
	lab.Row("half of them broken off: objects, and bodies on the disk", fmt.Sprintf("%d, %d", b.uploadCount/2, b.uploadCount/2),
		fmt.Sprintf("%d, %d", found, left-files), found == b.uploadCount/2 && left-files == b.uploadCount/2)
	return nil
}

// beginUpload sends the head of an upload and half of its body.
func (b *bench) beginUpload(ctx context.Context, key, body string) (net.Conn, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, b.platform.url+"/bench/"+key, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(body))
	signer := sigv4.Signer{AccessKeyID: b.platform.id, Secret: b.platform.secret, Region: "us-east-1", Service: "s3", S3: true}
	if err := signer.SignHTTP(r, hex.EncodeToString(sum[:]), time.Now()); err != nil {
		return nil, err
	}
	u, err := url.Parse(b.platform.url)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	var head strings.Builder
	fmt.Fprintf(&head, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", r.URL.RequestURI(), u.Host, broken)
	if err := r.Header.Write(&head); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	head.WriteString("\r\n" + body[:broken/2])
	if _, err := conn.Write([]byte(head.String())); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// bodies counts the files of bodies.
func (b *bench) bodies() (n int, err error) {
	err = filepath.WalkDir(filepath.Join(b.dataDir(), "blobs"), func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !d.IsDir() && len(d.Name()) == 16 {
			n++
		}
		return err
	})
	return n, err
}

// settled waits until there are as many files of bodies as there should be, or it has waited long enough.
func (b *bench) settled(want int) (n int, err error) {
	for end := time.Now().Add(settle); ; time.Sleep(100 * time.Millisecond) {
		if n, err = b.bodies(); err != nil || n == want || time.Now().After(end) {
			return n, err
		}
	}
}

// inParallel calls fn for each of n numbers, on some goroutines.
func inParallel(n, goroutines int, fn func(i int) error) error {
	failed := make([]error, goroutines)
	var wg sync.WaitGroup
	for w := range goroutines {
		wg.Go(func() {
			for i := w; i < n && failed[w] == nil; i += goroutines {
				failed[w] = fn(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}
