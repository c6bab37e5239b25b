package sns

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/lib/pattern"
)

// Limits of a filter policy (https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html).
const (
	maxFilterKeys         = 5
	maxFilterCombinations = 150
	maxFilterSize         = 256 << 10 // bytes
)

// checkFilter checks a filter policy; context is what errors have in front.
func checkFilter(text string, body bool, context string) error {
	if text == "{}" {
		return nil
	}
	if len(text) > maxFilterSize {
		return invalid("%sFilterPolicy: Filter policy is too large: it has %d bytes, the limit is %d", context, len(text), maxFilterSize)
	}
	if !body && nested(text) {
		return invalid("Filter policy scope MessageAttributes does not support nested filter policy")
	}
	if !json.Valid([]byte(text)) {
		return invalid("%sFilterPolicy: %s", context, jsonProblem(text))
	}
	p, err := pattern.Compile(compacted(text), pattern.SNS) // errors tell places in the policy without white space
	if err != nil {
		return invalid("%sFilterPolicy: %s", context, err)
	}
	if len(p.Fields()) > maxFilterKeys {
		return invalid("%sFilterPolicy: Filter policy can not have more than %d keys", context, maxFilterKeys)
	}
	if p.Combinations() > maxFilterCombinations {
		return invalid("%sFilterPolicy: Filter policy is too complex", context)
	}
	return nil
}

// compacted returns JSON without white space between its parts.
func compacted(text string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return text
	}
	return b.String()
}

// nested tells whether a policy has fields within fields, which attributes do not have.
func nested(text string) bool {
	var doc map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &doc) != nil {
		return false
	}
	for name, v := range doc {
		var object map[string]json.RawMessage
		if name == "$or" || json.Unmarshal(v, &object) != nil {
			continue
		}
		for _, inner := range object {
			if t := bytes.TrimSpace(inner); len(t) > 0 && (t[0] == '[' || t[0] == '{') {
				return true
			}
		}
	}
	return false
}

// matches returns the confirmed subscriptions of a topic that want a message, in the order of their ids.
func (t *topic) matches(m *message) ([]*subscriber, error) {
	at := slices.Clone(t.open)
	if t.byAttributes.Len() > 0 {
		var err error
		if at, err = t.byAttributes.AppendMatches(at, m.attributeDocument()); err != nil {
			return nil, err
		}
	}
	if t.byBody.Len() > 0 {
		// A body that is no JSON object matches no filter.
		if found, err := t.byBody.Match([]byte(m.Body)); err == nil {
			at = append(at, found...)
		}
	}
	slices.Sort(at)
	out := make([]*subscriber, len(at))
	for i, n := range at {
		out[i] = t.all[n]
	}
	return out, nil
}

// attributeDocument is the attributes as a JSON object for filters: numbers as numbers, arrays as arrays, without what is binary.
func (m *message) attributeDocument() []byte {
	doc := map[string]json.RawMessage{}
	for name, a := range m.Attributes {
		kind, label, _ := strings.Cut(a.Type, ".")
		raw := json.RawMessage(a.Text)
		switch {
		case kind == "Binary":
			continue
		case kind == "Number" && json.Valid(raw), kind == "String" && label == "Array" && json.Valid(raw):
		default:
			raw = quoted(a.Text)
		}
		doc[name] = raw
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return []byte("{}")
	}
	return b
}

// quoted is a text as JSON, with its characters as they are.
func quoted(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can be encoded
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
