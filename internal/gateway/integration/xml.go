package integration

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// maxXMLDepth bounds the nesting of an answer that is turned into JSON.
const maxXMLDepth = 64

// element is an element of XML on its way to JSON.
type element struct {
	name string
	text strings.Builder
	// children are those by name, in their order.
	children []*element
}

// queryJSON turns the XML of a query API into the JSON that such services send to callers who accept it, as API Gateway does: an object of the root element, with texts as
// strings and repeated elements as lists. What is no XML stays as it is.
func queryJSON(body []byte) ([]byte, bool) {
	d := xml.NewDecoder(bytes.NewReader(body))
	root := &element{}
	stack := []*element{root}
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, false
		}
		top := stack[len(stack)-1]
		switch t := t.(type) {
		case xml.StartElement:
			if len(stack) > maxXMLDepth {
				return nil, false
			}
			e := &element{name: t.Name.Local}
			top.children = append(top.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text.Write(t)
		}
	}
	if len(root.children) != 1 {
		return nil, false
	}
	b, err := json.Marshal(root.value())
	return b, err == nil
}

// value is the element as JSON has it.
func (e *element) value() any {
	switch {
	case len(e.children) == 0 && e.name != "":
		return e.text.String()
	case len(e.children) > 0 && e.children[0].name == "member": // a list of the query protocol
		return list(e.children)
	}
	out := make(map[string]any, len(e.children))
	repeated := map[string][]*element{}
	for _, c := range e.children {
		repeated[c.name] = append(repeated[c.name], c)
	}
	for name, all := range repeated {
		if len(all) == 1 {
			out[name] = all[0].value()
			continue
		}
		out[name] = list(all)
	}
	return out
}

func list(all []*element) []any {
	out := make([]any, len(all))
	for i, c := range all {
		out[i] = c.value()
	}
	return out
}
