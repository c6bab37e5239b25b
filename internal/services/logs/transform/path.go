package transform

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// path leads to a field of a document.
type path []string

// wholeMessage is the source of parsers that read the event as it came.
const wholeMessage = "@message"

// parsePath reads a path such as store.book.
func parsePath(text string) (path, error) {
	p := path(strings.Split(text, "."))
	if len(p) > maxDepth {
		return nil, fmt.Errorf("the key %q is more than %d names deep", text, maxDepth)
	}
	if slices.Contains(p, "") {
		return nil, fmt.Errorf("the key %q has an empty name", text)
	}
	return p, nil
}

// parsePaths reads several paths.
func parsePaths(texts []string) (out []path, err error) {
	if len(texts) == 0 {
		return nil, errors.New("withKeys names no key")
	}
	out = make([]path, len(texts))
	for i, text := range texts {
		if out[i], err = parsePath(text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rootOr reads a path that may be left out.
func rootOr(text *string) (path, error) {
	if text == nil {
		return nil, nil
	}
	return parsePath(*text)
}

// parent returns the object that has the last name of a path; with make it is made where there is none.
func (p path) parent(document map[string]any, create bool) (map[string]any, bool) {
	at := document
	for _, name := range p[:len(p)-1] {
		next, ok := at[name].(map[string]any)
		if _, taken := at[name]; !ok && (taken || !create) {
			return nil, false
		}
		if !ok {
			next = map[string]any{}
			at[name] = next
		}
		at = next
	}
	return at, true
}

func (p path) last() string { return p[len(p)-1] }

func (p path) get(document map[string]any) (any, bool) {
	at, ok := p.parent(document, false)
	if !ok {
		return nil, false
	}
	v, ok := at[p.last()]
	return v, ok
}

// text returns the text of a field.
func (p path) text(document map[string]any) (string, bool) {
	v, _ := p.get(document)
	s, ok := v.(string)
	return s, ok
}

// set sets a field, unless it is there and may not be overwritten.
func (p path) set(document map[string]any, v any, overwrite bool) {
	at, ok := p.parent(document, true)
	if !ok {
		return
	}
	if _, there := at[p.last()]; !there || overwrite {
		at[p.last()] = v
	}
}

func (p path) remove(document map[string]any) {
	if at, ok := p.parent(document, false); ok {
		delete(at, p.last())
	}
}

// object returns the object at a path, which is made when it is not there; the root for the empty path.
func (p path) object(document map[string]any) (map[string]any, bool) {
	return append(p[:len(p):len(p)], "").parent(document, true)
}

// source is what a parser reads.
type source struct{ path path }

// sourceOf reads the source of a parser: a field, or the whole message.
func sourceOf(text *string) (source, error) {
	if text == nil || *text == wholeMessage {
		return source{}, nil
	}
	p, err := parsePath(*text)
	return source{p}, err
}

// read returns the text that a parser reads, without the newline that ends a message. A field that is not there is no text.
func (f source) read(s *state) (string, bool) {
	if f.path == nil {
		return strings.TrimSuffix(s.Message, "\n"), true
	}
	return f.path.text(s.document)
}
