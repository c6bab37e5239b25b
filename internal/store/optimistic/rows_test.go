package optimistic

import (
	"strconv"
	"testing"

	"github.com/tidwall/btree"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/store"
)

// wrote is a transaction with the writes that are given.
func wrote(ws ...write) *txn {
	t := &txn{writes: btree.NewBTreeG(func(a, b write) bool { return a.key < b.key })}
	for _, w := range ws {
		t.writes.Set(w)
	}
	return t
}

func wantRow(t *testing.T, c *rows, k string, version uint64, want string) {
	t.Helper()
	v, ok := c.get(k, version)
	if got := string(v); ok != (want != "") || ok && got != want {
		t.Errorf("%s at %d is %q, %t, want %q", k, version, got, ok, want)
	}
}

func TestRowsAreThoseOfTheVersionThatIsRead(t *testing.T) {
	c := &rows{version: 5}
	c.keep("a", []byte("a5"), 4) // there was a commit since
	wantRow(t, c, "a", 5, "")
	c.keep("a", []byte("a5"), 5)
	c.keep("b", []byte("b5"), 5)
	c.keep("large", make([]byte, maxRow+1), 5)
	wantRow(t, c, "a", 5, "a5")
	wantRow(t, c, "a", 4, "") // it may have been another before
	wantRow(t, c, "large", 5, "")
	c.note(wrote(write{key: "a", value: []byte("a6")}, write{key: "new", value: []byte("n")}), 6)
	wantRow(t, c, "a", 5, "")
	wantRow(t, c, "a", 6, "a6")
	wantRow(t, c, "b", 6, "b5")
	wantRow(t, c, "new", 6, "") // nobody has read it
	c.note(wrote(write{key: "a", delete: true}, write{key: "b", value: make([]byte, maxRow+1)}), 7)
	wantRow(t, c, "a", 7, "")
	wantRow(t, c, "b", 7, "")
	c.keep("a", []byte("a7"), 7)
	c.note(&txn{deleted: intervals{{lo: "a", hi: "b"}}}, 8)
	wantRow(t, c, "a", 8, "")
}

func TestRowsThatAreReadStayAmongManyThatAreNot(t *testing.T) {
	c := &rows{}
	c.keep("hot", []byte("1"), 0)
	c.keep("cold", []byte("1"), 0)
	for i := range 10 * maxRows {
		c.keep("k"+strconv.Itoa(i), []byte("v"), 0)
		if i%(maxRows/2) == 0 {
			wantRow(t, c, "hot", 0, "1")
		}
	}
	wantRow(t, c, "cold", 0, "")
	if n := len(c.young) + len(c.old); n > 2*maxRows {
		t.Errorf("%d rows are kept, want at most %d", n, 2*maxRows)
	}
	// A commit replaces rows of the old generation too.
	c.old["hot"], c.young = row{[]byte("1"), 0}, nil
	c.note(wrote(write{key: "hot", value: []byte("2")}), 1)
	wantRow(t, c, "hot", 1, "2")
}

// countingEngine counts the keys that its snapshots are asked for.
type countingEngine struct {
	Engine
	asked *int
}

type countingSnapshot struct {
	Snapshot
	asked *int
}

func (e countingEngine) Snapshot() (Snapshot, error) {
	s, err := e.Engine.Snapshot()
	return countingSnapshot{s, e.asked}, err
}

func (s countingSnapshot) Get(key []byte) ([]byte, bool, error) {
	*s.asked++
	return s.Snapshot.Get(key)
}

// stub is an engine without anything in it, whose batches go nowhere.
type stub struct{}

func (stub) Snapshot() (Snapshot, error) { return stub{}, nil }
func (stub) Batch() Batch                { return stubBatch{} }
func (stub) Admit(int, bool) error       { return nil }
func (stub) Get(key []byte) ([]byte, bool, error) {
	return []byte("stored " + string(key)), true, nil
}
func (stub) Iter(_, _ []byte) (Iter, error) { return nil, nil }

type stubEngine struct{ stub }

func (stubEngine) Close(bool) error { return nil }
func (stub) Close() error           { return nil }

type stubBatch struct{}

func (stubBatch) Set(_, _ []byte) error         { return nil }
func (stubBatch) Delete([]byte) error           { return nil }
func (stubBatch) DeleteRange(_, _ []byte) error { return nil }
func (stubBatch) Apply() error                  { return nil }
func (stubBatch) Wait() error                   { return nil }
func (stubBatch) Discard()                      {}

func TestUpdatesAskTheEngineForARowOnce(t *testing.T) {
	asked := 0
	s := NewEmpty(countingEngine{stubEngine{}, &asked}, clock.System{})
	var got []byte
	read := func(write string) {
		t.Helper()
		err := s.Update(t.Context(), func(tx store.Txn) (err error) {
			got, err = tx.Get([]byte("k"))
			tx.Set([]byte(write), []byte("written"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if read("other"); string(got) != "stored k" {
			t.Errorf("read %q", got)
		}
	}
	read("k")
	if read("other"); string(got) != "written" {
		t.Errorf("read %q after it was written", got)
	}
	if asked != 1 {
		t.Errorf("the engine was asked %d times, want once", asked)
	}
}
