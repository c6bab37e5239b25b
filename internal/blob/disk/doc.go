// Package disk keeps blobs as immutable files: one file a blob, named by an id that only grows.
//
// # On disk
//
//	DIR/NEXT         the id up to which ids have been reserved, as 16 hex digits
//	DIR/xxx/ID       a blob; xxx is bits 8 to 19 of the id
//
// 256 neighbouring ids share a folder, so that blobs written at the same time share one sync of it.
//
// # Order of writing
//
// The file is created under its final name, filled, synced, and then its folder is synced; only then is
// the id given out. Nobody can know the id of a file that is not whole, so there is no renaming. Commits that meet at a folder
// share its sync. What a crash leaves unfinished has an id that was reserved
// before the next open and that nothing refers to: [Store.Sweep] removes it. Deletes are not synced; a file that comes back after a
// power loss is removed by the sweep as well.
//
// # Beside the store's log
//
// A sync of the log waits for everything that the disk has been given before. Bodies therefore come to it in pieces of half a megabyte, one body at a time, and each
// waits until its piece is taken: a commit of the store meets one piece and not the megabytes of all uploads. The syncs of whole bodies are not in turn; little is left for them.
//
// # Room
//
// A body is refused with [blob.ErrFull] while the file system has less than Options.Reserve left: the
// store's log, which shares the disk, must not be starved by bodies.
//
// It deliberately keeps no checksums: a file is the body and nothing else, so that it can be sent by one system
// call. Whoever refers to a blob keeps the checksum beside the reference.
package disk
