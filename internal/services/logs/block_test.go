package logs

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// written is one line as the model keeps it: lines are appended in the order of their writing.
type written struct {
	ms           int64
	stream, text string
}

func (w written) String() string { return fmt.Sprintf("%d %s %s", w.ms, w.stream, w.text) }

// writeRandom writes batches to a few streams, by which blocks overlap in every way, and returns the lines in the order of reading.
func writeRandom(t *testing.T, ctx context.Context, l *Logs, random *rand.Rand) []written {
	t.Helper()
	var all []written
	for i := range 40 {
		stream := string(rune('a' + random.IntN(3)))
		base := start.UnixMilli() + random.Int64N(3*maxBlockSpan)
		var lines []port.LogLine
		for range 1 + random.IntN(12) {
			ms := base + random.Int64N(2*maxBlockSpan)/1000*1000 // equal times are frequent
			text := fmt.Sprintf("%d.%d", i, len(lines))
			if random.IntN(8) == 0 {
				text += strings.Repeat("x", random.IntN(maxBlockBytes))
			}
			lines = append(lines, port.LogLine{Time: time.UnixMilli(ms), Message: text})
			all = append(all, written{ms, stream, text})
		}
		if err := l.PutLog(ctx, "000000000000", "us-east-1", "g", stream, lines); err != nil {
			t.Fatal(err)
		}
		if random.IntN(3) > 0 {
			if err := l.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(all, func(a, b written) int { return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.stream, b.stream)) })
	return all
}

// chosen renders the lines that a call asks for.
func chosen(all []written, stream string, from, to int64) []string {
	var out []string
	for _, w := range all {
		if (stream == "" || w.stream == stream) && w.ms >= from && w.ms < to {
			out = append(out, w.String())
		}
	}
	return out
}

func TestPagesHoldEveryEventOnceInOrderHoweverBlocksOverlap(t *testing.T) {
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 1))
		ctx, l, _ := setup(t)
		all := writeRandom(t, ctx, l, random)
		from := start.UnixMilli() + random.Int64N(2*maxBlockSpan)
		to := from + random.Int64N(3*maxBlockSpan)
		limit := int32(1 + random.IntN(9))
		for _, bounds := range [][2]*int64{{nil, nil}, {&from, &to}} {
			lo, hi := int64(0), start.UnixMilli()*2
			if bounds[0] != nil {
				lo, hi = from, to
			}
			for _, stream := range []string{"", "b"} {
				in := &api.FilterLogEventsInput{LogGroupName: ptr("g"), StartTime: bounds[0], EndTime: ptr(hi - 1), Limit: &limit}
				if stream != "" {
					in.LogStreamNames = []string{stream}
				}
				if d := gocmp.Diff(chosen(all, stream, lo, hi), filterAll(t, ctx, l, in)); d != "" {
					t.Errorf("seed %d: FilterLogEvents of %q (-want +got):\n%.2000s", seed, stream, d)
				}
			}
			for _, head := range []bool{true, false} {
				in := &api.GetLogEventsInput{LogGroupName: ptr("g"), LogStreamName: "b", StartTime: bounds[0], EndTime: bounds[1], Limit: &limit, StartFromHead: &head}
				if d := gocmp.Diff(chosen(all, "b", lo, hi), getAll(t, ctx, l, in)); d != "" {
					t.Errorf("seed %d: GetLogEvents from head %v (-want +got):\n%.2000s", seed, head, d)
				}
			}
		}
	}
}

// filterAll follows the tokens of FilterLogEvents to the end.
func filterAll(t *testing.T, ctx context.Context, l *Logs, in *api.FilterLogEventsInput) (got []string) {
	t.Helper()
	for {
		out, err := l.filterLogEvents(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			got = append(got, written{*e.Timestamp, *e.LogStreamName, *e.Message}.String())
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return got
		}
	}
}

