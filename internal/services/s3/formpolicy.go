package s3

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// formPolicy is the policy of a form: until when it may be sent, and what its fields may hold.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
type formPolicy struct {
	expires     time.Time
	conditions  []formCondition
	least, most int64
}

// formCondition asks something of a field. shown is how a failure names it.
type formCondition struct {
	field, value string
	prefix       bool
	shown        string
}

func badFormPolicy(format string, args ...any) error {
	return fail("InvalidPolicyDocument", http.StatusBadRequest, "Invalid Policy: "+format, args...)
}

func parseFormPolicy(encoded string) (*formPolicy, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, badFormPolicy("invalid Base64 encoding.")
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, badFormPolicy("Expecting '{' but found End-of-Input")
	}
	var doc map[string]json.RawMessage
	if json.Unmarshal(raw, &doc) != nil {
		return nil, badFormPolicy("Invalid JSON.")
	}
	for name := range doc {
		if name != "expiration" && name != "conditions" {
			return nil, badFormPolicy("Unexpected: %q", name)
		}
	}
	p := &formPolicy{most: maxUpload}
	if err := p.parseExpiration(doc["expiration"]); err != nil {
		return nil, err
	}
	return p, p.parseConditions(doc["conditions"])
}

func (p *formPolicy) parseExpiration(raw json.RawMessage) error {
	if raw == nil {
		return badFormPolicy("Policy missing expiration.")
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return badFormPolicy("Invalid JSON.")
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return badFormPolicy("Invalid 'expiration' value: '%s'", text)
	}
	p.expires = t
	return nil
}

func (p *formPolicy) parseConditions(raw json.RawMessage) error {
	if raw == nil {
		return badFormPolicy("Policy missing conditions.")
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return badFormPolicy("Invalid 'conditions' value: must be a List.")
	}
	for _, c := range list {
		var simple map[string]json.RawMessage
		var parts []json.RawMessage
		var err error
		switch {
		case json.Unmarshal(c, &simple) == nil:
			err = p.addSimple(simple)
		case json.Unmarshal(c, &parts) == nil:
			err = p.addTest(string(c), parts)
		default:
			err = badFormPolicy("Invalid condition test: must be a List or Object.")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *formPolicy) addSimple(c map[string]json.RawMessage) error {
	if len(c) != 1 {
		return badFormPolicy("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
	}
	for field, raw := range c {
		var value string
		if json.Unmarshal(raw, &value) != nil {
			return badFormPolicy("Invalid Simple-Condition: value must be a string.")
		}
		p.conditions = append(p.conditions, formCondition{
			field: strings.ToLower(field), value: value, shown: `["eq", ` + strconv.Quote("$"+field) + `, ` + strconv.Quote(value) + `]`,
		})
	}
	return nil
}

// addTest adds a condition in the form of a list, which shown is the text of.
func (p *formPolicy) addTest(shown string, parts []json.RawMessage) error {
	if len(parts) == 0 {
		return badFormPolicy("Invalid Condition: missing operation identifier.")
	}
	var op string
	if json.Unmarshal(parts[0], &op) != nil {
		return badFormPolicy("Invalid JSON.")
	}
	op = strings.ToLower(op)
	if op != "eq" && op != "starts-with" && op != "content-length-range" {
		return badFormPolicy("Invalid Condition: unknown operation '%s'.", op)
	}
	if len(parts) != 3 {
		return badFormPolicy("Invalid %s: wrong number of arguments.", op)
	}
	if op == "content-length-range" {
		least, ok1 := jsonSize(parts[1])
		most, ok2 := jsonSize(parts[2])
		if !ok1 && !isText(parts[1]) || !ok2 && !isText(parts[2]) {
			return badFormPolicy("Invalid JSON.")
		}
		if !ok1 || !ok2 {
			p.conditions = append(p.conditions, formCondition{shown: shown}) // which never holds
			return nil
		}
		p.least, p.most = max(p.least, least), min(p.most, most)
		return nil
	}
	var field, value string
	if json.Unmarshal(parts[1], &field) != nil || json.Unmarshal(parts[2], &value) != nil {
		return badFormPolicy("Invalid JSON.")
	}
	name, ok := strings.CutPrefix(field, "$")
	if !ok {
		name = "" // a test of nothing never holds
	}
	p.conditions = append(p.conditions, formCondition{strings.ToLower(name), value, op == "starts-with", shown})
	return nil
}

func isText(raw json.RawMessage) bool {
	var text string
	return json.Unmarshal(raw, &text) == nil
}

// jsonSize reads a number of bytes, which may be a string.
func jsonSize(raw json.RawMessage) (int64, bool) {
	var n int64
	if json.Unmarshal(raw, &n) == nil {
		return n, n >= 0
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return 0, false
	}
	return parseSize(text)
}

func againstFormPolicy(format string, args ...any) error {
	return accessDenied("Invalid according to Policy: "+format, args...)
}

// check applies the policy to the fields of a form. Every field must be named by a condition, except those of the signature and those that are to be ignored.
func (p *formPolicy) check(f *form, now time.Time) error {
	if !now.Before(p.expires) {
		return againstFormPolicy("Policy expired.")
	}
	for _, c := range p.conditions {
		value := f.fields[c.field]
		if c.field == "bucket" {
			value = f.bucket
		}
		if c.field == "" || !c.holds(value) {
			return againstFormPolicy("Policy Condition failed: %s", c.shown)
		}
	}
	covered := func(name string) bool {
		return slices.ContainsFunc(p.conditions, func(c formCondition) bool { return c.field == name })
	}
	for _, name := range append([]string{"bucket"}, f.order...) {
		switch name {
		case "policy", "x-amz-signature", "awsaccesskeyid", "signature", "file":
			continue
		}
		if !strings.HasPrefix(name, "x-ignore-") && !covered(name) {
			return againstFormPolicy("Extra input fields: %s", name)
		}
	}
	return nil
}

func (c formCondition) holds(value string) bool {
	if !c.prefix {
		return value == c.value
	}
	if c.field != "content-type" {
		return strings.HasPrefix(value, c.value)
	}
	for part := range strings.SplitSeq(value, ",") {
		if !strings.HasPrefix(strings.TrimSpace(part), c.value) {
			return false
		}
	}
	return true
}
