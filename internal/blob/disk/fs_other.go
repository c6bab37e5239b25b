//go:build !linux

package disk

import "os"

func beginWriteback(*os.File, int64, int64) {}

func syncData(f *os.File) error { return f.Sync() }

// Room implements FS: it is not known on this system, where a full disk is met by the write itself.
func (OS) Room(string) (uint64, bool) { return 0, false }
