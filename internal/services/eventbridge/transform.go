package eventbridge

import (
	"fmt"
	"regexp"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/jsonenc"
	"lambent.dev/lambent/internal/lib/jsonpath"
	"lambent.dev/lambent/internal/lib/jsonscan"
)

// placeholder is a variable of an input template.
var placeholder = regexp.MustCompile(`<([A-Za-z0-9_.-]+)>`)

// The variables that every template has
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html#eb-transform-input-predefined).
const (
	varRuleARN   = "aws.events.rule-arn"
	varRuleName  = "aws.events.rule-name"
	varIngestion = "aws.events.event.ingestion-time"
	varEvent     = "aws.events.event"
	varEventJSON = "aws.events.event.json"
)

// transformer is an input transformer. Its template is kept in pieces: the text before each variable, and after the last one.
type transformer struct {
	paths map[string]*jsonpath.Path
	parts []part
	// text tells that the template is made of quoted lines rather than of JSON.
	text bool
}

// part is literal text with the variable behind it, "" for none.
type part struct {
	literal, variable string
	// quoted tells that the variable stands inside of a JSON string.
	quoted bool
}

// newTransformer checks and prepares the input transformer of a target.
func newTransformer(t *api.Target) (*transformer, error) {
	in := t.InputTransformer
	out := &transformer{paths: make(map[string]*jsonpath.Path, len(in.InputPathsMap)), text: strings.HasPrefix(strings.TrimSpace(in.InputTemplate), `"`)}
	if len(in.InputPathsMap) > maxPaths {
		return nil, invalid("InputPathsMap for target %s has more than %d entries.", t.Id, maxPaths)
	}
	for name, text := range in.InputPathsMap {
		p, err := jsonpath.Parse(text)
		if err != nil {
			return nil, invalid("InputPath for target %s is invalid: %s", t.Id, err)
		}
		if strings.HasPrefix(name, "aws.") {
			return nil, invalid("InputPathsMap for target %s must not name %s: names that begin with aws. are reserved.", t.Id, name)
		}
		out.paths[name] = p
	}
	quoted, at := false, 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(in.InputTemplate, -1) {
		literal, name := in.InputTemplate[at:m[0]], in.InputTemplate[m[2]:m[3]]
		if _, ok := out.paths[name]; !ok && !predefined(name) {
			return nil, invalid("InputTemplate for target %s contains invalid placeholder %s.", t.Id, name)
		}
		quoted = quotedAfter(quoted, literal)
		out.parts = append(out.parts, part{literal, name, quoted})
		at = m[1]
	}
	out.parts = append(out.parts, part{literal: in.InputTemplate[at:]})
	return out, nil
}

func predefined(name string) bool {
	switch name {
	case varRuleARN, varRuleName, varIngestion, varEvent, varEventJSON:
		return true
	}
	return false
}

// quotedAfter tells whether text ends inside of a JSON string, when it began inside of one or not.
func quotedAfter(quoted bool, text string) bool {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		}
	}
	return quoted
}

// render returns the input of a target for an event of a rule.
func (t *transformer) render(ruleARN, ruleName string, e *event) ([]byte, error) {
	var out []byte
	for _, p := range t.parts {
		out = append(out, p.literal...)
		if p.variable == "" {
			continue
		}
		value, found := t.value(p.variable, ruleARN, ruleName, e)
		switch {
		case !p.quoted && !found:
			out = append(out, `""`...)
		case !p.quoted:
			out = append(out, value...)
		case found:
			out = t.appendQuoted(out, value)
		}
	}
	if !t.text && !jsonscan.Valid(out) {
		return nil, fmt.Errorf("the input template gives no JSON: %.200s", out)
	}
	return out, nil
}

// appendQuoted writes a value inside of a JSON string: a string as it is, and anything else in lines of text without its quotes.
func (t *transformer) appendQuoted(out, value []byte) []byte {
	if len(value) > 1 && value[0] == '"' {
		return append(out, value[1:len(value)-1]...)
	}
	if t.text {
		return append(out, strings.ReplaceAll(string(compact(value)), `"`, "")...)
	}
	return append(out, value...)
}

// value returns a variable's value as JSON.
func (t *transformer) value(name, ruleARN, ruleName string, e *event) ([]byte, bool) {
	switch name {
	case varRuleARN:
		return jsonenc.String(nil, ruleARN), true
	case varRuleName:
		return jsonenc.String(nil, ruleName), true
	case varIngestion:
		return jsonenc.String(nil, e.Ingested.UTC().Format("2006-01-02T15:04:05Z")), true
	case varEvent:
		return e.withoutDetail(), true
	case varEventJSON:
		return e.JSON, true
	}
	return t.paths[name].Get(e.JSON)
}

func compact(v []byte) []byte {
	out := make([]byte, 0, len(v))
	quoted := false
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case quoted && c == '\\' && i+1 < len(v):
			out = append(out, c)
			i++
			c = v[i]
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\n' || c == '\t' || c == '\r'):
			continue
		}
		out = append(out, c)
	}
	return out
}
