package reshape

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// To returns a new T with what the sources say; later ones win.
func To[T any](sources ...any) *T {
	t := new(T)
	for _, from := range sources {
		set(reflect.ValueOf(t).Elem(), reflect.ValueOf(from))
	}
	return t
}

// Document returns the value of a text that holds a JSON object or array, and any other text as it is; nil for the empty one.
func Document(text string) any {
	if text == "" {
		return nil
	}
	var v any
	if (text[0] == '{' || text[0] == '[') && json.Unmarshal([]byte(text), &v) == nil {
		return v
	}
	return text
}

// set copies from into to, and tells whether from said anything that to could take.
func set(to, from reflect.Value) bool {
	for from.IsValid() && (from.Kind() == reflect.Pointer || from.Kind() == reflect.Interface) {
		from = from.Elem()
	}
	if !from.IsValid() || silent(from) {
		return false
	}
	if to.Kind() == reflect.Pointer {
		fresh := to.IsNil()
		value := reflect.New(to.Type().Elem())
		if !fresh {
			value = to
		}
		if !set(value.Elem(), from) && !(emptyStruct(from) && value.Elem().Kind() == reflect.Struct) {
			return false
		}
		to.Set(value)
		return true
	}
	switch to.Kind() {
	case reflect.Interface:
		return setAny(to, from)
	case reflect.Struct:
		return setStruct(to, from)
	case reflect.Slice:
		return setList(to, from)
	case reflect.Map:
		return setMap(to, from)
	}
	return setScalar(to, from)
}

// silent tells whether a value says nothing.
func silent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return false
}

// emptyStruct tells whether a struct is there to be empty, such as an action without parameters.
func emptyStruct(v reflect.Value) bool { return v.Kind() == reflect.Struct && v.IsZero() }

func setAny(to, from reflect.Value) bool {
	switch from.Kind() {
	case reflect.String:
		to.Set(reflect.ValueOf(Document(from.String())))
	case reflect.Slice:
		if b, ok := from.Interface().(json.RawMessage); ok {
			to.Set(reflect.ValueOf(Document(string(b))))
			return true
		}
		list := make([]any, from.Len())
		for i := range list {
			setAny(reflect.ValueOf(&list[i]).Elem(), reflect.Indirect(from.Index(i)))
		}
		to.Set(reflect.ValueOf(list))
	case reflect.Map, reflect.Struct:
		m := map[string]any{}
		for k, v := range members(from) {
			var x any
			if set(reflect.ValueOf(&x).Elem(), v) {
				m[k] = x
			}
		}
		to.Set(reflect.ValueOf(m))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		to.Set(reflect.ValueOf(from.Int()))
	default:
		to.Set(from)
	}
	return true
}

// members returns the fields of a struct or the entries of a map.
func members(v reflect.Value) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				out[f.Name] = v.Field(i)
			}
		}
	case reflect.Map:
		for k, e := range v.Seq2() {
			out[k.String()] = e
		}
	}
	return out
}

func setStruct(to, from reflect.Value) bool {
	if from.Kind() != reflect.Struct && from.Kind() != reflect.Map {
		return false
	}
	byName := map[string]reflect.Value{}
	for k, v := range members(from) {
		byName[strings.ToLower(k)] = v
	}
	return setFields(to, byName)
}

func setFields(to reflect.Value, from map[string]reflect.Value) bool {
	said := false
	for i := range to.NumField() {
		f := to.Type().Field(i)
		tag := f.Tag.Get("cfn")
		if f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct {
			said = setFields(to.Field(i), from) || said
			continue
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, _, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		said = set(to.Field(i), from[strings.ToLower(name)]) || said
	}
	return said
}

// ours tells whether a tag is one of the platform.
func ours(key string) bool { return strings.HasPrefix(key, "aws:") }

// pair returns the fields Key and Value of an element of a list of tags.
func pair(t reflect.Type) (key, value int, ok bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.NumField() < 2 {
		return 0, 0, false
	}
	k, hasKey := fieldNamed(t, "key")
	v, hasValue := fieldNamed(t, "value")
	return k, v, hasKey && hasValue
}

func fieldNamed(t reflect.Type, name string) (int, bool) {
	for i := range t.NumField() {
		if n := strings.ToLower(t.Field(i).Name); n == name || n == "tag"+name {
			return i, true
		}
	}
	return 0, false
}

func setList(to, from reflect.Value) bool {
	key, value, pairs := pair(to.Type().Elem())
	if from.Kind() == reflect.Map && pairs {
		entries := map[string]reflect.Value{}
		for k, v := range members(from) {
			if !ours(k) {
				entries[k] = v
			}
		}
		out := reflect.MakeSlice(to.Type(), 0, len(entries))
		for _, k := range slices.Sorted(maps.Keys(entries)) {
			e := reflect.New(to.Type().Elem()).Elem()
			set(e.Field(key), reflect.ValueOf(k))
			set(e.Field(value), entries[k])
			out = reflect.Append(out, e)
		}
		return keep(to, out)
	}
	if from.Kind() != reflect.Slice || to.Type().Elem().Kind() == reflect.Uint8 {
		return false
	}
	out := reflect.MakeSlice(to.Type(), 0, from.Len())
	for i := range from.Len() {
		e := reflect.New(to.Type().Elem()).Elem()
		set(e, from.Index(i))
		if pairs && ours(text(e.Field(key))) {
			continue
		}
		out = reflect.Append(out, e)
	}
	return keep(to, out)
}

func keep(to, out reflect.Value) bool {
	if out.Len() == 0 {
		return false
	}
	to.Set(out)
	return true
}

func text(v reflect.Value) string {
	if v = reflect.Indirect(v); v.IsValid() && v.Kind() == reflect.String {
		return v.String()
	}
	return ""
}

func setMap(to, from reflect.Value) bool {
	entries := map[string]reflect.Value{}
	switch from.Kind() {
	case reflect.Map:
		entries = members(from)
	case reflect.Slice:
		key, value, ok := pair(from.Type().Elem())
		if !ok {
			return false
		}
		for i := range from.Len() {
			if e := reflect.Indirect(from.Index(i)); !ours(text(e.Field(key))) {
				entries[text(e.Field(key))] = e.Field(value)
			}
		}
	}
	out := reflect.MakeMapWithSize(to.Type(), len(entries))
	for k, v := range entries {
		e := reflect.New(to.Type().Elem()).Elem()
		set(e, v)
		if !ours(k) {
			out.SetMapIndex(reflect.ValueOf(k).Convert(to.Type().Key()), e)
		}
	}
	return keep(to, out)
}

func setScalar(to, from reflect.Value) bool {
	var written string
	switch from.Kind() {
	case reflect.String:
		written = from.String()
	case reflect.Bool:
		written = strconv.FormatBool(from.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		written = strconv.FormatInt(from.Int(), 10)
	case reflect.Float32, reflect.Float64:
		written = strconv.FormatFloat(from.Float(), 'f', -1, 64)
	default:
		return false
	}
	switch to.Kind() {
	case reflect.String:
		to.SetString(written)
		return true
	case reflect.Bool:
		b, err := strconv.ParseBool(written)
		to.SetBool(b)
		return err == nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(written, 10, 64)
		to.SetInt(n)
		return err == nil
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(written, 64)
		to.SetFloat(n)
		return err == nil
	}
	return false
}
