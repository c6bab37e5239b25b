package resident

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Trim takes the pages of the program's file out of the process, as far as they cannot be written: its code, its constants and the tables of the runtime. It may be
// called at any time; what runs meanwhile finds its pages again.
func Trim() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	for _, a := range readOnly(maps, program) {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, a.from, a.to-a.from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("take pages of the program out of the process: %w", errno)
		}
	}
	return nil
}

// area is a range of addresses.
type area struct{ from, to uintptr }

// readOnly returns the areas of a file that the process cannot write; maps is in the form of /proc/PID/maps (proc_pid_maps(5)). A private area that can be written
// has to be left alone: it would lose what was written.
func readOnly(maps []byte, file string) (areas []area) {
	for line := range bytes.Lines(maps) {
		f := strings.Fields(string(line))
		if len(f) < 6 || !strings.HasPrefix(f[1], "r-") || strings.Join(f[5:], " ") != file {
			continue
		}
		first, end, _ := strings.Cut(f[0], "-")
		from, err := strconv.ParseUint(first, 16, 64)
		if err != nil {
			continue
		}
		to, err := strconv.ParseUint(end, 16, 64)
		if err != nil {
			continue
		}
		areas = append(areas, area{uintptr(from), uintptr(to)})
	}
	return areas
}
