package eventbridge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/record"
)

// names returns the names of rules, sorted.
func names(rules []*rule) string {
	out := make([]string, 0, len(rules))
	for _, x := range rules {
		out = append(out, x.name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestRulesThatChangeOneByOneAreFound has rules come, change and go at random, and compares what a set made of the one before finds with what a set made from nothing does.
func TestRulesThatChangeOneByOneAreFound(t *testing.T) {
	s := mem.New()
	defer func() { _ = s.Close() }()
	k := busKey{place{"000000000000", "us-east-1"}, defaultBus}
	known := &patternCache{known: map[string]*compiled{}}
	random := rand.New(rand.NewPCG(1, 2))
	before, reused := &ruleSet{}, 0
	for range 1500 {
		name := fmt.Sprintf("r%d", random.IntN(200))
		err := s.Update(t.Context(), func(tx store.Txn) error {
			if random.IntN(4) == 0 {
				tx.Delete(k.rule(k.name, name))
				return nil
			}
			state := enabled
			if random.IntN(5) == 0 {
				state = disabled
			}
			return record.Set(tx, k.rule(k.name, name), ruleRecord{Bus: k.name, Name: name, State: state, Pattern: fmt.Sprintf(`{"source":["s%d"]}`, random.IntN(5))})
		})
		if err != nil {
			t.Fatal(err)
		}
		var now, whole *ruleSet
		err = s.View(t.Context(), func(r store.Reader) (err error) {
			if now, err = readRules(r, k, known, before); err == nil {
				whole, err = readRules(r, k, known, &ruleSet{})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		e := &event{JSON: fmt.Appendf(nil, `{"source":"s%d"}`, random.IntN(5))}
		found, err := now.matches(e)
		if err != nil {
			t.Fatal(err)
		}
		wanted, err := whole.matches(e)
		if err != nil {
			t.Fatal(err)
		}
		if names(found) != names(wanted) {
			t.Fatalf("rules %s take %s, want %s", names(found), e.JSON, names(wanted))
		}
		if x := now.at(string(k.rule(k.name, name))); (x == nil) != (whole.at(string(k.rule(k.name, name))) == nil) {
			t.Fatalf("rule %s is %v", name, x)
		}
		if now.base == before.base {
			reused++
		}
		before = now
	}
	if reused < 1000 {
		t.Errorf("what finds rules was made again in all but %d of 1500 changes", reused)
	}
}
