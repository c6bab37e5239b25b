package auth

import (
	"strings"

	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/service"
)

// grants bounds the cache of what services were allowed.
const grants = 8192

// grantKey is everything that a decision about a call between services depends on: nothing but the resource's own policy decides about a
// service principal, and without tags, conditions of the target and a client the condition keys come from these fields and the time.
type grantKey struct {
	service, sourceARN, sourceAccount string
	action, resource, owner, policy   string
	region                            string
	secure                            bool
}

// grant is a decision that allowed a call.
type grant struct {
	request  *iam.Request
	decision iam.Decision
}

// The condition keys that change by themselves.
const currentTime, epochTime = "aws:currenttime", "aws:epochtime"

// grantKeyOf returns the key of a call, and whether its decision may be kept.
func grantKeyOf(r *service.Request, t *service.Target) (grantKey, bool) {
	p := &r.Principal
	if p.Kind != service.ServicePrincipal || t.Policy == "" || len(t.Condition)+len(p.Tags)+len(p.SessionPolicies)+len(p.SessionPolicyARNs) > 0 ||
		r.UserAgent != "" || r.SourceIP.IsValid() || isAssume(t.Action) {
		return grantKey{}, false
	}
	owner := t.Owner
	if owner == "" {
		owner = r.Account
	}
	return grantKey{p.Service, p.SourceARN, p.SourceAccount, t.Action, t.ARN, owner, t.Policy, r.Region, r.Secure}, true
}

// keepGrant keeps a decision that allowed a call, unless the policy looks at the time.
func (a *Authorizer) keepGrant(k grantKey, q *iam.Request, ps *iam.Policies, d iam.Decision) {
	for i := range ps.Resource {
		for _, key := range ps.Resource[i].Policy.ContextKeys() {
			if strings.EqualFold(key, currentTime) || strings.EqualFold(key, epochTime) {
				return
			}
		}
	}
	a.grants.Put(k, grant{q, d})
}
