package property

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Decode fills the struct that into points to from normalised values. Properties that the struct no longer has are left out,
// so that values recorded by an earlier version can be read.
func (s *Shape) Decode(v map[string]any, into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.Elem().Type() != s.typ {
		return fmt.Errorf("decode properties: target is %T, not *%s", into, s.typ)
	}
	return s.decode(v, target.Elem())
}

func (s *Shape) decode(v any, to reflect.Value) error {
	for to.Kind() == reflect.Pointer {
		if to.IsNil() {
			to.Set(reflect.New(to.Type().Elem()))
		}
		to = to.Elem()
	}
	switch s.kind {
	case anyKind:
		if v != nil {
			to.Set(reflect.ValueOf(v))
		}
		return nil
	case rawKind:
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("decode properties: %w", err)
		}
		to.SetBytes(raw)
		return nil
	case listKind:
		return s.decodeList(v, to)
	case mapKind:
		return s.decodeMap(v, to)
	case structKind:
		m, ok := v.(map[string]any)
		if !ok {
			return s.mismatch(v)
		}
		for k, x := range m {
			f := s.field(k)
			if f == nil {
				continue
			}
			if f == s.rest {
				rest := to.FieldByIndex(f.index)
				if rest.IsNil() {
					rest.Set(reflect.MakeMap(rest.Type()))
				}
				rest.SetMapIndex(reflect.ValueOf(k), reflect.ValueOf(&x).Elem())
				continue
			}
			if err := f.shape.decode(x, to.FieldByIndex(f.index)); err != nil {
				return fmt.Errorf("property %s: %w", k, err)
			}
		}
		return nil
	}
	return s.decodeScalar(v, to)
}

func (s *Shape) mismatch(v any) error {
	return fmt.Errorf("decode properties: %T is not a %s", v, s.typ)
}

func (s *Shape) decodeList(v any, to reflect.Value) error {
	list, ok := v.([]any)
	if !ok {
		return s.mismatch(v)
	}
	out := reflect.MakeSlice(to.Type(), len(list), len(list))
	for i, x := range list {
		if err := s.elem.decode(x, out.Index(i)); err != nil {
			return err
		}
	}
	to.Set(out)
	return nil
}

func (s *Shape) decodeMap(v any, to reflect.Value) error {
	m, ok := v.(map[string]any)
	if !ok {
		return s.mismatch(v)
	}
	out := reflect.MakeMapWithSize(to.Type(), len(m))
	for k, x := range m {
		e := reflect.New(to.Type().Elem()).Elem()
		if err := s.elem.decode(x, e); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(k).Convert(to.Type().Key()), e)
	}
	to.Set(out)
	return nil
}

func (s *Shape) decodeScalar(v any, to reflect.Value) error {
	switch x := v.(type) {
	case string:
		if s.kind == stringKind {
			to.SetString(x)
			return nil
		}
	case bool:
		if s.kind == boolKind {
			to.SetBool(x)
			return nil
		}
	case int64:
		if s.kind == intKind {
			to.SetInt(x)
			return nil
		}
		if s.kind == floatKind {
			to.SetFloat(float64(x))
			return nil
		}
	case float64:
		// Records that went through JSON hold every number as a float64.
		if s.kind == intKind {
			to.SetInt(int64(x))
			return nil
		}
		if s.kind == floatKind {
			to.SetFloat(x)
			return nil
		}
	}
	return s.mismatch(v)
}
