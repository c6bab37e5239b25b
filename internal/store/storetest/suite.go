// Package storetest is the conformance suite for drivers of package store.
//
// A driver's whole test is a call of [Run] with a function that opens an empty store. Durability after a
// power loss depends on the driver's disk and is tested beside the driver.
package storetest

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/store"
)

// Open returns an empty store, which the suite closes.
type Open func(t *testing.T) store.Store

// Run runs every test of the suite, each on a store of its own.
func Run(t *testing.T, open Open) {
	t.Helper()
	v := reflect.ValueOf(&suite{})
	for i := range v.NumMethod() {
		name := v.Type().Method(i).Name
		run, ok := v.Method(i).Interface().(func(*testing.T, store.Store))
		if !ok || !strings.HasPrefix(name, "Test") {
			continue
		}
		t.Run(strings.TrimPrefix(name, "Test"), func(t *testing.T) {
			s := open(t)
			defer closeStore(t, s)
			run(t, s)
		})
	}
}

type suite struct{}

func closeStore(t *testing.T, s store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// update runs fn, which must succeed.
func update(t *testing.T, s store.Store, fn func(tx store.Txn) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

// put sets pairs of keys and values.
func put(t *testing.T, s store.Store, kv ...string) {
	t.Helper()
	update(t, s, func(tx store.Txn) error {
		for i := 0; i < len(kv); i += 2 {
			tx.Set([]byte(kv[i]), []byte(kv[i+1]))
		}
		return nil
	})
}

// get returns the value of key in a view, or "<none>".
func get(t *testing.T, s store.Store, key string) string {
	t.Helper()
	out := "<none>"
	err := s.View(t.Context(), func(r store.Reader) error {
		v, err := r.Get([]byte(key))
		if err == nil {
			out = string(v)
			return nil
		}
		if strings.Contains(err.Error(), store.ErrNotFound.Error()) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatalf("View: %v", err)
	}
	return out
}

// scan returns the pairs of a range as "k=v k=v".
func scan(r store.Reader, span store.Span) (string, error) {
	var out []string
	for p, err := range r.Range(span) {
		if err != nil {
			return "", err
		}
		out = append(out, fmt.Sprintf("%s=%s", p.Key, p.Value))
	}
	return strings.Join(out, " "), nil
}

// Dump returns every pair of s in order, one "key=value" a line, quoted.
func Dump(ctx context.Context, s store.Store) (string, error) {
	var b strings.Builder
	err := s.View(ctx, func(r store.Reader) error {
		for p, err := range r.Range(store.Span{}) {
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%q=%q\n", p.Key, p.Value)
		}
		return nil
	})
	return b.String(), err
}
