package record_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/record"
)

type board struct {
	Name string
	Pins int `json:",omitempty"`
}

func TestRecordsRoundTrip(t *testing.T) {
	s := mem.New()
	boards := key.New("app", "boards")
	err := s.Update(t.Context(), func(tx store.Txn) error {
		for _, b := range []board{{"b", 2}, {"a", 1}} {
			if err := record.Set(tx, boards.Str(b.Name), b); err != nil {
				return err
			}
		}
		if ok, err := record.Has(tx, boards.Str("a")); !ok || err != nil {
			t.Errorf("Has = %v, %v", ok, err)
		}
		return record.Append(tx, key.New("app", "log"), "made")
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(r store.Reader) error {
		got, ok, err := record.Get[board](r, boards.Str("b"))
		if got != (board{"b", 2}) || !ok || err != nil {
			t.Errorf("Get = %v, %v, %v", got, ok, err)
		}
		if _, ok, err := record.Get[board](r, boards.Str("c")); ok || err != nil {
			t.Errorf("Get of a missing record = %v, %v", ok, err)
		}
		list, err := record.List[board](r, boards.Span())
		if d := cmp.Diff([]board{{"a", 1}, {"b", 2}}, list); d != "" || err != nil {
			t.Errorf("List (-want +got): %v\n%s", err, d)
		}
		log, err := record.List[string](r, key.New("app", "log").Span())
		if len(log) != 1 || log[0] != "made" {
			t.Errorf("appended %v, %v", log, err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestDamagedRecordIsNamed(t *testing.T) {
	s := mem.New()
	if err := s.Update(t.Context(), func(tx store.Txn) error {
		tx.Set([]byte("k"), []byte("{"))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	err := s.View(t.Context(), func(r store.Reader) error {
		_, err := record.List[board](r, store.Span{})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), `decode record "k"`) {
		t.Errorf("List of a damaged record = %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
