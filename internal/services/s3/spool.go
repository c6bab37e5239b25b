package s3

import (
	"errors"
	"io"
	"sync"
)

const (
	// smallPiece and copyBuffer are the sizes of the pieces in which a body is copied, in bytes. An upload begins with small ones: most of those that wait for a
	// slow client have no more than two of them.
	smallPiece = 32 << 10
	copyBuffer = 256 << 10
	// maxCopying bounds the uploads that copy in large pieces at the same time; others go on with small ones.
	maxCopying = 128
	// quickBytes is what an upload must have sent before it copies in large pieces.
	quickBytes = 8 * smallPiece
)

// buffers are the pieces of memory that uploads copy with.
type buffers struct {
	copying      chan struct{} // holds a token for each upload with large pieces
	small, large sync.Pool
}

func newBuffers() *buffers {
	b := &buffers{copying: make(chan struct{}, maxCopying)}
	b.small.New = func() any { return new([smallPiece]byte) }
	b.large.New = func() any { return new([copyBuffer]byte) }
	return b
}

// spool copies head and the rest of r to w. Hashing of one piece overlaps reading of the next.
func (b *buffers) spool(w io.Writer, head []byte, r io.Reader, d *digest) (int64, error) {
	c := &copying{from: b, hash: make(chan []byte), hashed: make(chan struct{}, 1)}
	var hashing sync.WaitGroup
	hashing.Go(func() {
		for p := range c.hash {
			d.write(p)
			c.hashed <- struct{}{}
		}
	})
	defer c.release()
	defer hashing.Wait()
	defer close(c.hash)
	if err := c.put(w, head); err != nil {
		return 0, err
	}
	for {
		n, err := fill(r, c.next())
		if c.total+int64(n) > maxUpload {
			return 0, entityTooLarge(0)
		}
		if n > 0 {
			if err := c.put(w, c.piece[:n]); err != nil {
				return 0, err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return c.total, nil
		case err != nil:
			return 0, readError(err)
		}
	}
}

// copying is one upload on its way.
type copying struct {
	from  *buffers
	total int64
	// piece is the one that is read into, other the one that is hashed meanwhile; nil before the first use. large tells their size.
	piece, other []byte
	large        bool
	// hash takes the pieces to be hashed; hashed holds a token when the last one is done.
	hash    chan []byte
	hashed  chan struct{}
	pending bool
}

// put writes a piece and begins to hash it. The piece before it is hashed when put returns.
func (c *copying) put(w io.Writer, p []byte) error {
	if _, err := w.Write(p); err != nil {
		return fromStore(wrap("write body", err))
	}
	c.wait()
	c.hash <- p
	c.pending = true
	c.total += int64(len(p))
	c.piece, c.other = c.other, c.piece
	return nil
}

// wait returns when nothing is being hashed.
func (c *copying) wait() {
	if c.pending {
		<-c.hashed
		c.pending = false
	}
}

// next returns the piece to read into, which nobody uses.
func (c *copying) next() []byte {
	if !c.large && c.total >= quickBytes {
		c.grow()
	}
	switch {
	case c.piece != nil:
	case c.large:
		c.piece = c.from.large.Get().(*[copyBuffer]byte)[:]
	default:
		c.piece = c.from.small.Get().(*[smallPiece]byte)[:]
	}
	return c.piece
}

// grow goes on with large pieces, unless enough uploads do so.
func (c *copying) grow() {
	select {
	case c.from.copying <- struct{}{}:
	default:
		return
	}
	c.wait()
	c.giveBack()
	c.large = true
}

func (c *copying) giveBack() {
	for _, p := range [...][]byte{c.piece, c.other} {
		switch {
		case p == nil:
		case c.large:
			c.from.large.Put((*[copyBuffer]byte)(p))
		default:
			c.from.small.Put((*[smallPiece]byte)(p))
		}
	}
	c.piece, c.other = nil, nil
}

// release gives everything back. Nothing is being hashed.
func (c *copying) release() {
	c.giveBack()
	if c.large {
		<-c.from.copying
	}
}
