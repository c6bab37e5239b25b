package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/anishathalye/porcupine"

	"lambent.dev/lambent/internal/store"
)

// TestHotKeyCountsEveryIncrement loses no update of a key that everyone writes.
func (*suite) TestHotKeyCountsEveryIncrement(t *testing.T, s store.Store) {
	const writers, each = 16, 25
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := s.Update(t.Context(), func(tx store.Txn) error { return add(tx, "n", 1) }); err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got := get(t, s, "n"); got != strconv.Itoa(writers*each) {
		t.Errorf("counted %s, want %d", got, writers*each)
	}
}

func add(tx store.Txn, key string, n int) error {
	v, err := number(tx, key)
	if err != nil {
		return err
	}
	tx.Set([]byte(key), []byte(strconv.Itoa(v+n)))
	return nil
}

func number(r store.Reader, key string) (int, error) {
	b, err := r.Get([]byte(key))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(b))
}

// TestNoWriteSkew lets two transactions that read both keys write one each; one must see the other.
func (*suite) TestNoWriteSkew(t *testing.T, s store.Store) {
	for round := range 30 {
		x, y := fmt.Sprint("x", round), fmt.Sprint("y", round)
		var wg sync.WaitGroup
		for _, mine := range []string{x, y} {
			wg.Go(func() {
				err := s.Update(t.Context(), func(tx store.Txn) error {
					a, err := number(tx, x)
					if err != nil {
						return err
					}
					b, err := number(tx, y)
					if err != nil || a+b > 0 {
						return err
					}
					return add(tx, mine, 1)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := get(t, s, x) + get(t, s, y); got != "1<none>" && got != "<none>1" {
			t.Fatalf("both transactions wrote: %q", got)
		}
	}
}

// TestRangesHaveNoPhantoms lets transactions add a row only when the range is short of a bound.
func (*suite) TestRangesHaveNoPhantoms(t *testing.T, s store.Store) {
	const bound = 7
	for _, reverse := range []bool{false, true} {
		prefix := fmt.Appendf(nil, "rows%v/", reverse)
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				err := s.Update(t.Context(), func(tx store.Txn) error {
					n := 0
					span := store.Prefix(prefix)
					span.Reverse = reverse
					for _, err := range tx.Range(span) {
						if err != nil {
							return err
						}
						n++
					}
					if n < bound && i%2 == 0 {
						tx.Append(prefix, nil)
					} else if n < bound {
						tx.Set(fmt.Appendf(nil, "%s%d", prefix, i), nil)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		n := 0
		if err := s.View(t.Context(), func(r store.Reader) error {
			for _, err := range r.Range(store.Prefix(prefix)) {
				if err != nil {
					return err
				}
				n++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if n != bound {
			t.Errorf("%d rows, want %d", n, bound)
		}
	}
}

// TestDeleteRangeConflictsWithReaders makes a transaction run again when a range that it read from was deleted.
func (*suite) TestDeleteRangeConflictsWithReaders(t *testing.T, s store.Store) {
	put(t, s, "r/1", "1", "r/2", "2")
	runs := 0
	update(t, s, func(tx store.Txn) error {
		runs++
		_, err := tx.Get([]byte("r/2"))
		if runs == 1 {
			if err != nil {
				return err
			}
			update(t, s, func(other store.Txn) error { other.DeleteRange([]byte("r/"), []byte("r0")); return nil })
		} else if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("second run read %v", err)
		}
		tx.Set([]byte("seen"), []byte(strconv.Itoa(runs)))
		return nil
	})
	if got := get(t, s, "seen"); got != "2" {
		t.Errorf("the closure ran %s times, want 2", got)
	}
}

// TestDisjointRangesDoNotConflict runs a closure once when what changed lies beyond its limit.
func (*suite) TestDisjointRangesDoNotConflict(t *testing.T, s store.Store) {
	put(t, s, "q/1", "", "q/2", "", "q/3", "")
	runs := 0
	update(t, s, func(tx store.Txn) error {
		runs++
		if _, err := scan(tx, store.Span{Lo: []byte("q/"), Hi: []byte("q0"), Limit: 1}); err != nil {
			return err
		}
		put(t, s, "q/2", "changed", "q/9", "new")
		tx.Set([]byte("other"), nil)
		return nil
	})
	if runs != 1 {
		t.Errorf("the closure ran %d times, want 1", runs)
	}
}

type bankOp struct {
	read     bool
	from, to int
	amount   int
}

// TestHistoriesAreLinearizable checks recorded transfers and full reads against a sequential model.
func (*suite) TestHistoriesAreLinearizable(t *testing.T, s store.Store) {
	const accounts, clients, each = 4, 6, 20
	var mu sync.Mutex
	var history []porcupine.Operation
	var tick int64
	now := func() int64 {
		mu.Lock()
		defer mu.Unlock()
		tick++
		return tick
	}
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				op := bankOp{read: (c+i)%3 == 0, from: (c + i) % accounts, to: (c*3 + i*5 + 1) % accounts, amount: c + 1}
				call := now()
				out, err := runBank(t, s, op, accounts)
				if err != nil {
					t.Error(err)
					return
				}
				ret := now()
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: c, Input: op, Call: call, Output: out, Return: ret})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if !porcupine.CheckOperations(bankModel(accounts), history) {
		t.Error("the history is not linearizable")
	}
}

func runBank(t *testing.T, s store.Store, op bankOp, accounts int) (string, error) {
	var out bytes.Buffer
	read := func(r store.Reader) error {
		out.Reset()
		for i := range accounts {
			n, err := number(r, fmt.Sprint("account", i))
			if err != nil {
				return err
			}
			fmt.Fprint(&out, n, " ")
		}
		return nil
	}
	if op.read {
		err := s.View(t.Context(), read)
		return out.String(), err
	}
	err := s.Update(t.Context(), func(tx store.Txn) error {
		if err := add(tx, fmt.Sprint("account", op.from), -op.amount); err != nil {
			return err
		}
		return add(tx, fmt.Sprint("account", op.to), op.amount)
	})
	return "", err
}

func bankModel(accounts int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return make([]int, accounts) },
		Step: func(state, input, output any) (bool, any) {
			st, op := state.([]int), input.(bankOp)
			if op.read {
				var want strings.Builder
				for _, n := range st {
					want.WriteString(fmt.Sprint(n, " "))
				}
				return output == want.String(), st
			}
			next := append([]int(nil), st...)
			next[op.from] -= op.amount
			next[op.to] += op.amount
			return true, next
		},
		Equal: func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) },
	}
}
