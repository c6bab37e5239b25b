package plane

import (
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// resourcePolicy is the policy of an API.
type resourcePolicy struct {
	*authorizer.Resource

	text string
}

// compilePolicy compiles the policy of an API; nil for none. Resources may be given without the API, as "execute-api:/stage/GET/pets".
func compilePolicy(s api.Scope, id, text string) (*resourcePolicy, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	text = strings.ReplaceAll(text, `"execute-api:/`, `"arn:aws:execute-api:`+s.Region+":"+s.Account+":"+id+"/")
	p, err := authorizer.ParseResource(text, "the resource policy of the API")
	if err != nil {
		return nil, err
	}
	return &resourcePolicy{p, text}, nil
}

// decide asks the policy about the request as a caller without credentials makes it.
func (p *resourcePolicy) decide(x *exchange, resource string) authorizer.Verdict {
	return p.Decide(resource, x.Account, x.keys())
}

// keys are the condition keys of the request.
func (x *exchange) keys() authorizer.RequestKeys {
	return authorizer.RequestKeys{Request: x.http, Time: x.now, Region: x.Region, Endpoint: x.endpoint, Domain: x.privateName}
}

// refusedByPolicy is the answer to who may not call the API.
func (x *exchange) refusedByPolicy(resource string, d authorizer.Verdict) *failed {
	return &failed{kind: "ACCESS_DENIED", status: http.StatusForbidden, message: authorizer.AnonymousRefusal(resource, x.Account, d)}
}
