// Package record keeps typed JSON records in the store: what most resources of a service are.
//
// A record is encoded with encoding/json, so a type may grow fields without a migration: a field
// that a stored record lacks has its zero value. Hot rows (items, objects) have codecs of their own
// and use the store directly.
package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"lambent.dev/lambent/internal/store"
)

// Row is one record with its key, which is valid until the closure of its transaction returns.
type Row[T any] struct {
	Key   []byte
	Value T
}

// Get returns the record at key, and whether there is one.
func Get[T any](r store.Reader, key []byte) (T, bool, error) {
	var v T
	ok, err := get(r, key, &v)
	return v, ok, err
}

// get decodes the record at key into v. It is not generic, so that the compiler makes its code once.
func get(r store.Reader, key []byte, v any) (bool, error) {
	b, err := r.Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = decode(key, b, v)
	return err == nil, err
}

// decode sets v, a pointer, to the record b at key.
func decode(key, b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode record %q: %w", key, err)
	}
	return nil
}

// Has reports whether there is a value at key.
func Has(r store.Reader, key []byte) (bool, error) {
	_, err := r.Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Set writes v at key.
func Set[T any](tx store.Txn, key []byte, v T) error { return set(tx, key, v) }

func set(tx store.Txn, key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode record %q: %w", key, err)
	}
	tx.Set(key, b)
	return nil
}

// Append writes v at prefix and the stamp of the commit; see [store.Txn].
func Append[T any](tx store.Txn, prefix []byte, v T) error { return add(tx, prefix, v) }

func add(tx store.Txn, prefix []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode record under %q: %w", prefix, err)
	}
	tx.Append(prefix, b)
	return nil
}

// Range yields the records of span in order. It ends after the first error.
func Range[T any](r store.Reader, span store.Span) iter.Seq2[Row[T], error] {
	return func(yield func(Row[T], error) bool) {
		for p, err := range r.Range(span) {
			row := Row[T]{Key: p.Key}
			if err == nil {
				err = decode(p.Key, p.Value, &row.Value)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// List returns the records of span.
func List[T any](r store.Reader, span store.Span) ([]T, error) {
	var out []T
	err := each(r, span, func() any {
		var v T
		out = append(out, v)
		return &out[len(out)-1]
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// each decodes the records of span, each into what next returns for it.
func each(r store.Reader, span store.Span, next func() any) error {
	for p, err := range r.Range(span) {
		if err != nil {
			return err
		}
		if err := decode(p.Key, p.Value, next()); err != nil {
			return err
		}
	}
	return nil
}
