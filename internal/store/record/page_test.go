package record_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/record"
)

func TestPagesTogetherAreTheList(t *testing.T) {
	s := mem.New()
	defer s.Close()
	prefix := key.New("test", "p")
	err := s.Update(t.Context(), func(tx store.Txn) error {
		for i := range 10 {
			name := fmt.Sprintf("%c%d", 'a'+rune(i%2), i)
			if err := record.Set(tx, prefix.Str(name), i); err != nil {
				return err
			}
		}
		return record.Set(tx, key.New("test", "pp").Str("a"), 99)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		prefix string
		limit  int
		odd    bool
		want   string
	}{
		{"", 4, false, "a0 a2 a4 a6|a8 b1 b3 b5|b7 b9"},
		{"", 10, false, "a0 a2 a4 a6 a8 b1 b3 b5 b7 b9"},
		{"b", 2, false, "b1 b3|b5 b7|b9"},
		{"", 3, true, "b1 b3 b5|b7 b9"},
		{"c", 3, false, ""},
	} {
		var pages []string
		var token *string
		for {
			var names []string
			next, err := record.Page(t.Context(), s, prefix, record.Paging{NamePrefix: tc.prefix, Token: token, Limit: tc.limit}, func(name string, v int) bool {
				if tc.odd && v%2 == 0 {
					return false
				}
				names = append(names, name)
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, strings.Join(names, " "))
			if token = next; token == nil {
				break
			}
		}
		if got := strings.Join(pages, "|"); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
	bad := "%"
	if _, err := record.Page(t.Context(), s, prefix, record.Paging{Token: &bad, Limit: 1}, func(string, int) bool { return true }); !errors.Is(err, record.ErrToken) {
		t.Errorf("a bad token: %v", err)
	}
	// A page of nothing leads to the first record.
	token, err := record.Page(t.Context(), s, prefix, record.Paging{}, func(string, int) bool { return true })
	if err != nil || token == nil {
		t.Fatalf("a page of nothing: %v, %v", token, err)
	}
	var first string
	if _, err := record.Page(t.Context(), s, prefix, record.Paging{Token: token, Limit: 1}, func(name string, _ int) bool { first = name; return true }); err != nil || first != "a0" {
		t.Errorf("behind it comes %q, %v", first, err)
	}
}
