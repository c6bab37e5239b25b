package optimistic

// Engine is what a driver provides. Its methods are called from many goroutines, except where
// a comment says otherwise.
type Engine interface {
	// Snapshot returns a view of every batch applied so far, durable or not.
	Snapshot() (Snapshot, error)
	// Batch returns an empty batch.
	Batch() Batch
	// Admit returns an error that wraps store.ErrFull when a batch of n bytes must not be written. makesRoom tells
	// that it leads to more room than it takes; such batches are asked for a second time, after a refusal without it.
	Admit(n int, makesRoom bool) error
	// Close releases the engine. failed says that the engine reported an error in Apply or Wait
	// and may be beyond an orderly end.
	Close(failed bool) error
}

// Snapshot is an unchanging view. It is used by one goroutine at a time.
type Snapshot interface {
	// Get returns the value of key, valid until Close, and whether there is one.
	Get(key []byte) ([]byte, bool, error)
	// Iter returns an iterator over lo <= key < hi.
	Iter(lo, hi []byte) (Iter, error)
	// Close releases the snapshot.
	Close() error
}

// Iter walks the keys of a snapshot. Each move reports whether it arrived at a key.
type Iter interface {
	// SetBounds changes the keys to lo <= key < hi. A seek must follow.
	SetBounds(lo, hi []byte)
	SeekGE(key []byte) bool
	SeekLT(key []byte) bool
	Next() bool
	Prev() bool
	// Key and Value are valid until the next move.
	Key() []byte
	Value() ([]byte, error)
	// Err returns the error that ended the walk.
	Err() error
	Close() error
}

// Batch collects writes, of which a later one wins. It is used by one goroutine.
type Batch interface {
	Set(key, value []byte) error
	Delete(key []byte) error
	DeleteRange(lo, hi []byte) error
	// Apply logs the batch and makes it visible to new snapshots, all at once. Calls never overlap, and
	// batches become durable in the order of their Apply.
	Apply() error
	// Wait returns when the batch is durable. It is called once after Apply returned nil.
	Wait() error
	// Discard releases the batch; it is called once, at the end.
	Discard()
}
