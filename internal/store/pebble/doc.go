// Package pebble is the durable store driver: one Pebble database, one write-ahead log and one
// group commit for everything that Lambent keeps.
//
// Transactions come from package optimistic. This package gives it snapshots and batches, and deals with
// the disk:
//
//   - Many commits share one sync: a batch is applied without waiting and its sync is awaited outside every lock.
//   - An error of the log or the manifest stops the store ([store.ErrFailed]). What was acknowledged
//     is on disk and is found at the next start; nothing is acknowledged after the error. So does an error of a flush, which Pebble would try again without end, while
//     writers wait. Errors that Pebble cannot bear do not reach it (guard.go), so that the process ends in order. What each write point does when it fails is
//     in the table of package services/s3, testdata/faults.txt.
//   - Room: an update is refused with [store.ErrFull] while the file system has less than Options.Reserve
//     bytes left, so that the log, flushes and compactions of what was accepted always find room. Should the disk fill up nevertheless (others write to it too), a ballast
//     file is given up, the write is repeated, and updates are refused until there is room for a new one. Reads go on, and so do updates that make room
//     (store.MakingRoom): until half of the reserve is used, and on a disk that others filled, in a quarter of the ballast. What filled the disk can be deleted.
//   - One process: a second Open of a directory fails and names the process that has it.
//
// # On disk
//
// DIR holds Pebble's files, OWNER with the process id of the last opener, and BALLAST. Keys are stored as they are;
// "\xffversion" holds the commit version that stamps have been reserved up to.
//
// It is deliberately no cache and no replication: a read of a cold key is a read of the disk, and the loss of the disk is the loss of the state.
package pebble
