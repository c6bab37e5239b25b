package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// beginWriteback starts writing a part of f to the disk; it is a hint, whose failure the sync will meet again.
func beginWriteback(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}

// syncData makes the content and the length of f durable.
func syncData(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

// Room implements FS.
func (OS) Room(dir string) (uint64, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return st.Bavail * uint64(st.Bsize), true
}
