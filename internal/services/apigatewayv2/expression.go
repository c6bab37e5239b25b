package apigatewayv2

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"lambent.dev/lambent/internal/lib/jsonpath"
)

// expression is a text with references: one reference such as $request.body.action, or text in which references stand as ${request.header.a} or $request.path.proxy
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html).
type expression struct{ pieces []piece }

// piece is a text, or a reference without its $ and braces.
type piece struct{ text, reference string }

// parseExpression takes an expression apart. known reports whether a reference can be used at the place in question.
func parseExpression(s string, known func(reference string) bool) (expression, error) {
	var e expression
	add := func(reference string) error {
		if !known(reference) {
			return fmt.Errorf("the reference $%s cannot be used here", reference)
		}
		if _, path, ok := strings.Cut(reference, ".body."); ok {
			if _, err := jsonpath.Parse("$." + path); err != nil {
				return fmt.Errorf("the path $.%s is not supported: %w", path, err)
			}
		}
		e.pieces = append(e.pieces, piece{reference: reference})
		return nil
	}
	if reference, ok := strings.CutPrefix(s, "$"); ok && !strings.HasPrefix(reference, "{") && (strings.Contains(reference, ".body") || !strings.ContainsAny(reference, "/ $")) {
		return e, add(reference)
	}
	for s != "" {
		before, rest, ok := strings.Cut(s, "${")
		e.addText(before, known)
		if !ok {
			return e, nil
		}
		reference, after, closed := strings.Cut(rest, "}")
		if !closed {
			return e, errors.New("a ${ has no }")
		}
		if err := add(reference); err != nil {
			return e, err
		}
		s = after
	}
	return e, nil
}

// bareReference is a reference within text that has no braces.
var bareReference = regexp.MustCompile(`\$(?:request|response|context|stageVariables)(?:\.[A-Za-z0-9_-]+)+`)

// addText adds text, with the references without braces that are in it, as in /v1/$request.path.proxy. What is no reference stays as it is.
func (e *expression) addText(s string, known func(reference string) bool) {
	text := func(t string) {
		if t != "" {
			e.pieces = append(e.pieces, piece{text: t})
		}
	}
	done := 0
	for _, at := range bareReference.FindAllStringIndex(s, -1) {
		reference := s[at[0]+1 : at[1]]
		if !known(reference) {
			continue
		}
		text(s[done:at[0]])
		e.pieces = append(e.pieces, piece{reference: reference})
		done = at[1]
	}
	text(s[done:])
}

// text returns the expression's text. resolve returns what a reference stands for.
func (e *expression) text(resolve func(reference string) string) string {
	if len(e.pieces) == 1 && e.pieces[0].reference != "" {
		return resolve(e.pieces[0].reference)
	}
	var b strings.Builder
	for _, p := range e.pieces {
		if p.reference != "" {
			b.WriteString(resolve(p.reference))
			continue
		}
		b.WriteString(p.text)
	}
	return b.String()
}

// bodyPath returns what a JSON path without its $ leads to in a document: the text of a string, the JSON of anything else, empty for nothing.
func bodyPath(doc []byte, path string) string {
	p, err := jsonpath.Parse("$." + path)
	if err != nil {
		return ""
	}
	found, ok := p.Get(doc)
	if !ok || string(found) == "null" {
		return ""
	}
	return jsonText(found)
}

// checkSelection checks the route selection expression of a WebSocket API.
func checkSelection(s string) error {
	_, err := parseExpression(s, messageReference)
	if err != nil || !strings.Contains(s, "request.body") {
		return badRequest("Invalid route selection expression %q: it has to refer to the message, such as $request.body.action.", s)
	}
	return nil
}

// messageReference reports whether a route selection expression may refer to something.
func messageReference(reference string) bool {
	return reference == "request.body" || strings.HasPrefix(reference, "request.body.") || strings.HasPrefix(reference, "context.") || strings.HasPrefix(reference, "stageVariables.")
}

// jsonText is a JSON value as text: that of a string without its quotes, that of anything else as it is written.
func jsonText(raw []byte) string {
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
