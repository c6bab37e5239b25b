package property

import (
	"encoding/json"
	"maps"
	"reflect"
)

// Encode returns the values of a struct of properties in the form of [Shape.Normalise], without those that can only be written. What is nil or empty is left out.
func (s *Shape) Encode(properties any) map[string]any {
	m, _ := s.encode(reflect.ValueOf(properties)).(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	return m
}

// encode returns nil for what is not set.
func (s *Shape) encode(v reflect.Value) any {
	set := false
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v, set = v.Elem(), true
	}
	switch s.kind {
	case anyKind:
		if v.IsNil() {
			return nil
		}
		return v.Interface()
	case rawKind:
		var x any
		if v.Len() == 0 || json.Unmarshal(v.Bytes(), &x) != nil {
			return nil
		}
		return x
	case listKind:
		return s.encodeList(v)
	case mapKind:
		return s.encodeMap(v)
	case structKind:
		return s.encodeStruct(v, set)
	case stringKind:
		if v.Len() == 0 {
			return nil
		}
		return v.String()
	case boolKind:
		return v.Bool()
	case intKind:
		return v.Int()
	}
	return v.Float()
}

func (s *Shape) encodeList(v reflect.Value) any {
	if v.Len() == 0 {
		return nil
	}
	out := make([]any, v.Len())
	for i := range out {
		out[i] = s.elem.encode(v.Index(i))
	}
	return out
}

func (s *Shape) encodeMap(v reflect.Value) any {
	if v.Len() == 0 {
		return nil
	}
	out := make(map[string]any, v.Len())
	for k, e := range v.Seq2() {
		if x := s.elem.encode(e); x != nil {
			out[k.String()] = x
		} else {
			out[k.String()] = "" // a map says by its keys too
		}
	}
	return out
}

// encodeStruct returns an empty object only for a struct that was set by a pointer.
func (s *Shape) encodeStruct(v reflect.Value, set bool) any {
	out := map[string]any{}
	for name, f := range s.fields {
		if f.writeOnly {
			continue
		}
		at := v.FieldByIndex(f.index)
		// A plain number or boolean that is not required has no way to be absent but its zero.
		if !f.required && at.IsZero() {
			continue
		}
		if x := f.shape.encode(at); x != nil {
			out[name] = x
		}
	}
	if s.rest != nil {
		rest, _ := s.rest.shape.encode(v.FieldByIndex(s.rest.index)).(map[string]any)
		maps.Copy(out, rest)
	}
	if len(out) == 0 && !set {
		return nil
	}
	return out
}

// Readable returns normalised properties without those that can only be written.
func (s *Shape) Readable(properties map[string]any) map[string]any {
	out, _ := s.readable(properties).(map[string]any)
	return out
}

func (s *Shape) readable(v any) any {
	switch x := v.(type) {
	case map[string]any:
		if s.kind != structKind && s.kind != mapKind {
			return v
		}
		out := make(map[string]any, len(x))
		for k, e := range x {
			switch f := s.field(k); {
			case s.kind == mapKind:
				out[k] = s.elem.readable(e)
			case f == nil || f.writeOnly:
			case f == s.rest:
				out[k] = e
			default:
				out[k] = f.shape.readable(e)
			}
		}
		return out
	case []any:
		if s.kind != listKind {
			return v
		}
		out := make([]any, len(x))
		for i := range x {
			out[i] = s.elem.readable(x[i])
		}
		return out
	}
	return v
}
