// Package members copies members of the same name between the structs of an API: of an input into a record, and of a record into an output.
//
// APIs spell one shape many times: the input that creates a thing, the one that changes it, and the outputs that show it have the
// same members, but for a pointer here and there. [Copy] knows all of them by their names. [Missing] lists what has no place, for the test that
// each pair of structs has: nothing that a caller gives may get lost in between.
package members

import (
	"fmt"
	"reflect"
)

// Copy copies the given members of the struct that src points to into those of the same name of the struct that dst points to. A member is given unless it
// is a nil pointer, slice or map, or an empty string: a false or a 0 that is no pointer is given. A value goes into a pointer to its type, and the
// other way round. Members that dst has not are left out. Pointers, slices and maps are shared with src.
//
// Members of the same name whose types are not the same are a mistake in the program, which the test with [Missing] finds; Copy leaves them out.
func Copy(dst, src any) {
	to, from := reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem()
	for i := range from.NumField() {
		f := from.Type().Field(i)
		v := from.Field(i)
		if !f.IsExported() || f.Anonymous || !given(v) {
			continue
		}
		target := to.FieldByName(f.Name)
		switch {
		case !target.IsValid():
		case target.Type() == v.Type():
			target.Set(v)
		case target.Kind() == reflect.Pointer && target.Type().Elem() == v.Type():
			p := reflect.New(v.Type())
			p.Elem().Set(v)
			target.Set(p)
		case v.Kind() == reflect.Pointer && v.Type().Elem() == target.Type():
			target.Set(v.Elem())
		case convertible(v.Type(), target.Type()):
			target.Set(v.Convert(target.Type()))
		}
	}
}

func given(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return !v.IsNil()
	case reflect.String:
		return v.Len() > 0
	}
	return true
}

// convertible reports whether two types are pointers to structs of the same members.
func convertible(a, b reflect.Type) bool {
	return a.Kind() == reflect.Pointer && b.Kind() == reflect.Pointer && a.Elem().Kind() == reflect.Struct && a.ConvertibleTo(b)
}

// Missing returns the names of the members of src's struct that [Copy] would not copy into dst's; both are pointers to structs.
func Missing(dst, src any) (names []string) {
	to, from := reflect.TypeOf(dst).Elem(), reflect.TypeOf(src).Elem()
	for f := range from.Fields() {
		if !f.IsExported() || f.Anonymous {
			continue
		}
		t, ok := to.FieldByName(f.Name)
		if !ok {
			names = append(names, f.Name)
			continue
		}
		a, b := f.Type, t.Type
		if a != b && (b.Kind() != reflect.Pointer || b.Elem() != a) && (a.Kind() != reflect.Pointer || a.Elem() != b) && !convertible(a, b) {
			names = append(names, fmt.Sprintf("%s (%s is no %s)", f.Name, a, b))
		}
	}
	return names
}
