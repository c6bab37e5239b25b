package s3

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"lambent.dev/lambent/internal/blob"
)

// blockSize is how many bytes of a plain body one of its block sums covers, and so what a read of a single byte reads. It is a multiple of what a sealed
// frame has, for no reason but that both suit the same buffers.
const blockSize = 256 << 10

// blockSums computes the sums by which reads of a plain body are proven: the CRC-32C of each block, 4 bytes each. They lie in the row that refers to the
// body, so that a file that was swapped for another is found too.
type blockSums struct {
	table *crc32.Table
	sums  []byte
	sum   uint32
	n     int // bytes in the block that is being filled
}

func newBlockSums() *blockSums { return &blockSums{table: crc32.MakeTable(crc32.Castagnoli)} }

func (b *blockSums) write(p []byte) {
	for len(p) > 0 {
		n := min(blockSize-b.n, len(p))
		b.sum = crc32.Update(b.sum, b.table, p[:n])
		if b.n += n; b.n == blockSize {
			b.end()
		}
		p = p[n:]
	}
}

func (b *blockSums) end() {
	b.sums = binary.BigEndian.AppendUint32(b.sums, b.sum)
	b.sum, b.n = 0, 0
}

// finish returns the sums of all that was written.
func (b *blockSums) finish() []byte {
	if b.n > 0 {
		b.end()
	}
	return b.sums
}

// proven reads a part of a plain body, and gives out no byte before its block was compared with its sum.
type proven struct {
	f      blob.ReadSeekCloser
	next   int64 // where the next block begins
	table  *crc32.Table
	sums   []byte // of the next block and those behind it
	blob   int64  // bytes of the body from the next block on
	skip   int64  // bytes of the next block before the part
	left   int64  // bytes of the part that were not given out
	buffer *[blockSize]byte
	ready  []byte // proven and not given out
	free   func(*[blockSize]byte)
	// whole, when set, is called when the last block of a body that was read from its first one is proven.
	whole func()
}

// provenFor is how long a body that was proven whole is taken to be in the system's memory as it was then, and provenBodies how many are remembered.
const (
	provenFor    = time.Minute
	provenBodies = 4096
)

// file is an *os.File.
type file interface{ Fd() uintptr }

// limited reads the first bytes of a file. Its WriteTo hands the file itself to the other side, which can then use sendfile.
type limited struct {
	r io.LimitedReader
	c io.Closer
}

func (l *limited) Read(p []byte) (int, error) { return l.r.Read(p) }
func (l *limited) Close() error               { return l.c.Close() }

func (l *limited) WriteTo(w io.Writer) (int64, error) {
	if to, ok := w.(io.ReaderFrom); ok {
		return to.ReadFrom(&l.r)
	}
	return io.Copy(w, &l.r)
}

// aligned returns the span of the whole blocks that a part of a body of size bytes lies in.
func aligned(size int64, at span) span {
	start := at.offset / blockSize * blockSize
	return span{start, min((at.offset+at.length+blockSize-1)/blockSize*blockSize, size) - start}
}

// prove returns a reader of at, a part of the body p that is open in f. The first block is proven now, so that a damaged one is an error and no cut answer. A local file
// that was proven whole within the last minute is handed out as it is: its bytes are in the system's memory, from which they are sent.
func (s *Service) prove(f blob.ReadSeekCloser, p part, at span) (io.ReadCloser, error) {
	if _, local := f.(file); local {
		if when, ok := s.proven.Get(p.Blob); ok && s.now().Sub(when) < provenFor {
			if _, err := f.Seek(at.offset, io.SeekStart); err != nil {
				return nil, errors.Join(fmt.Errorf("seek in body %s: %w", p.Blob, err), f.Close())
			}
			return &limited{r: io.LimitedReader{R: f, N: at.length}, c: f}, nil
		}
	}
	first := at.offset / blockSize
	if int64(len(p.Blocks)) != (p.Size+blockSize-1)/blockSize*4 {
		return nil, errors.Join(fmt.Errorf("prove body %s: %w: it has %d bytes and %d bytes of sums", p.Blob, blob.ErrDamaged, p.Size, len(p.Blocks)), f.Close())
	}
	r := &proven{
		f: f, next: first * blockSize, table: crc32.MakeTable(crc32.Castagnoli), sums: p.Blocks[first*4:], blob: p.Size - first*blockSize, skip: at.offset - first*blockSize, left: at.length,
		buffer: s.blocks.Get().(*[blockSize]byte), free: func(b *[blockSize]byte) { s.blocks.Put(b) }, //nolint:forcetypeassert // the pool holds nothing else
	}
	if first == 0 {
		r.whole = func() { s.proven.Put(p.Blob, s.now()) }
	}
	if err := r.fill(); err != nil {
		return nil, errors.Join(fmt.Errorf("prove body %s: %w", p.Blob, err), r.Close())
	}
	return r, nil
}

// fill reads and proves the next block.
func (r *proven) fill() error {
	b := r.buffer[:min(r.blob, blockSize)]
	n, err := r.f.ReadAt(b, r.next)
	switch {
	case n == len(b):
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends %d bytes early", blob.ErrDamaged, r.blob-int64(n))
	default:
		return err
	}
	if crc32.Checksum(b, r.table) != binary.BigEndian.Uint32(r.sums) {
		return fmt.Errorf("%w: a block is not the one that was stored", blob.ErrDamaged)
	}
	r.sums, r.blob, r.next = r.sums[4:], r.blob-int64(len(b)), r.next+int64(len(b))
	if r.blob == 0 && r.whole != nil {
		r.whole()
	}
	r.ready = b[r.skip:min(int64(len(b)), r.skip+r.left)]
	r.skip = 0
	r.left -= int64(len(r.ready))
	return nil
}

// Read implements io.Reader.
func (r *proven) Read(p []byte) (int, error) {
	if len(r.ready) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// WriteTo implements io.WriterTo: a write for each block.
func (r *proven) WriteTo(w io.Writer) (written int64, err error) {
	for {
		if len(r.ready) == 0 {
			if r.left == 0 {
				return written, nil
			}
			if err := r.fill(); err != nil {
				return written, err
			}
		}
		n, err := w.Write(r.ready)
		written += int64(n)
		if err != nil {
			return written, err
		}
		r.ready = nil
	}
}

// Close implements io.Closer.
func (r *proven) Close() error {
	if r.buffer != nil {
		r.free(r.buffer)
		r.buffer, r.ready, r.left = nil, nil, 0
	}
	return r.f.Close()
}
