package property

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Shape is the schema of a value.
type Shape struct {
	kind   kind
	typ    reflect.Type
	elem   *Shape
	fields map[string]*field
	// rest is the field that takes all other properties; nil refuses them.
	rest *field
}

type kind uint8

const (
	anyKind kind = iota
	rawKind
	stringKind
	boolKind
	intKind
	floatKind
	listKind
	mapKind
	structKind
)

type field struct {
	name                            string
	index                           []int
	required, createOnly, writeOnly bool
	// unordered tells that the order of the list's elements says nothing.
	unordered bool
	shape     *Shape
}

// Of returns the shape of the properties that newProperties makes, which must be a pointer to a struct.
func Of(properties any) (*Shape, error) {
	t := reflect.TypeOf(properties)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("properties are a %T, not a pointer to a struct", properties)
	}
	return shapeOf(t.Elem(), map[reflect.Type]*Shape{})
}

var rawType = reflect.TypeFor[json.RawMessage]()

func shapeOf(t reflect.Type, seen map[reflect.Type]*Shape) (*Shape, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if s, ok := seen[t]; ok {
		return s, nil
	}
	s := &Shape{typ: t}
	seen[t] = s
	if t == rawType {
		s.kind = rawKind
		return s, nil
	}
	var err error
	switch t.Kind() {
	case reflect.Interface:
		s.kind = anyKind
	case reflect.String:
		s.kind = stringKind
	case reflect.Bool:
		s.kind = boolKind
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.kind = intKind
	case reflect.Float32, reflect.Float64:
		s.kind = floatKind
	case reflect.Slice:
		s.kind = listKind
		s.elem, err = shapeOf(t.Elem(), seen)
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return nil, fmt.Errorf("property type %s: keys are not strings", t)
		}
		s.kind = mapKind
		s.elem, err = shapeOf(t.Elem(), seen)
	case reflect.Struct:
		s.kind, s.fields = structKind, map[string]*field{}
		err = s.addFields(t, nil, seen)
	default:
		err = fmt.Errorf("property type %s is not supported", t)
	}
	return s, err
}

func (s *Shape) addFields(t reflect.Type, index []int, seen map[reflect.Type]*Shape) error {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clone(index), i)
		tag := f.Tag.Get("cfn")
		if f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct {
			if err := s.addFields(f.Type, at, seen); err != nil {
				return err
			}
			continue
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		inner, err := shapeOf(f.Type, seen)
		if err != nil {
			return fmt.Errorf("property %s: %w", name, err)
		}
		d := &field{name: name, index: at, shape: inner, unordered: name == "Tags"}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "required":
				d.required = true
			case "createOnly":
				d.createOnly = true
			case "writeOnly":
				d.writeOnly = true
			case "unordered":
				d.unordered = true
			case "":
			default:
				return fmt.Errorf("property %s: unknown option %q in its cfn tag", name, option)
			}
		}
		if name == "*" {
			s.rest = d
			continue
		}
		s.fields[name] = d
	}
	return nil
}

// Has tells whether the shape is a struct with a property of that name.
func (s *Shape) Has(name string) bool { return s.fields[name] != nil }

// field returns the field that a property goes to, or nil.
func (s *Shape) field(name string) *field {
	if f := s.fields[name]; f != nil {
		return f
	}
	return s.rest
}
