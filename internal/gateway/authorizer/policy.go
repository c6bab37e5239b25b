package authorizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"lambent.dev/lambent/internal/auth/iam"
)

// maxAnswer bounds the answer of an authorizer function, in bytes.
const maxAnswer = 1 << 20

// Verdict is what an authorizer says about a request.
type Verdict uint8

// The verdicts.
const (
	// NotAllowed is that nothing in the policy allows the request.
	NotAllowed Verdict = iota
	// Denied is that a statement of the policy denies it.
	Denied
	// Allowed is that it may be made.
	Allowed
)

// Policy is the answer of an authorizer function in the form of a policy. It is immutable.
type Policy struct {
	// Principal is the principalId.
	Principal string
	// Context is what the function hands on to the integration.
	Context Context
	// UsageKey is the API key of the caller (usageIdentifierKey), or "".
	UsageKey string
	// Text is the policy document.
	Text string

	document iam.Document
}

// Context are the members of the context of an authorizer's answer, in their order.
type Context []Entry

// Entry is one member of a [Context].
type Entry struct {
	Name string
	// Value is a JSON value.
	Value json.RawMessage
}

// Get returns the text of a member ([Entry.Text]).
func (c Context) Get(name string) (text string, ok bool) {
	for i := range c {
		if c[i].Name == name {
			return c[i].Text(), true
		}
	}
	return "", false
}

// Flat reports whether every member is a string, a number, a boolean or null, as policies in answers must have it.
func (c Context) Flat() bool {
	for i := range c {
		if v := c[i].Value; len(v) == 0 || v[0] == '{' || v[0] == '[' {
			return false
		}
	}
	return true
}

// Text returns the value as events and templates show it: a string as it is, another value as its JSON, null as "null".
func (e *Entry) Text() string {
	var s string
	if len(e.Value) > 0 && e.Value[0] == '"' && json.Unmarshal(e.Value, &s) == nil {
		return s
	}
	return string(e.Value)
}

// UnmarshalJSON reads the members of an object in their order; of two with one name the last counts.
func (c *Context) UnmarshalJSON(b []byte) error {
	*c = nil
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("the context is not an object")
	}
	at := map[string]int{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		e := Entry{Name: t.(string)}
		if err := d.Decode(&e.Value); err != nil {
			return err
		}
		if i, twice := at[e.Name]; twice {
			(*c)[i] = e
			continue
		}
		at[e.Name] = len(*c)
		*c = append(*c, e)
	}
	return nil
}

// ParsePolicy reads the answer of an authorizer function in the form of a policy
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html). The error says what is wrong with it.
func ParsePolicy(answer []byte) (*Policy, error) {
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("the answer of the authorizer has more than %d bytes", maxAnswer)
	}
	var a struct {
		Principal json.RawMessage `json:"principalId"`
		Document  json.RawMessage `json:"policyDocument"`
		Context   Context         `json:"context"`
		UsageKey  *string         `json:"usageIdentifierKey"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, fmt.Errorf("the answer of the authorizer is not one: %w", err)
	}
	p := &Policy{Context: a.Context}
	switch {
	case len(a.Principal) == 0 || string(a.Principal) == "null":
		return nil, errors.New("the answer of the authorizer has no principalId")
	case a.Principal[0] == '{' || a.Principal[0] == '[':
		return nil, errors.New("the principalId of the authorizer's answer is not a string")
	case len(a.Document) == 0:
		return nil, errors.New("the answer of the authorizer has no policyDocument")
	case !a.Context.Flat():
		return nil, errors.New("the context of the authorizer's answer has a member that is an object or a list")
	}
	p.Principal = (&Entry{Value: a.Principal}).Text()
	if a.UsageKey != nil {
		p.UsageKey = *a.UsageKey
	}
	doc, err := iam.Parse(string(a.Document), iam.Identity)
	if err != nil {
		return nil, fmt.Errorf("the policyDocument of the authorizer's answer: %w", err)
	}
	p.Text = string(a.Document)
	p.document = iam.Document{Name: "the authorizer's policy", Policy: doc}
	return p, nil
}

// Decide asks the policy whether action, such as "execute-api:Invoke", may be done on the method with the ARN resource. keys are the condition keys of the
// request, which may be nil.
func (p *Policy) Decide(action, resource string, keys iam.Context) Verdict {
	account := ""
	if part := strings.SplitN(resource, ":", 6); len(part) == 6 {
		account = part[4]
	}
	d := iam.Evaluate(&iam.Request{
		Principal: iam.Principal{Kind: iam.User, Account: account, UserID: p.Principal}, Action: action, Resource: resource, Owner: account, Context: keys,
	}, &iam.Policies{Identity: []iam.Document{p.document}})
	switch {
	case d.Allowed:
		return Allowed
	case d.Reason == iam.ExplicitDeny:
		return Denied
	}
	return NotAllowed
}

// Simple is the answer of an authorizer function of an HTTP API in the simple form.
type Simple struct {
	Allowed bool
	// Context is what the function hands on to the integration; its members may be of any type.
	Context Context
}

// ParseSimple reads the answer of an authorizer function in the simple form
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html).
func ParseSimple(answer []byte) (*Simple, error) {
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("the answer of the authorizer has more than %d bytes", maxAnswer)
	}
	var a struct {
		Allowed *bool   `json:"isAuthorized"`
		Context Context `json:"context"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, fmt.Errorf("the answer of the authorizer is not one: %w", err)
	}
	if a.Allowed == nil {
		return nil, errors.New("the answer of the authorizer has no isAuthorized, which the simple form needs")
	}
	return &Simple{Allowed: *a.Allowed, Context: a.Context}, nil
}
