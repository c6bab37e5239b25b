package apigatewayv2

import (
	"encoding/json"

	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/lib/jsonenc"
)

// decision is what the function of an authorizer answered, kept for as long as the authorizer says. It is immutable.
type decision struct {
	// policy is the answer in the form of a policy, about which each request decides anew; nil for a simple answer.
	policy  *authorizer.Policy
	allowed bool // of a simple answer
	// context is what the function hands on to the integration.
	context authorizer.Context
}

// allows tells whether a request may be made on the path with an ARN.
func (d *decision) allows(resource string, keys iam.Context) bool {
	if d.policy == nil {
		return d.allowed
	}
	return d.policy.Decide("execute-api:Invoke", resource, keys) == authorizer.Allowed
}

// text returns a member of the context, or the principal, as mappings and logs show it.
func (d *decision) text(name string) string {
	if name == "principalId" && d.policy != nil {
		return d.policy.Principal
	}
	text, _ := d.context.Get(name)
	return text
}

// members are the members of the context by name.
func (d *decision) members() map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(d.context))
	for _, e := range d.context {
		out[e.Name] = e.Value
	}
	return out
}

// appendMembers appends the members of the context as those of an object that has some already, each with a comma in front.
func (d *decision) appendMembers(b []byte) []byte {
	for _, e := range d.context {
		b = append(b, ',')
		b = jsonenc.String(b, e.Name)
		b = append(append(b, ':'), e.Value...)
	}
	return b
}
