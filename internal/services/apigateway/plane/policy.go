package plane

import (
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// invokeAction is what calling a method needs.
const invokeAction = "execute-api:Invoke"

// resourcePolicy is the policy of an API.
type resourcePolicy struct {
	text     string
	document iam.Document
}

// compilePolicy compiles the policy of an API; nil for none. Resources may be given without the API, as "execute-api:/stage/GET/pets".
func compilePolicy(s api.Scope, id, text string) (*resourcePolicy, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	text = strings.ReplaceAll(text, `"execute-api:/`, `"arn:aws:execute-api:`+s.Region+":"+s.Account+":"+id+"/")
	p, err := iam.Parse(text, iam.ResourceBased)
	if err != nil {
		return nil, err
	}
	return &resourcePolicy{text: text, document: iam.Document{Name: "the resource policy of the API", Policy: p}}, nil
}

// verdict is what the resource policy says about a request by nobody in particular.
type verdict uint8

const (
	neither verdict = iota
	allows
	denies
)

// decide asks the policy about the request as a caller without credentials makes it.
func (p *resourcePolicy) decide(x *exchange, resource string) verdict {
	d := iam.Evaluate(&iam.Request{
		Principal: iam.Principal{Kind: iam.Anonymous}, Action: invokeAction, Resource: resource, Owner: x.Account, Context: x.keys(),
	}, &iam.Policies{Resource: []iam.Document{p.document}})
	switch {
	case d.Allowed:
		return allows
	case d.Reason == iam.ExplicitDeny:
		return denies
	}
	return neither
}

// keys are the condition keys of the request.
func (x *exchange) keys() authorizer.RequestKeys {
	return authorizer.RequestKeys{Request: x.http, Time: x.now, Region: x.Region}
}

// refusedByPolicy is the answer to who may not call the API; AWS hides all but the end of the account.
func (x *exchange) refusedByPolicy(resource string, d verdict) *failed {
	text := "User: anonymous is not authorized to perform: " + invokeAction + " on resource: " + strings.Replace(resource, ":"+x.Account+":", ":********"+x.Account[max(0, len(x.Account)-4):]+":", 1)
	if d == denies {
		text += " with an explicit deny"
	}
	return &failed{kind: "ACCESS_DENIED", status: http.StatusForbidden, message: text}
}
