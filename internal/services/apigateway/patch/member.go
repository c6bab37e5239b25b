package patch

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/service"
)

// Text sets an optional text; an empty value removes it.
func Text[T any](member func(t *T) **string) func(t *T, e Edit) error {
	return func(t *T, e Edit) error {
		*member(t) = nil
		if e.Op != "remove" && e.Text() != "" {
			*member(t) = e.Value
		}
		return nil
	}
}

// Plain sets a text that is never missing.
func Plain[T any](member func(t *T) *string) func(t *T, e Edit) error {
	return func(t *T, e Edit) error {
		*member(t) = ""
		if e.Op != "remove" {
			*member(t) = e.Text()
		}
		return nil
	}
}

// Bool sets an optional boolean. Any value but true is false, as on AWS.
func Bool[T any](member func(t *T) **bool) func(t *T, e Edit) error {
	return func(t *T, e Edit) error {
		v := IsTrue(e)
		*member(t) = &v
		return nil
	}
}

// IsTrue tells whether the value of an edit is the boolean true.
func IsTrue(e Edit) bool { return strings.EqualFold(e.Text(), "true") }

// Int sets an optional number within limits; complaint is the error's message.
func Int[T any](member func(t *T) **int32, least, most int64, complaint string) func(t *T, e Edit) error {
	return func(t *T, e Edit) error {
		if e.Op == "remove" {
			*member(t) = nil
			return nil
		}
		n, err := strconv.ParseInt(e.Text(), 10, 32)
		if err != nil || n < least || n > most {
			return refuse("%s", complaint)
		}
		v := int32(n)
		*member(t) = &v
		return nil
	}
}

// Number reads the value of an edit as a number that is not negative.
func Number(e Edit) (float64, error) {
	v, err := strconv.ParseFloat(e.Text(), 64)
	if err != nil || !(v >= 0 && v <= 1e12) {
		return 0, refuse("Invalid value %q for %s: give a number that is not negative.", e.Text(), e.Path)
	}
	return v, nil
}

// Map adds, replaces or removes an entry of a map. missing is the error's message when the entry is not there.
func Map[T any](member func(t *T) *map[string]string, missing string) func(t *T, e Edit) error {
	return entries(member, missing, func(e Edit) (string, error) { return e.Text(), nil })
}

// Flags is Map for entries that are booleans.
func Flags[T any](member func(t *T) *map[string]bool, missing string) func(t *T, e Edit) error {
	return entries(member, missing, func(e Edit) (bool, error) { return IsTrue(e), nil })
}

// FilledMap is Map for entries that may not be empty; name is that of the map.
func FilledMap[T any](member func(t *T) *map[string]string, missing, name string) func(t *T, e Edit) error {
	return entries(member, missing, func(e Edit) (string, error) {
		if e.Text() == "" {
			return "", refuse("Invalid null or empty value in %s", name)
		}
		return e.Text(), nil
	})
}

func entries[T, V any](member func(t *T) *map[string]V, missing string, read func(e Edit) (V, error)) func(t *T, e Edit) error {
	return func(t *T, e Edit) error {
		m := member(t)
		name := e.Args[len(e.Args)-1]
		if _, ok := (*m)[name]; e.Op == "remove" || e.Op == "replace" && missing != "" {
			if e.Op == "replace" {
				if _, err := read(e); err != nil {
					return err
				}
			}
			if !ok && missing != "" {
				return &service.Error{Code: "NotFoundException", Status: 404, Message: missing}
			}
		}
		changed := maps.Clone(*m)
		if changed == nil {
			changed = map[string]V{}
		}
		if e.Op == "remove" {
			delete(changed, name)
		} else {
			v, err := read(e)
			if err != nil {
				return err
			}
			changed[name] = v
		}
		if *m = changed; len(changed) == 0 {
			*m = nil
		}
		return nil
	}
}

// Set adds, replaces or removes an element of a list without order. The element is named by the path, or by the value where the path ends with the list. A
// replaced element is the path's, and the value takes its place at the end.
func Set[T any](member func(t *T) *[]string) func(t *T, e Edit) error {
	return func(t *T, e Edit) error {
		list := member(t)
		name, value := e.Text(), e.Text()
		if len(e.Args) > 0 {
			name = e.Args[0]
		}
		if value == "" || e.Op != "replace" {
			value = name
		}
		changed := slices.DeleteFunc(slices.Clone(*list), func(s string) bool { return s == name || s == value })
		if e.Op != "remove" {
			changed = append(changed, value)
		}
		*list = changed
		return nil
	}
}
