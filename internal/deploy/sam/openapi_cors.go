package sam

import (
	"errors"
	"fmt"
	"strings"
)

// corsKeys are the properties of CorsConfiguration with their names in definitions, in the order in which they are written.
var corsKeys = [][2]string{
	{"AllowOrigins", "allowOrigins"},
	{"AllowHeaders", "allowHeaders"},
	{"AllowMethods", "allowMethods"},
	{"ExposeHeaders", "exposeHeaders"},
	{"MaxAge", "maxAge"},
	{"AllowCredentials", "allowCredentials"},
}

// addCORS writes the CORS configuration: a mapping of properties, or a function that has such in it.
func (o *openAPI) addCORS(given *dict) error {
	out := o.doc.dict(keyCORS)
	if out == nil {
		if o.doc.has(keyCORS) {
			return invalidDocument("Value of '%s' must be a dictionary according to Swagger spec.", keyCORS)
		}
		out = newDict()
	}
	if isIntrinsic(given.get("AllowOrigins")) {
		out.update(lowerCORS(given.get("AllowOrigins")).(*dict))
		o.doc.set(keyCORS, out)
		return nil
	}
	for _, k := range corsKeys {
		v := given.get(k[0])
		set := truthy(v)
		switch k[0] {
		case "MaxAge":
			set = v != nil
		case "AllowCredentials":
			set = v == true
		}
		if set {
			out.set(k[1], v)
		}
	}
	o.doc.set(keyCORS, out)
	return nil
}

// lowerCORS replaces the names of properties anywhere in a value.
func lowerCORS(v any) any {
	lower := func(s string) string {
		for _, k := range corsKeys {
			s = strings.ReplaceAll(s, k[0], k[1])
		}
		return s
	}
	switch x := v.(type) {
	case *dict:
		out := newDict()
		for k, e := range x.all() {
			out.set(lower(k), lowerCORS(e))
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = lowerCORS(e)
		}
		return out
	}
	if s, ok := text(v); ok {
		return lower(s)
	}
	return v
}

// pythonType is the name that Python has for the type of a value.
func pythonType(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case *dict:
		return "dict"
	case []any:
		return "list"
	case bool:
		return "bool"
	case float64:
		return "float"
	case string:
		return "str"
	case unicode:
		return "Py27UniStr"
	}
	return "int"
}

// messages joins the messages of a fault of a whole document.
func messages(err error) string {
	var d *document
	if !errors.As(err, &d) {
		return fmt.Sprint(err)
	}
	list := make([]string, len(d.problems))
	for i, p := range d.problems {
		list[i] = p.message
	}
	return strings.Join(list, " ")
}
