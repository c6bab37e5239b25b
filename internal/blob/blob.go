// Package blob keeps bodies that are too large for the store, as immutable byte strings named
// by an id that never carries meaning.
//
// A body is written and made durable before the store transaction that refers to it, so that the
// store never refers to a body that a power loss can take. A body that no transaction refers to is garbage: the
// drivers' owners delete what their garbage rows name, and a sweep removes what a crash or a failed delete left.
package blob

import (
	"context"
	"errors"
	"io"
)

// InlineLimit is the size in bytes up to which a body is kept inside its store record; larger ones become blobs.
const InlineLimit = 32 << 10

// Errors that a driver returns; compare with [errors.Is].
var (
	// ErrNotFound is returned for an id that names no blob.
	ErrNotFound = errors.New("blob not found")
	// ErrFull is returned when the disk has no room; nothing of the blob was kept.
	ErrFull = errors.New("no space left for bodies")
	// ErrBusy is returned when as many blobs are being written as there may be.
	ErrBusy = errors.New("too many bodies are being written")
	// ErrDamaged is returned when the bytes read are not the bytes written.
	ErrDamaged = errors.New("blob damaged")
	// ErrUnavailable is returned while the place that keeps bodies cannot be reached or refuses work; trying again later may help.
	ErrUnavailable = errors.New("the store of bodies is unavailable")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("blobs closed")
)

// ID names a blob. IDs of one driver are ordered by creation and never used again.
type ID string

// Span is a part of a blob: Length bytes from Offset on. A negative Length means up to the end.
type Span struct{ Offset, Length int64 }

// Whole returns the span of a whole blob.
func Whole() Span { return Span{0, -1} }

// Store keeps blobs. It is safe for concurrent use.
type Store interface {
	// Create returns a writer for a new blob. Nothing is kept until Commit.
	Create(ctx context.Context) (Writer, error)
	// Open returns a reader of the blob id, positioned at want.Offset, which the caller closes. Reads outside of want are fine; they cost a remote
	// store another request. Reads end with ctx there. On local disks the reader is an *os.File, so that io.Copy to a socket is one system call.
	Open(ctx context.Context, id ID, want Span) (ReadSeekCloser, error)
	// Delete removes a blob. Readers that have it open keep it. A missing blob is no error.
	Delete(ctx context.Context, id ID) error
	// Sweep deletes the blobs for which live reports false. It leaves alone those that were written since the last Sweep began (since
	// the store was opened, for the first), because the transaction that refers to them may still be on its way.
	Sweep(ctx context.Context, live func(ID) (bool, error)) error
	// Close releases the store. It is idempotent.
	Close() error
}

// ReadSeekCloser reads a blob from any offset.
type ReadSeekCloser interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// Writer writes one blob.
type Writer interface {
	io.Writer
	// Commit makes the bytes written durable, in file and folder, and returns the blob's id.
	Commit(ctx context.Context) (ID, error)
	// Abort drops the blob. It does nothing after Commit, so it can be deferred.
	Abort()
}
