package authorizer

import (
	"strings"

	"lambent.dev/lambent/internal/auth/iam"
)

// InvokeAction is what calling an API needs.
const InvokeAction = "execute-api:Invoke"

// Resource is a policy that is attached to what is called: an API, or a private custom domain name.
type Resource struct{ document iam.Document }

// ParseResource compiles a policy that is called name in explanations.
func ParseResource(text, name string) (*Resource, error) {
	p, err := iam.Parse(text, iam.ResourceBased)
	if err != nil {
		return nil, err
	}
	return &Resource{iam.Document{Name: name, Policy: p}}, nil
}

// Decide asks the policy about a call by a caller without credentials of AWS of what account owns.
func (p *Resource) Decide(resource, account string, keys iam.Context) Verdict {
	d := iam.Evaluate(&iam.Request{
		Principal: iam.Principal{Kind: iam.Anonymous}, Action: InvokeAction, Resource: resource, Owner: account, Context: keys,
	}, &iam.Policies{Resource: []iam.Document{p.document}})
	switch {
	case d.Allowed:
		return Allowed
	case d.Reason == iam.ExplicitDeny:
		return Denied
	}
	return NotAllowed
}

// AnonymousRefusal is what AWS tells callers whom a policy does not let call: it hides all but the end of the account.
func AnonymousRefusal(resource, account string, v Verdict) string {
	text := "User: anonymous is not authorized to perform: " + InvokeAction + " on resource: " + strings.Replace(resource, ":"+account+":", ":********"+account[max(0, len(account)-4):]+":", 1)
	if v == Denied {
		text += " with an explicit deny"
	}
	return text
}
