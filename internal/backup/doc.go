// Package backup keeps copies of the state of a Lambent in a folder, and makes a data folder of one again.
//
// # Folder
//
//	LAMBENT-BACKUP            the format, and the data folder whose copies these are
//	objects/ab/abcd…          contents by their SHA-256 sum
//	snapshots/TIME.jsonl      one copy: a line for each file of the data folder, in the order in which they came
//	snapshots/NAME.partial    a copy that was broken off
//
// A copy is made of a [Source], which holds still what it has listed. What an earlier copy has is not fetched again: files that come with a sum, by that; bodies, whose content
// never changes under a name, by their name and size in the newest copy of the same data folder, whole or broken off. A copy counts when its list has its final name,
// which it gets after everything in it is on disk; whatever breaks before leaves the copies from before as they were.
//
// A restored data folder gets a new identity, because from then on it gives its names to other contents than the original does.
//
// It is no archive format: the folder can be copied by any tool while no backup runs, and each object proven with sha256sum.
package backup
