//go:build unix

package image

import (
	"os"
	"syscall"
	"testing"
)

// blocks is how many bytes a file takes on the disk.
func blocks(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("no stat")
	}
	return st.Blocks * 512
}
