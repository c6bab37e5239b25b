package iam

import (
	"encoding/base64"
	"slices"
	"strings"
)

// defaultPage is how many elements a list returns when MaxItems is not given.
const defaultPage = 100

// page returns the elements behind the marker, which is the name of the last one returned,
// and the marker for the rest. items are in the order of name without case.
func page[T any](items []T, marker *string, size *int32, name func(*T) string) (out []T, truncated *bool, next *string, err error) {
	if marker != nil {
		raw, err := base64.RawURLEncoding.DecodeString(*marker)
		if err != nil {
			return nil, nil, nil, fail("ValidationError", 400, "Invalid Marker.")
		}
		i, found := slices.BinarySearchFunc(items, strings.ToLower(string(raw)), func(it T, last string) int {
			return strings.Compare(strings.ToLower(name(&it)), last)
		})
		if found {
			i++
		}
		items = items[i:]
	}
	n := defaultPage
	if size != nil {
		n = max(int(*size), 1)
	}
	if len(items) <= n {
		return items, ptr(false), nil, nil
	}
	items = items[:n]
	last := base64.RawURLEncoding.EncodeToString([]byte(name(&items[n-1])))
	return items, ptr(true), &last, nil
}

// mapped returns fn of every element.
func mapped[T, U any](items []T, fn func(*T) U) []U {
	out := make([]U, 0, len(items))
	for i := range items {
		out = append(out, fn(&items[i]))
	}
	return out
}

func byText(s *string) string { return *s }