// getAll follows the tokens of GetLogEvents in its direction until a page is empty, and returns the events oldest first.
func getAll(t *testing.T, ctx context.Context, l *Logs, in *api.GetLogEventsInput) (got []string) {
	t.Helper()
	for {
		out, err := l.getLogEvents(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		var page []string
		for _, e := range out.Events {
			page = append(page, written{*e.Timestamp, in.LogStreamName, *e.Message}.String())
		}
		if len(page) == 0 {
			return got
		}
		if *in.StartFromHead {
			got, in.NextToken = append(got, page...), out.NextForwardToken
		} else {
			got, in.NextToken = append(page, got...), out.NextBackwardToken
		}
	}
}

func TestLinesOfOneFlushMakeOneBlockAStream(t *testing.T) {
	ctx, l, _ := setup(t)
	for i := range 300 {
		lines := []port.LogLine{{Time: start.Add(time.Duration(i) * time.Millisecond), Message: "REPORT RequestId: 1 Duration: 1.20 ms"}}
		if err := l.PutLog(ctx, "000000000000", "us-east-1", "g", "ab"[i%2:i%2+1], lines); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	blocks, index, size := stored(t, ctx, l)
	if blocks != 2 || index != 2 || size > 300*20 {
		t.Errorf("%d blocks of %d bytes and %d index entries, want 2, 2, and a third of the lines' size", blocks, size, index)
	}
}

// stored counts the blocks and the index entries of the group g, and the bytes of the blocks.
func stored(t *testing.T, ctx context.Context, l *Logs) (blocks, index, size int) {
	t.Helper()
	s := scopeOf(ctx)
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		for p, err := range r.Range(s.root("b").Span()) {
			if err != nil {
				return err
			}
			blocks, size = blocks+1, size+len(p.Value)
		}
		for _, err := range r.Range(s.root("x").Span()) {
			if err != nil {
				return err
			}
			index++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return blocks, index, size
}

func TestDeletedStreamsAndGroupsLeaveNoBlocks(t *testing.T) {
	ctx, l, _ := setup(t)
	writeRandom(t, ctx, l, rand.New(rand.NewPCG(1, 2)))
	if _, err := l.deleteLogStream(ctx, &api.DeleteLogStreamInput{LogGroupName: "g", LogStreamName: "a"}); err != nil {
		t.Fatal(err)
	}
	for _, e := range filterAll(t, ctx, l, &api.FilterLogEventsInput{LogGroupName: ptr("g")}) {
		if strings.Contains(e, " a ") {
			t.Fatalf("event of a deleted stream: %.80s", e)
		}
	}
	for _, name := range []string{"b", "c"} {
		if _, err := l.deleteLogStream(ctx, &api.DeleteLogStreamInput{LogGroupName: "g", LogStreamName: name}); err != nil {
			t.Fatal(err)
		}
	}
	if blocks, index, _ := stored(t, ctx, l); blocks+index != 0 {
		t.Errorf("%d blocks and %d index entries after their streams", blocks, index)
	}
	writeRandom(t, ctx, l, rand.New(rand.NewPCG(1, 3)))
	if _, err := l.deleteLogGroup(ctx, &api.DeleteLogGroupInput{LogGroupName: "g"}); err != nil {
		t.Fatal(err)
	}
	if blocks, index, _ := stored(t, ctx, l); blocks+index != 0 {
		t.Errorf("%d blocks and %d index entries after their group", blocks, index)
	}
}

func TestForwardTokenOfAnEmptyTailSeesTheFirstEvent(t *testing.T) {
	ctx, l, _ := setup(t)
	makeStream(t, ctx, l, "g", "s")
	in := &api.GetLogEventsInput{LogGroupName: ptr("g"), LogStreamName: "s"}
	out, err := l.getLogEvents(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	put(t, ctx, l, "s", "first")
	in.NextToken = out.NextForwardToken
	if out, err = l.getLogEvents(ctx, in); err != nil || len(out.Events) != 1 {
		t.Errorf("after an empty page: %v (%v), want the first event", out, err)
	}
}

func FuzzBlock(f *testing.F) {
	f.Add(encodeBlock([]event{{message: "a"}, {position: position{ms: 5, seq: 1}, message: "b"}}, 7))
	f.Add(encodeBlock([]event{{message: strings.Repeat("long", minCompressed)}}, 7))
	f.Fuzz(func(t *testing.T, value []byte) {
		var b block
		if b.head(value) != nil {
			return
		}
		all, err := b.events()
		if err != nil {
			return
		}
		var again block
		if err := again.head(encodeBlock(all, b.ingested)); err != nil {
			t.Fatal(err)
		}
		again.first = all[0].position
		got, err := again.events()
		if err != nil || len(got) != len(all) || !slices.EqualFunc(got, all, func(x, y event) bool { return x == y }) {
			t.Errorf("decoded %v, again %v (%v)", all, got, err)
		}
	})
}
