package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/ids"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/s3client"
)

const (
	// partSize is how many bytes one part of a large blob has. 10,000 of them are more than any body.
	partSize = 16 << 20
	// writerParts is how many parts of one blob are uploaded at a time.
	writerParts = 4
)

var errEnded = errors.New("write blob: it is ended")

// piece is a part of a body that lies in the spool file and is hashed.
type piece struct {
	number       int
	offset, size int64
	sum          string
}

// writer fills the spool file of one blob, while a goroutine uploads the parts that are whole. It is used by one goroutine.
type writer struct {
	s    *Store
	id   uint64
	key  string
	file *os.File
	size int64
	hash hash.Hash // of the part that is being filled
	last int64     // where that part begins
	done bool

	pieces chan piece
	ended  chan struct{} // closed when run is over
	cancel context.CancelFunc
	upload string // the id of the multipart upload; it belongs to run until that is over

	mu    sync.Mutex // guards the fields below
	err   error
	parts []s3client.Part
}

// Create implements blob.Store. The blob is uploaded under ctx.
func (s *Store) Create(ctx context.Context) (blob.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	id, err := s.ids.Take(ctx)
	if err != nil {
		return nil, fmt.Errorf("create blob: %w", err)
	}
	file, err := os.CreateTemp(s.o.Spool, spoolPattern)
	if err != nil {
		s.ids.Ended(id)
		return nil, fmt.Errorf("create blob: %w", blob.WrapFull(err))
	}
	// Where open files can be removed, a crash leaves nothing; elsewhere the next start cleans up.
	_ = os.Remove(file.Name())
	ctx, cancel := context.WithCancel(ctx)
	w := &writer{s: s, id: id, key: s.objectKey(id), file: file, hash: sha256.New(), pieces: make(chan piece), ended: make(chan struct{}), cancel: cancel}
	go w.run(ctx)
	return w, nil
}

// Write implements io.Writer.
func (w *writer) Write(b []byte) (int, error) {
	if w.done {
		return 0, errEnded
	}
	written := 0
	for written < len(b) {
		if w.size == w.last+partSize {
			w.cut()
		}
		if err := w.failure(); err != nil {
			return written, err
		}
		n, err := w.file.Write(b[written:min(int64(len(b)), int64(written)+w.last+partSize-w.size)])
		w.hash.Write(b[written : written+n])
		w.size += int64(n)
		written += n
		if err != nil {
			w.fail(fmt.Errorf("write blob: %w", blob.WrapFull(err)))
		}
	}
	return written, w.failure()
}

// cut hands the part that was filled to the uploader, and begins the next one. It waits while enough others are on their way.
func (w *writer) cut() {
	w.pieces <- piece{int(w.last/partSize) + 1, w.last, w.size - w.last, hex.EncodeToString(w.hash.Sum(nil))}
	w.last = w.size
	w.hash.Reset()
}

