// Package crash kills the real binary with SIGKILL while clients write to it, starts it again on the same data, and
// checks what it owes to them; and it fills the disk under it.
//
// # What is checked
//
//   - A write that was acknowledged is there, byte for byte. One whose answer was never read may be there, whole, or
//     not at all.
//   - A counter is between the increments that were acknowledged and those that were sent.
//   - An object that is listed can be read, and its bytes have the listed checksum.
//   - The function behind the bucket was told of every acknowledged object at least once, however often the process
//     died in between, and of none that was never stored.
//   - The same holds for asynchronous invocations, for the items of a table's stream and for the messages of a queue that a function reads.
//   - Conditional writes and transactions on two items, and the reads of both, fit one order, in which a call whose answer was lost may have been made.
//   - So do puts, gets and deletes of one object, and their conditional forms.
//   - On a full disk, writes are refused with an AWS error of status 500 or more, reads go on, nothing that was
//     acknowledged is lost, and writes go on when there is room again.
//
// Every client owns its keys and works through them one call after the other, so the model of a key is the last
// acknowledged value and the values sent since. Only the counter is shared.
//
// A run prints its seed; -seed repeats its calls, though not the instants at which the process dies relative to them.
// -kills sets how many times it dies, and -long makes that 50.
//
// What it is not: a simulation of power loss. The operating system survives the kill, so what was written but not
// synced is still there; internal/store and internal/blob test that part on a file system that forgets.
package crash
