package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/awsapi"
)

// maxElements bounds the elements of a request document: a bucket's deletion
// list of 1,000 keys has about 3,000, a multipart completion about 50,000.
const maxElements = 1 << 18

// element is one element of an XML document.
type element struct {
	name     string
	attrs    []xml.Attr
	text     strings.Builder
	children []*element
}

// parseXML reads a document into a tree. Names lose their namespaces, as AWS
// does not tell elements apart by them; document type declarations are refused.
func parseXML(data []byte) (*element, error) {
	dec := xml.NewDecoder(bytes.NewReader(data))
	var root *element
	var stack []*element
	for count := 0; ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &syntaxError{err.Error(), int(dec.InputOffset())}
		}
		switch t := token.(type) {
		case xml.StartElement:
			if count++; count > maxElements || len(stack) > maxDepth {
				return nil, &syntaxError{"the document has too many elements", int(dec.InputOffset())}
			}
			e := &element{name: t.Name.Local, attrs: t.Attr}
			if len(stack) > 0 {
				parent := stack[len(stack)-1]
				parent.children = append(parent.children, e)
			} else if root == nil {
				root = e
			} else {
				return nil, &syntaxError{"the document has more than one root element", int(dec.InputOffset())}
			}
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text.Write(t)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, &syntaxError{"the document has text outside of its root element", int(dec.InputOffset())}
			}
		case xml.Directive:
			return nil, &syntaxError{"document type declarations are not accepted", int(dec.InputOffset())}
		}
	}
	if root == nil {
		return nil, &syntaxError{"the document has no element", 0}
	}
	return root, nil
}

// xmlDecoder fills a struct from a tree.
type xmlDecoder struct {
	trail

	// strict refuses elements that the model does not know.
	strict bool
}

func (d *xmlDecoder) value(f *field, v reflect.Value, e *element) error {
	switch f.kind {
	case awsapi.Structure:
		return d.structure(f.node, v, e)
	case awsapi.List:
		for _, child := range e.children {
			if want := firstOf(f.element.WireName, "member"); d.strict && child.name != want {
				return &syntaxError{"unknown element " + strconv.Quote(child.name) + " in a list of " + want, 0}
			}
			if err := d.listElement(f.node, v, child); err != nil {
				return err
			}
		}
		if v.IsNil() {
			v.Set(reflect.MakeSlice(f.typ, 0, 0))
		}
		return nil
	case awsapi.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(f.typ))
		}
		for _, entry := range e.children {
			if err := d.entry(f.node, v, entry); err != nil {
				return err
			}
		}
		return nil
	}
	if err := f.setText(v, e.text.String()); err != nil {
		return &mismatch{fmt.Sprintf("%s: %v", d.path(""), err)}
	}
	return nil
}

func (d *xmlDecoder) structure(n *node, v reflect.Value, e *element) error {
	if d.tooDeep() {
		return &syntaxError{"the document is nested too deeply", 0}
	}
	seen := uint64(0)
	for _, child := range e.children {
		i, known := n.byXML[child.name]
		if !known || !n.fields[i].body() || n.fields[i].XMLAttribute {
			if d.strict {
				return &syntaxError{"unknown element " + strconv.Quote(child.name), 0}
			}
			continue
		}
		f := &n.fields[i]
		seen |= f.ordinal
		d.push(f.Name)
		var err error
		switch target := f.target(v); {
		case f.kind == awsapi.List && f.flat():
			err = d.listElement(f.node, target, child)
		case f.kind == awsapi.Map && f.flat():
			if target.IsNil() {
				target.Set(reflect.MakeMap(f.typ))
			}
			err = d.entry(f.node, target, child)
		default:
			err = d.value(f, target, child)
		}
		if err != nil {
			return err
		}
		d.pop()
	}
	for i := range n.fields {
		f := &n.fields[i]
		if text, ok := e.attribute(f); ok {
			seen |= f.ordinal
			if err := f.setText(f.target(v), text); err != nil {
				return &mismatch{fmt.Sprintf("%s: %v", d.path(f.Name), err)}
			}
		}
	}
	d.finish(n, seen)
	return nil
}

// attribute returns the attribute that carries f; "xsi:type" matches whatever
// prefix the document binds.
func (e *element) attribute(f *field) (string, bool) {
	if !f.XMLAttribute {
		return "", false
	}
	local := f.xmlName[strings.LastIndexByte(f.xmlName, ':')+1:]
	for _, a := range e.attrs {
		if a.Name.Local == local {
			return a.Value, true
		}
	}
	return "", false
}

func (d *xmlDecoder) listElement(n *node, v reflect.Value, e *element) error {
	d.pushIndex(v.Len())
	defer d.pop()
	return d.value(n.element, n.element.inside(grow(v)), e)
}

func (d *xmlDecoder) entry(n *node, v reflect.Value, entry *element) error {
	keyName, valueName := firstOf(n.key.WireName, "key"), firstOf(n.element.WireName, "value")
	var key string
	value := reflect.New(n.typ.Elem()).Elem()
	for _, child := range entry.children {
		switch child.name {
		case keyName:
			key = child.text.String()
		case valueName:
			d.push("\x00" + key)
			if err := d.value(n.element, n.element.inside(value), child); err != nil {
				return err
			}
			d.pop()
		}
	}
	v.SetMapIndex(reflect.ValueOf(key), value)
	return nil
}
