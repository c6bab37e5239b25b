package storetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lambent.dev/lambent/internal/store"
)

// Model is the sequential store that drivers are compared with: a sorted map.
type Model struct {
	pairs map[string]string
	last  uint64
}

// NewModel returns an empty model.
func NewModel() *Model { return &Model{pairs: map[string]string{}} }

// Dump returns what [Dump] returns for a store with the same content.
func (m *Model) Dump() string {
	var b strings.Builder
	for _, k := range m.keys("", "\xff") {
		fmt.Fprintf(&b, "%q=%q\n", k, m.pairs[k])
	}
	return b.String()
}

func (m *Model) keys(lo, hi string) []string {
	var out []string
	for k := range m.pairs {
		if k >= lo && k < hi {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// Op is one step of a transaction.
type Op struct {
	Kind       string // set, delete, deleterange, append, get, range
	Key, Value string // Value is the upper bound of ranges
	Limit      int
	Reverse    bool
}

// Ops returns a generator of transactions over few keys, so that they meet.
func Ops() *rapid.Generator[[]Op] {
	key := rapid.StringMatching(`[ab\x00\xfe]{1,3}`)
	op := rapid.Custom(func(t *rapid.T) Op {
		o := Op{
			Kind:    rapid.SampledFrom([]string{"set", "set", "set", "delete", "deleterange", "append", "get", "range", "range"}).Draw(t, "kind"),
			Key:     key.Draw(t, "key"),
			Value:   rapid.StringN(0, 3, 8).Draw(t, "value"),
			Limit:   rapid.IntRange(0, 4).Draw(t, "limit"),
			Reverse: rapid.Bool().Draw(t, "reverse"),
		}
		if strings.HasSuffix(o.Kind, "range") {
			o.Value = key.Draw(t, "hi")
		}
		return o
	})
	return rapid.SliceOfN(op, 1, 12)
}

// Apply runs a transaction on tx and returns what its reads saw.
func Apply(tx store.Txn, ops []Op) ([]string, error) {
	var seen []string
	for _, o := range ops {
		k, v := []byte(o.Key), []byte(o.Value)
		switch o.Kind {
		case "set":
			tx.Set(k, v)
		case "delete":
			tx.Delete(k)
		case "deleterange":
			tx.DeleteRange(k, v)
		case "append":
			tx.Append(k, v)
		case "get":
			b, err := tx.Get(k)
			seen = append(seen, fmt.Sprintf("%q %v", b, err != nil))
		case "range":
			got, err := scan(tx, store.Span{Lo: k, Hi: v, Limit: o.Limit, Reverse: o.Reverse})
			if err != nil {
				return nil, err
			}
			seen = append(seen, got)
		}
	}
	return seen, nil
}

// Apply runs a transaction on the model and returns what its reads saw.
func (m *Model) Apply(ops []Op) []string {
	var seen []string
	wrote, appended := false, map[string]string{}
	for _, o := range ops {
		switch o.Kind {
		case "set":
			m.pairs[o.Key] = o.Value
			wrote = true
		case "delete":
			delete(m.pairs, o.Key)
			wrote = true
		case "deleterange":
			for _, k := range m.keys(o.Key, o.Value) {
				delete(m.pairs, k)
			}
			wrote = wrote || o.Key < o.Value
		case "append":
			stamp := binary.BigEndian.AppendUint64([]byte(o.Key), m.last+1)
			appended[string(binary.BigEndian.AppendUint16(stamp, uint16(len(appended))))] = o.Value
			wrote = true
		case "get":
			v, ok := m.pairs[o.Key]
			seen = append(seen, fmt.Sprintf("%q %v", v, !ok))
		case "range":
			seen = append(seen, m.scan(o))
		}
	}
	if wrote {
		m.last++
	}
	maps.Copy(m.pairs, appended)
	return seen
}

func (m *Model) scan(o Op) string {
	keys := m.keys(o.Key, o.Value)
	if o.Reverse {
		slices.Reverse(keys)
	}
	if o.Limit > 0 && len(keys) > o.Limit {
		keys = keys[:o.Limit]
	}
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k + "=" + m.pairs[k]
	}
	return strings.Join(out, " ")
}

// Compare runs random transactions on a store and on the model, which must agree on every read and on
// the content at the end. open returns an empty store that the caller closes.
func Compare(t *testing.T, open func() (store.Store, error)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		m := NewModel()
		for range rapid.IntRange(1, 20).Draw(t, "transactions") {
			ops := Ops().Draw(t, "ops")
			var got []string
			if err := s.Update(context.Background(), func(tx store.Txn) (err error) {
				got, err = Apply(tx, ops)
				return err
			}); err != nil {
				t.Fatalf("Update: %v", err)
			}
			if d := cmp.Diff(m.Apply(ops), got); d != "" {
				t.Fatalf("reads differ (-model +store):\n%s", d)
			}
		}
		dump, err := Dump(context.Background(), s)
		if err != nil {
			t.Fatalf("Dump: %v", err)
		}
		if d := cmp.Diff(m.Dump(), dump); d != "" {
			t.Fatalf("content differs (-model +store):\n%s", d)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	})
}
