package events

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func FuzzJobRow(f *testing.F) {
	f.Add(encode(Job{Name: "n", Payload: []byte("p"), Attempt: 3, NotBefore: time.Unix(1, 2).UTC()}))
	f.Add(encode(Job{Group: "g"}))
	f.Add([]byte{rowVersion, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := decode("k", nil, b)
		if err != nil {
			return
		}
		again, err := decode("k", nil, encode(j))
		if err != nil {
			t.Fatalf("cannot decode what encode wrote: %v", err)
		}
		if d := cmp.Diff(j, again); d != "" {
			t.Errorf("round trip (-first +second):\n%s", d)
		}
	})
}
