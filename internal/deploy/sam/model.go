package sam

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// model says what a property with an inner structure must look like. Properties of newer resource types are checked as a whole, and all faults are found at once.
type model struct {
	// check finds the faults of a value.
	check func(v any) faults
}

// fault is one fault of a value, at a path.
type fault struct {
	path         []string
	message, typ string
}

type faults []fault

func oneFault(message, typ string) faults { return faults{{message: message, typ: typ}} }

// at moves faults to a key of a value around.
func (f faults) at(key string) faults {
	for i := range f {
		f[i].path = append([]string{key}, f[i].path...)
	}
	return f
}

func (f fault) where() string { return strings.Join(f.path, ".") }

// modelField is a property of an object.
type modelField struct {
	name     string
	model    model
	required bool
}

func modelOf(fits func(any) bool, message, typ string) model {
	return model{func(v any) faults {
		if fits(v) {
			return nil
		}
		return oneFault(message, typ)
	}}
}

var (
	anyModel    = model{func(any) faults { return nil }}
	textModel   = modelOf(func(v any) bool { return aText.fits(v) || isNumber(v) }, "str type expected", "type_error.str")
	boolModel   = modelOf(func(v any) bool { return isBool(v) || is(v, "true", "false", "True", "False") }, "value could not be parsed to a boolean", "type_error.bool")
	intModel    = modelOf(isWhole, "value is not a valid integer", "type_error.integer")
	numberModel = modelOf(isNumeric, "value is not a valid float", "type_error.float")
	mapModel    = modelOf(aMap.fits, "value is not a valid dict", "type_error.dict")
)

func isNumber(v any) bool {
	switch v.(type) {
	case int64, int, float64:
		return true
	}
	return false
}

func isNumeric(v any) bool {
	s, ok := text(v)
	_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return isNumber(v) || isBool(v) || ok && err == nil
}

func isWhole(v any) bool {
	s, ok := text(v)
	_, err := strconv.Atoi(strings.TrimSpace(s))
	return isNumber(v) || isBool(v) || ok && err == nil
}

func listModel(item model) model {
	return model{func(v any) faults {
		list, ok := v.([]any)
		if !ok {
			return oneFault("value is not a valid list", "type_error.list")
		}
		var out faults
		for i, e := range list {
			out = append(out, item.check(e).at(strconv.Itoa(i))...)
		}
		return out
	}}
}

func dictModel(value model) model {
	return model{func(v any) faults {
		d, ok := v.(*dict)
		if !ok {
			return oneFault("value is not a valid dict", "type_error.dict")
		}
		var out faults
		for k, e := range d.all() {
			out = append(out, value.check(e).at(k)...)
		}
		return out
	}}
}

// eitherModel takes what one of several models takes.
func eitherModel(models ...model) model {
	return model{func(v any) faults {
		var out faults
		for _, m := range models {
			f := m.check(v)
			if len(f) == 0 {
				return nil
			}
			out = append(out, f...)
		}
		return out
	}}
}

// orIntrinsic takes an intrinsic function, or any mapping, in the place of a value.
func orIntrinsic(m model) model { return eitherModel(mapModel, m) }

func objectModel(fields ...modelField) model {
	return model{func(v any) faults {
		d, ok := v.(*dict)
		if !ok {
			return oneFault("value is not a valid dict", "type_error.dict")
		}
		var out faults
		for _, f := range fields {
			switch v := d.get(f.name); {
			case v != nil:
				out = append(out, f.model.check(v).at(f.name)...)
			case f.required && !d.has(f.name):
				out = append(out, oneFault("field required", "value_error.missing").at(f.name)...)
			case f.required:
				out = append(out, oneFault("none is not an allowed value", "type_error.none.not_allowed").at(f.name)...)
			}
		}
		var extra []string
		for k := range d.all() {
			if !slices.ContainsFunc(fields, func(f modelField) bool { return f.name == k }) {
				extra = append(extra, k)
			}
		}
		slices.Sort(extra)
		for _, k := range extra {
			out = append(out, oneFault("extra fields not permitted", "value_error.extra").at(k)...)
		}
		return out
	}}
}

// optional are fields that need not be there and may be anything.
func optional(names ...string) []modelField {
	out := make([]modelField, len(names))
	for i, n := range names {
		out[i] = modelField{n, anyModel, false}
	}
	return out
}

// first is the error about the first fault.
func (f faults) first(id string) error {
	if len(f) == 0 {
		return nil
	}
	return invalid(id, "Property '%s' is invalid.", f[0].where())
}

// faultTypes are the words for the types that values were expected to have.
var faultTypes = map[string]string{"type_error.dict": "dictionary", "type_error.integer": "integer", "type_error.float": "number", "type_error.list": "list"}

// all is the error about all faults. Where a value may have several types there is one sentence for them.
func (f faults) all(id string) error {
	if len(f) == 0 {
		return nil
	}
	var order []string
	byPath := map[string]faults{}
	for _, one := range f {
		if byPath[one.where()] == nil {
			order = append(order, one.where())
		}
		byPath[one.where()] = append(byPath[one.where()], one)
	}
	var sentences []string
	for _, path := range order {
		var types []string
		for _, one := range byPath[path] {
			if t := faultTypes[one.typ]; t != "" && !slices.Contains(types, t) {
				types = append(types, t)
			}
		}
		first := byPath[path][0]
		switch {
		case len(types) > 1:
			sentences = append(sentences, fmt.Sprintf("Property '%s' value must be %s.", path, strings.Join(types, " or ")))
		case first.typ == "value_error.missing":
			sentences = append(sentences, fmt.Sprintf("Property '%s' is required.", path))
		case first.typ == "value_error.extra":
			sentences = append(sentences, fmt.Sprintf("Property '%s' is an invalid property.", path))
		default:
			sentences = append(sentences, fmt.Sprintf("Property '%s' %s.", path, strings.ToLower(first.message)))
		}
	}
	return invalid(id, "%s", strings.Join(sentences, " "))
}

// python is the error about all faults as AWS's transform shows that of its validator.
func (f faults) python(of string) string {
	var b strings.Builder
	s := "s"
	if len(f) == 1 {
		s = ""
	}
	fmt.Fprintf(&b, "%d validation error%s for %s", len(f), s, of)
	for _, one := range f {
		fmt.Fprintf(&b, "\n%s\n  %s (type=%s)", strings.Join(one.path, " -> "), one.message, one.typ)
	}
	return b.String()
}
