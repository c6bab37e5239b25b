package resident

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyPartsOfTheProgramThatAreNotWritten(t *testing.T) {
	maps := `00400000-01fe5000 r-xp 00000000 fe:00 11217724                           /opt/my apps/lambent
Size:              28564 kB
Private_Dirty:         0 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me sd
003f0000-00400000 r--p 00000000 fe:00 11217724                           /opt/my apps/lambent
Private_Dirty:        12 kB
Anonymous:            12 kB
VmFlags: rd mr mw me ac sd
01fe5000-042f0000 r--p 01be5000 fe:00 11217724                           /opt/my apps/lambent
042f0000-043cd000 rw-p 03ef0000 fe:00 11217724                           /opt/my apps/lambent
043cd000-06422000 rw-p 00000000 00:00 0
7f99a6a6a000-7f99a6e00000 r--p 00000000 fe:00 42                         /usr/lib/libc.so.6
7f99a6e00000-7f99a6e01000 ---p 00000000 fe:00 11217724                   /opt/my apps/lambent
7ffd3a9c1000-7ffd3a9c3000 r-xp 00000000 00:00 0                          [vdso]
`
	want := []area{{0x400000, 0x1fe5000}, {0x1fe5000, 0x42f0000}}
	if diff := cmp.Diff(want, readOnly([]byte(maps), "/opt/my apps/lambent"), cmp.AllowUnexported(area{})); diff != "" {
		t.Error(diff)
	}
}

func TestTrimmedProgramIsSmaller(t *testing.T) {
	before := ofFiles(t)
	if err := Trim(); err != nil {
		t.Fatal(err)
	}
	if after := ofFiles(t); after >= before {
		t.Errorf("%d kB of files are resident after Trim, %d kB before", after, before)
	}
}

// ofFiles returns how much of files is resident in this process, in kB.
func ofFiles(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssFile:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb
}
