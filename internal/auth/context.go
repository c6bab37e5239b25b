package auth

import (
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/service"
)

// conditionKeys returns the global condition keys of a call and those of the target.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func conditionKeys(r *service.Request, id *Identity, t *service.Target, owner string) iam.Context {
	p := &r.Principal
	ctx := make(iam.Context, 20+len(t.Condition)+len(p.Tags))
	set := func(key, value string) {
		if value != "" {
			ctx[key] = []string{value}
		}
	}
	isService := p.Kind == service.ServicePrincipal
	set("aws:principalisawsservice", strconv.FormatBool(isService))
	set("aws:viaawsservice", "false")
	set("aws:securetransport", strconv.FormatBool(r.Secure))
	set("aws:requestedregion", r.Region)
	set("aws:resourceaccount", owner)
	set("aws:currenttime", r.Time.UTC().Format(time.RFC3339))
	set("aws:epochtime", strconv.FormatInt(r.Time.Unix(), 10))
	set("aws:useragent", r.UserAgent)
	if r.SourceIP.IsValid() {
		set("aws:sourceip", r.SourceIP.Unmap().String())
	}
	if isService {
		set("aws:principalservicename", p.Service)
		set("aws:sourcearn", p.SourceARN)
		set("aws:sourceaccount", p.SourceAccount)
	} else if p.Kind != service.Anonymous {
		principalKeys(set, p, id)
	} else {
		set("aws:principaltype", "Anonymous")
		set("aws:userid", "anonymous")
	}
	if id != nil {
		for k, v := range id.Tags {
			ctx["aws:principaltag/"+strings.ToLower(k)] = []string{v}
		}
	}
	for k, v := range p.Tags {
		ctx["aws:principaltag/"+strings.ToLower(k)] = []string{v}
	}
	for k, v := range t.Condition {
		ctx[strings.ToLower(k)] = v
	}
	return ctx
}

// principalKeys sets the keys of callers that are identities.
func principalKeys(set func(key, value string), p *service.Principal, id *Identity) {
	name, kind := p.ARN, "User"
	switch p.Kind {
	case service.Root:
		kind = "Account"
	case service.User:
		if id != nil {
			set("aws:username", id.Name)
		}
	case service.AssumedRole:
		name, kind = p.RoleARN, "AssumedRole"
	case service.FederatedUser:
		kind = "FederatedUser"
	case service.Anonymous, service.ServicePrincipal:
	}
	set("aws:principalarn", name)
	set("aws:principalaccount", p.Account)
	set("aws:principaltype", kind)
	set("aws:userid", p.UserID)
	set("aws:sourceidentity", p.SourceIdentity)
	if p.TokenIssueTime != 0 {
		set("aws:tokenissuetime", time.Unix(p.TokenIssueTime, 0).UTC().Format(time.RFC3339))
		set("aws:multifactorauthpresent", strconv.FormatBool(p.MFA))
	}
}
