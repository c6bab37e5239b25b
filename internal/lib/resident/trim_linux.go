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
	maps, err := os.ReadFile("/proc/self/smaps")
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

// readOnly returns the areas of a file that the process cannot write and has not written; maps is in the form of /proc/PID/smaps (proc_pid_smaps(5)). An area that has pages of its own
// would lose them: in a program that is linked dynamically the loader writes addresses into some, and makes them read-only then.
func readOnly(maps []byte, file string) (areas []area) {
	candidate := false // the last area may be given back
	for line := range bytes.Lines(maps) {
		f := strings.Fields(string(line))
		switch {
		case len(f) >= 5 && strings.Contains(f[0], "-"): // the head of an area
			var a area
			if a, candidate = parsed(f[0]); candidate {
				candidate = len(f) >= 6 && strings.HasPrefix(f[1], "r-") && strings.Join(f[5:], " ") == file
			}
			if candidate {
				areas = append(areas, a)
			}
		case candidate && len(f) >= 2 && f[0] == "Anonymous:" && f[1] != "0":
			areas, candidate = areas[:len(areas)-1], false
		}
	}
	return areas
}

// parsed returns the area that two hexadecimal addresses name.
func parsed(addresses string) (area, bool) {
	first, end, _ := strings.Cut(addresses, "-")
	from, err1 := strconv.ParseUint(first, 16, 64)
	to, err2 := strconv.ParseUint(end, 16, 64)
	return area{uintptr(from), uintptr(to)}, err1 == nil && err2 == nil
}
