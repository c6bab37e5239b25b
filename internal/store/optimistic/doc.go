// Package optimistic turns an ordered key-value engine with snapshots and atomic batches into a
// [store.Store]: serializable transactions, durability before visibility, wake-ups in commit order.
// The memory and the Pebble driver share it, so they differ in nothing that a service can see.
//
// # A transaction
//
// Its closure reads one snapshot of everything applied so far, and records the keys and ranges that it read; its
// writes stay in an overlay. To commit, under the commit lock, the recorded reads are compared with
// what was written since the snapshot ([window]). When nothing was, the transaction gets the next
// version, its batch is applied and the lock is let go; then it waits for the log.
//
// A transaction may read what is applied but not durable yet: it is acknowledged only after its own sync, and the
// log is sequential, so what it read is durable by then. A hot key therefore advances at the speed of the
// group commit and not once a sync. A closure that ends without writing (an error, a
// refused condition) is answered only after everything that it read is durable.
//
// A View waits for the sync of exactly those pending commits that touch a key it gives out, or whose
// absence it reports; it never waits for writers of other keys, nor for the commit lock.
//
// # Conflicts
//
// A transaction that met a conflict runs again holding one of 64 turnstiles, chosen by the key of the
// conflict, until its batch is applied. Contenders for a hot key so form a queue instead of
// overtaking each other, and need no random back-off.
//
// # Locks
//
// Store.commitMu → Store.activeMu, Store.commitMu → pending.mu. Nothing else is taken together; callbacks
// (OnCommit, wake-ups) run without any lock. A turnstile is taken before commitMu.
package optimistic