func (w *writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// run uploads the parts that come, until there are no more.
func (w *writer) run(ctx context.Context) {
	defer close(w.ended)
	var uploads sync.WaitGroup
	defer uploads.Wait()
	free := make(chan struct{}, writerParts)
	for p := range w.pieces {
		if w.failure() != nil {
			continue
		}
		if err := w.begin(ctx); err != nil {
			w.fail(err)
			continue
		}
		free <- struct{}{}
		uploads.Go(func() {
			defer func() { <-free }()
			if err := w.send(ctx, p); err != nil {
				w.fail(err)
			}
		})
	}
}

// begin begins the multipart upload before its first part.
func (w *writer) begin(ctx context.Context) error {
	if w.upload != "" {
		return nil
	}
	id, err := w.s.o.Client.CreateUpload(ctx, w.s.o.Bucket, w.key, contentType())
	if err == nil && id == "" {
		err = fmt.Errorf("%s gave no upload id", w.s.o.Client.Endpoint.Host)
	}
	w.upload = id
	return unavailable("begin upload", err)
}

func contentType() http.Header { return http.Header{"Content-Type": {"application/octet-stream"}} }

func (w *writer) body(p piece) s3client.Body {
	return s3client.Body{Open: func() io.Reader { return io.NewSectionReader(w.file, p.offset, p.size) }, Size: p.size, SHA256: p.sum}
}

// send uploads one part.
func (w *writer) send(ctx context.Context, p piece) error {
	if err := w.s.enter(ctx); err != nil {
		return err
	}
	defer w.s.leave()
	part, err := w.s.o.Client.UploadPart(ctx, w.s.o.Bucket, w.key, w.upload, p.number, w.body(p))
	if err != nil {
		return unavailable(fmt.Sprintf("upload part %d", p.number), err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.parts) < p.number {
		w.parts = append(w.parts, s3client.Part{})
	}
	w.parts[p.number-1] = part
	return nil
}

// enter waits until one more request may upload.
func (s *Store) enter(ctx context.Context) error {
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) leave() { <-s.slots }

// Commit implements blob.Writer.
func (w *writer) Commit(ctx context.Context) (blob.ID, error) {
	if w.done {
		return "", errEnded
	}
	defer w.Abort()
	if err := errors.Join(w.failure(), ctx.Err()); err != nil {
		return "", err
	}
	if err := w.store(ctx); err != nil {
		return "", err
	}
	w.end()
	w.s.ids.Ended(w.id)
	return blob.ID(idPrefix + ids.Format(w.id)), nil
}

// store uploads what is left, and returns after the cluster has acknowledged all of it.
func (w *writer) store(ctx context.Context) error {
	if w.last == 0 {
		if err := w.s.enter(ctx); err != nil {
			return err
		}
		defer w.s.leave()
		whole := piece{size: w.size, sum: hex.EncodeToString(w.hash.Sum(nil))}
		_, err := w.s.o.Client.Put(ctx, w.s.o.Bucket, w.key, contentType(), w.body(whole))
		return unavailable("upload body", err)
	}
	w.cut()
	close(w.pieces)
	w.pieces = nil
	<-w.ended
	if err := w.failure(); err != nil {
		return err
	}
	client := w.s.o.Client
	// A completion that is sent twice may find its upload gone; the size of the object tells whether the first one worked.
	completed := client.CompleteUpload(ctx, w.s.o.Bucket, w.key, w.upload, w.parts)
	if completed != nil && !s3client.IsNotFound(completed) {
		return unavailable("complete upload", completed)
	}
	header, err := client.Head(ctx, w.s.o.Bucket, w.key)
	switch {
	case err != nil && completed != nil:
		return unavailable("complete upload", fmt.Errorf("%w: %w", s3client.ErrUnreachable, completed))
	case err != nil:
		return unavailable("measure upload", err)
	}
	if header.Get("Content-Length") != strconv.FormatInt(w.size, 10) {
		return fmt.Errorf("measure upload: %w: the cluster stored %s bytes of %d", blob.ErrDamaged, header.Get("Content-Length"), w.size)
	}
	return nil
}

// end lets go of what the writer holds, without waiting for uploads.
func (w *writer) end() {
	w.done = true
	if w.pieces != nil {
		close(w.pieces)
	}
	w.cancel()
}

// Abort implements blob.Writer. What cannot be removed from the cluster is left to the sweep.
func (w *writer) Abort() {
	if w.done {
		_ = w.closeFile()
		return
	}
	w.end()
	w.s.aborts.Go(func() {
		<-w.ended
		_ = w.closeFile()
		ctx, cancel := context.WithCancel(context.Background())
		defer clock.AfterFunc(w.s.o.Clock, abortTimeout, cancel)()
		defer cancel()
		if w.upload != "" {
			_ = w.s.o.Client.AbortUpload(ctx, w.s.o.Bucket, w.key, w.upload)
		}
		w.s.ids.Ended(w.id)
	})
}

func (w *writer) closeFile() error {
	err := w.file.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	_ = os.Remove(w.file.Name())
	return err
}
