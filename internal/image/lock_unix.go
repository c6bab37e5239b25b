//go:build unix

package image

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// errBusy says that another one writes to the store.
var errBusy = errors.New("the image store is in use")

// lock takes the folder's lock: shared with other writers, or, without waiting, alone. The lock ends with the process, however it ends.
func (s *Store) lock(alone bool) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.o.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the image store: %w", err)
	}
	how := unix.LOCK_SH
	if alone {
		how = unix.LOCK_EX | unix.LOCK_NB
	}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(f.Fd()), how)
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errBusy
		}
		return nil, fmt.Errorf("lock the image store: %w", err)
	}
	return func() { _ = f.Close() }, nil
}
