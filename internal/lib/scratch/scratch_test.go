package scratch_test

import (
	"bytes"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/lib/scratch"
)

func TestWhatIsBuiltStays(t *testing.T) {
	first := scratch.Build(func(b []byte) []byte { return append(b, "first"...) })
	if cap(first) != len(first) {
		t.Errorf("%d bytes for %d", cap(first), len(first))
	}
	scratch.Build(func(b []byte) []byte {
		if len(b) != 0 {
			t.Errorf("the next text begins with %q", b)
		}
		return append(b, "SECOND"...)
	})
	if string(first) != "first" {
		t.Errorf("the first text became %q", first)
	}
	large := bytes.Repeat([]byte("x"), 1<<20)
	if got := scratch.Build(func(b []byte) []byte { return append(b, large...) }); !bytes.Equal(got, large) {
		t.Errorf("%d bytes of %d", len(got), len(large))
	}
}

func TestBuildingTakesOneAllocation(t *testing.T) {
	text := strings.Repeat("x", 2000)
	if n := testing.AllocsPerRun(100, func() { scratch.Build(func(b []byte) []byte { return append(b, text...) }) }); n > 1.5 {
		t.Errorf("%v allocations", n)
	}
}
