package logs

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/service/port"
)

// TestStreamThatFloodsMakesNobodyElseWait fills the buffer, which is not emptied before the clock moves.
func TestStreamThatFloodsMakesNobodyElseWait(t *testing.T) {
	ctx, l, _ := setup(t)
	late, cancel := context.WithCancel(ctx)
	cancel()
	put := func(ctx context.Context, stream string, size int) error {
		return l.PutLog(ctx, "000000000000", "us-east-1", "g", stream, []port.LogLine{{Time: start, Message: strings.Repeat("x", size)}})
	}
	streams := 0
	for ; l.sink.size <= maxBuffered; streams++ {
		stream := fmt.Sprint("flood", streams)
		n := 0
		for ; put(late, stream, 200<<10) == nil; n++ {
			if n > 10 {
				t.Fatal("a stream may take more than its part of the buffer")
			}
		}
		if n < 5 && l.sink.size <= maxBuffered {
			t.Fatalf("a stream may have %d lines alone", n)
		}
	}
	for n, want := range []bool{true, true, false} { // the lines of one that has its part already wait
		if err := put(late, "quiet", 40<<10); (err == nil) != want {
			t.Errorf("line %d beside %d floods: %v", n, streams, err)
		}
	}
	if err := l.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := put(late, "flood0", 1); err != nil || l.sink.size > 100 {
		t.Errorf("after a flush: %v, %d bytes are left", err, l.sink.size)
	}
}
