package wire

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
)

// maxViolations is how many broken constraints an error lists.
const maxViolations = 10

// Validate checks an input against the model's constraints: required members
// (which Decode noted), lengths, ranges, patterns and enumerations. The error
// has the code and the wording of the API's service.
func (o *Operation) Validate(req *Request, in any) error {
	d := o.API.dialect
	if !d.validates || o.Schema.Input == nil {
		return nil
	}
	p, err := o.compile()
	if err != nil {
		return err
	}
	v := &validator{patterns: &o.API.patterns, dialect: &o.API.dialect, found: req.violations}
	if len(req.violations) > 0 {
		v.missing = make(map[string]bool, len(req.violations))
	}
	for _, m := range req.violations {
		v.missing[m.path] = true
	}
	v.structure(p.input.node, reflect.ValueOf(in).Elem())
	if d.namesInput {
		v.nameInput(o.Name)
	}
	found := v.found
	if d.wording != nil {
		found = found[:0]
		for i := range v.found {
			message, own := d.wording(o.Name, &v.found[i])
			if message != "" {
				return badRequest(d.invalid, "%s", message)
			}
			if !own {
				found = append(found, v.found[i])
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return d.violationError(found)
}

// violationError words broken constraints as AWS does.
func (d *dialect) violationError(found []violation) error {
	if d.plainMissing && found[0].missing {
		name := found[0].path
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			name = name[i+1:]
		}
		return badRequest(d.missing, "The request must contain the parameter %s.", strings.ToUpper(name[:1])+name[1:])
	}
	texts := make([]string, 0, len(found))
	for _, f := range found {
		value := "Value " + f.value + " at"
		if f.hidden {
			value = "Value at"
		}
		texts = append(texts, fmt.Sprintf("%s '%s' failed to satisfy constraint: %s", value, f.path, f.rule))
	}
	noun := "errors"
	if len(texts) == 1 {
		noun = "error"
	}
	code := d.invalid
	if found[0].missing {
		code = d.missing
	}
	return &service.Error{
		Code: code, Status: http.StatusBadRequest,
		Message: fmt.Sprintf("%d validation %s detected: %s", len(texts), noun, strings.Join(texts, "; ")),
	}
}

type validator struct {
	trail
	patterns *patterns
	dialect  *dialect
	missing  map[string]bool
	found    []violation
}

func (v *validator) structure(n *node, value reflect.Value) {
	for i := range n.fields {
		f := &n.fields[i]
		if !f.checked() {
			continue
		}
		item, present := f.value(value)
		if f.Required && (!present || nilable(item) && item.IsNil()) {
			v.absent(f)
			continue
		}
		if !present || f.Required && len(v.missing) > 0 && v.missing[v.path(f.Name)] {
			continue
		}
		before := len(v.found)
		v.push(f.Name)
		v.value(f, item)
		v.pop()
		if len(v.steps) == 0 && f.Location == awsapi.Body {
			for j := before; j < len(v.found); j++ {
				v.found[j].body = true
			}
		}
	}
}

// nameInput puts the name of an operation's input in front of what is wrong in its body, and that in front of the rest.
func (v *validator) nameInput(operation string) {
	for i := range v.found {
		if f := &v.found[i]; f.body && !f.missing {
			f.path = lowerFirst(operation) + "Input." + f.path
		}
	}
	order.Stable(v.found, func(a, b violation) int {
		switch {
		case a.body == b.body:
			return 0
		case a.body:
			return -1
		}
		return 1
	})
}

// absent records a required member that is not there, unless Decode did: calls
// inside of the process have no Decode.
func (v *validator) absent(f *field) {
	if path := v.path(f.Name); !v.missing[path] {
		v.found = append(v.found, violation{path: path, value: "null", rule: "Member must not be null", missing: true})
	}
}

func nilable(v reflect.Value) bool {
	return v.Kind() == reflect.Slice || v.Kind() == reflect.Map || v.Kind() == reflect.Pointer
}

// checked reports whether anything below the field can break a constraint.
func (f *field) checked() bool {
	switch f.kind {
	case awsapi.Structure, awsapi.List, awsapi.Map:
		return len(f.fields) > 0 || f.element != nil
	case awsapi.Opaque, awsapi.Document:
		return f.Required
	}
	return f.typ.Kind() != reflect.Interface && f.shape.Constrained()
}

func (v *validator) value(f *field, value reflect.Value) {
	if len(v.found) >= maxViolations || v.tooDeep() {
		return
	}
	s := f.shape
	switch f.kind {
	case awsapi.Structure:
		v.structure(f.node, value)
	case awsapi.List:
		v.length(f, value, float64(value.Len()))
		if !f.element.checked() {
			return
		}
		if v.dialect.wholeLists && f.element.scalar() {
			v.members(f, value)
			return
		}
		for i := range value.Len() {
			if item, present := f.element.item(value.Index(i)); present {
				v.pushIndex(i)
				v.value(f.element, item)
				v.pop()
			}
		}
	case awsapi.Map:
		v.mapping(f, value)
	case awsapi.String:
		v.text(f, value.String())
	case awsapi.Blob:
		v.length(f, value, float64(value.Len()))
	case awsapi.Integer, awsapi.Long:
		v.within(value, float64(value.Int()), s)
	case awsapi.Float, awsapi.Double:
		v.within(value, value.Float(), s)
	}
}

func (v *validator) mapping(f *field, value reflect.Value) {
	v.length(f, value, float64(value.Len()))
	if !f.key.checked() && !f.element.checked() {
		return
	}
	if v.dialect.wholeLists && f.element.scalar() {
		v.entries(f, value)
		return
	}
	for _, key := range sortedKeys(value) {
		if f.key.checked() {
			before := len(v.found)
			v.text(f.key, key.String())
			if len(v.found) > before {
				last := &v.found[len(v.found)-1]
				last.rule = fmt.Sprintf("Map keys must satisfy constraint: [%s]", last.rule)
			}
		}
		if item, present := f.element.item(value.MapIndex(key)); present && f.element.checked() {
			v.push("\x00" + key.String())
			v.value(f.element, item)
			v.pop()
		}
	}
}

func (v *validator) text(f *field, text string) {
	s := f.shape
	shown := "'" + text + "'"
	if s.Min != nil || s.Max != nil {
		length := float64(utf8.RuneCountInString(text))
		if s.Min != nil && length < *s.Min {
			v.add(s, shown, "Member must have length greater than or equal to %v", *s.Min)
		}
		if s.Max != nil && length > *s.Max {
			v.add(s, shown, "Member must have length less than or equal to %v", *s.Max)
		}
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) && (v.dialect.openEnum == "" || v.path("") != v.dialect.openEnum) {
		v.add(s, shown, "Member must satisfy enum value set: [%s]", strings.Join(s.Enum, ", "))
	}
	if s.Pattern == "" {
		return
	}
	if re := v.patterns.get(s); re != nil && !re.MatchString(text) {
		v.add(s, shown, "Member must satisfy regular expression pattern: %s", s.Pattern)
	}
}

func (v *validator) length(f *field, value reflect.Value, length float64) {
	s := f.shape
	if s.Min != nil && length < *s.Min {
		v.add(s, showList(value), "Member must have length greater than or equal to %v", *s.Min)
	}
	if s.Max != nil && length > *s.Max {
		v.add(s, showList(value), "Member must have length less than or equal to %v", *s.Max)
	}
}

func (v *validator) within(value reflect.Value, n float64, s *awsapi.Shape) {
	shown := fmt.Sprintf("'%v'", value.Interface())
	if s.Min != nil && n < *s.Min {
		v.add(s, shown, "Member must have value greater than or equal to %v", *s.Min)
	}
	if s.Max != nil && n > *s.Max {
		v.add(s, shown, "Member must have value less than or equal to %v", *s.Max)
	}
}

// add records a broken constraint. Numbers in rules are written out in full.
func (v *validator) add(s *awsapi.Shape, shown, rule string, arg any) {
	if n, ok := arg.(float64); ok {
		arg = formatFloat(n, 64)
	}
	v.found = append(v.found, violation{
		path: v.path(""), value: shown, hidden: s.Sensitive || len(shown) > maxShown, rule: fmt.Sprintf(rule, arg),
	})
}

// maxShown is the longest value that an error repeats, in bytes.
const maxShown = 1024

// showList shows a list of strings as AWS does, and nothing of other ones.
func showList(v reflect.Value) string {
	if v.Type().ConvertibleTo(typeStrings) && v.Kind() == reflect.Slice {
		items, _ := v.Convert(typeStrings).Interface().([]string)
		return "'[" + strings.Join(items, ", ") + "]'"
	}
	if v.Len() == 0 {
		if v.Kind() == reflect.Map {
			return "'{}'"
		}
		return "'[]'"
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return "''"
	}
	return "'" + string(b) + "'"
}
