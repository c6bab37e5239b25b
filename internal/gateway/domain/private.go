package domain

import (
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/gateway/vpcendpoint"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// door is what stands before a private name: nobody passes without an association, and by that only whom the name's policy lets call.
type door struct {
	// arn is the name's ARN as policies have it.
	arn string
	// endpoint is that of the association; the zero Endpoint is none, and closes the door.
	endpoint vpcendpoint.Endpoint
	policy   *authorizer.Resource // nil allows nobody
}

// takePolicy checks the policies of a name, and writes its ARN for resources that are given without one, as "execute-api:/*".
func (n *Name) takePolicy(s Scope) error {
	n.Policy = strings.ReplaceAll(n.Policy, `"execute-api:/*"`, `"`+n.invokeARN(s)+`"`)
	for _, text := range []string{n.Policy, n.ManagementPolicy} {
		if text == "" {
			continue
		}
		if _, err := authorizer.ParseResource(text, "policy"); err != nil {
			return badRequest("Invalid policy document. Please check the policy syntax and ensure that Principals are valid: %v", err)
		}
	}
	return nil
}

// loadPrivate reads and compiles the private name that a VPC endpoint is associated with; nil when there is none.
func loadPrivate(r store.Reader, name, endpoint string) (*host, error) {
	if endpoint == "" {
		return nil, nil
	}
	a, ok, err := record.Get[Association](r, wayKey(endpoint, name))
	if err != nil || !ok {
		return nil, err
	}
	h, err := loadHost(r, a.Provider, a.Name)
	if err != nil {
		return nil, err
	}
	h.private = &door{arn: h.name.invokeARN(h.Scope), endpoint: vpcendpoint.Endpoint{ID: a.Endpoint, VPC: a.VPC}}
	if h.name.Policy != "" {
		h.private.policy, err = authorizer.ParseResource(h.name.Policy, "the policy of the domain name")
	}
	return h, err
}

// loadClosed returns the host of a private name for requests through no endpoint that is associated with it; nil when no private name has this name.
func loadClosed(r store.Reader, name, _ string) (*host, error) {
	for _, err := range r.Range(privateKey(name).Span()) {
		return &host{private: &door{}}, err
	}
	return nil, nil
}

// refusal is what a caller whom a private name does not let in is told; empty for the others.
func (d *Domains) refusal(h *host, r *http.Request) string {
	p := h.private
	switch {
	case p == nil:
		return ""
	case p.endpoint.ID == "":
		return "Forbidden"
	}
	v := authorizer.NotAllowed
	if p.policy != nil {
		v = p.policy.Decide(p.arn, h.Account, authorizer.RequestKeys{Request: r, Time: d.deps.Clock.Now(), Region: h.Region, Endpoint: p.endpoint})
	}
	if v == authorizer.Allowed {
		return ""
	}
	return authorizer.AnonymousRefusal(p.arn, h.Account, v)
}
