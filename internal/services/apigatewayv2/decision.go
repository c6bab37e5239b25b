package apigatewayv2

import (
	"encoding/json"

	"lambent.dev/lambent/internal/gateway/authorizer"
)

// decision is what the function of an authorizer answered, kept for as long as it says.
type decision struct {
	// policy is the answer in the form of a policy, about which each request decides anew; nil for a simple answer.
	policy  *authorizer.Policy
	allowed bool // of a simple answer
	// context is what events show of it, a JSON object.
	context json.RawMessage
}
