package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/ids"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/s3client"
)

const (
	// readTries is how often a read is begun again without any byte coming.
	readTries = 4
	// stallTimeout is how long a read waits for a byte.
	stallTimeout = 30 * time.Second
)

// reader reads a blob through one request at a time, which ends where what is wanted ends. It is used by one goroutine.
type reader struct {
	s   *Store
	ctx context.Context //nolint:containedctx // the reads of an io.Reader have no other way to end with the call that opened it
	id  uint64
	// size is that of the blob; position is where Read goes on.
	size, position int64
	want           blob.Span // with its length known
	// stream is the body of a request; its next byte is at. It ends at end.
	stream  io.ReadCloser
	at, end int64
}

// openReader sends the request for what is wanted.
func (s *Store) openReader(ctx context.Context, id uint64, want blob.Span) (*reader, error) {
	r := &reader{s: s, ctx: ctx, id: id, position: want.Offset, want: want}
	if want.Length == 0 {
		header, err := s.o.Client.Head(ctx, s.o.Bucket, s.objectKey(id))
		if err != nil {
			return nil, unavailable("open blob", err)
		}
		r.size, err = strconv.ParseInt(header.Get("Content-Length"), 10, 64)
		return r, err
	}
	if err := r.begin(want.Offset, want.Length); err != nil {
		return nil, err
	}
	if want.Length < 0 {
		r.want.Length = r.size - want.Offset
	}
	return r, nil
}

// begin opens the stream at an offset. A negative length means to the end of the blob.
func (r *reader) begin(offset, length int64) error {
	r.drop()
	answer, err := r.get(offset, length)
	if err != nil {
		return err
	}
	r.stream, r.at, r.end = answer.Body, offset, offset+answer.ContentLength
	return nil
}

// get sends a request for a part, and proves that the answer is that part.
func (r *reader) get(offset, length int64) (*http.Response, error) {
	o := &r.s.o
	answer, err := o.Client.Get(r.ctx, o.Bucket, r.s.objectKey(r.id), offset, length)
	if err != nil {
		return nil, unavailable("read blob "+ids.Format(r.id), err)
	}
	size, err := sizeOf(answer, offset)
	if err == nil && length >= 0 && answer.ContentLength != length {
		err = fmt.Errorf("%w: the cluster has %d bytes at %d where %d were stored", blob.ErrDamaged, answer.ContentLength, offset, length)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read blob %s: %w", ids.Format(r.id), err), answer.Body.Close())
	}
	r.size = size
	return answer, nil
}

// sizeOf returns the size of the whole object that an answer is a part of.
func sizeOf(answer *http.Response, offset int64) (int64, error) {
	if answer.ContentLength < 0 {
		return 0, fmt.Errorf("%w: an answer without a length", s3client.ErrUnreachable)
	}
	if answer.StatusCode != http.StatusPartialContent {
		return answer.ContentLength, nil
	}
	span, total, ok := strings.Cut(answer.Header.Get("Content-Range"), "/")
	size, err := strconv.ParseInt(total, 10, 64)
	if !ok || err != nil || span != fmt.Sprintf("bytes %d-%d", offset, offset+answer.ContentLength-1) {
		return 0, fmt.Errorf("the cluster answers with the range %q", answer.Header.Get("Content-Range"))
	}
	return size, nil
}

func (r *reader) drop() {
	if r.stream != nil {
		_ = r.stream.Close()
		r.stream = nil
	}
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.read(p, r.position)
	r.position += int64(n)
	return n, err
}

// read reads some bytes at an offset from the stream, which it begins again as often as needed.
func (r *reader) read(p []byte, offset int64) (int, error) {
	if offset >= r.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	var err error
	for try := 1; try <= readTries; try++ {
		if r.stream == nil || r.at != offset {
			length := r.size - offset
			if end := r.want.Offset + r.want.Length; offset < end {
				length = end - offset
			}
			if err := r.begin(offset, length); err != nil {
				return 0, err
			}
		}
		var n int
		n, err = r.next(p)
		if n > 0 {
			return n, nil
		}
		r.drop()
		if ctxErr := r.ctx.Err(); ctxErr != nil {
			return 0, ctxErr
		}
		if err := clock.Sleep(r.ctx, r.s.o.Clock, r.s.o.Client.Pause(try)); err != nil {
			return 0, err
		}
	}
	return 0, unavailable("read blob "+ids.Format(r.id), fmt.Errorf("%w: %w", s3client.ErrUnreachable, err))
}

// next reads from the stream. It returns no bytes only with an error.
func (r *reader) next(p []byte) (int, error) {
	if r.at == r.end {
		return 0, io.ErrUnexpectedEOF
	}
	stream := r.stream
	stop := clock.AfterFunc(r.s.o.Clock, stallTimeout, func() { _ = stream.Close() })
	defer stop()
	for {
		n, err := stream.Read(p[:min(int64(len(p)), r.end-r.at)])
		r.at += int64(n)
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// ReadAt implements io.ReaderAt. What follows the stream is read from it; anything else is a request of its own.
func (r *reader) ReadAt(p []byte, offset int64) (int, error) {
	end := min(offset+int64(len(p)), r.size)
	if r.stream != nil && r.at != offset && offset < end {
		answer, err := r.get(offset, end-offset)
		if err != nil {
			return 0, err
		}
		n, err := io.ReadFull(answer.Body, p[:end-offset])
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			return n, unavailable("read blob "+ids.Format(r.id), fmt.Errorf("%w: %w", s3client.ErrUnreachable, err))
		}
		return n, ended(n, len(p))
	}
	n := 0
	for n < len(p) && offset+int64(n) < r.size {
		m, err := r.read(p[n:], offset+int64(n))
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, ended(n, len(p))
}

// ended returns io.EOF for a read of fewer bytes than were asked for.
func ended(got, asked int) error {
	if got < asked {
		return io.EOF
	}
	return nil
}

// Seek implements io.Seeker.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.position
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start of a blob")
	}
	r.position = offset
	return offset, nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.drop()
	return nil
}
