package iam_test

import (
	"reflect"
	"testing"
)

// fill sets fields of a properties struct by name.
func fill(t testing.TB, props any, values map[string]any) {
	t.Helper()
	v := reflect.ValueOf(props).Elem()
	for name, value := range values {
		f := v.FieldByName(name)
		if !f.IsValid() {
			t.Fatalf("%T has no property %s", props, name)
		}
		f.Set(reflect.ValueOf(value))
	}
}
