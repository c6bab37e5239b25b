package auth

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/service"
)

// callKeys are the global condition keys of a call and those of its target, told when a policy asks for them.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
type callKeys struct {
	principal service.Principal
	// id is nil for callers that are no identity of the directory.
	id                       *Identity
	target                   map[string][]string
	owner, region, userAgent string
	at                       time.Time
	source                   netip.Addr
	secure                   bool
}

// keysOf returns the condition keys of a call. They do not hold on to the request, since the journal keeps them.
func keysOf(r *service.Request, id *Identity, t *service.Target, owner string) *callKeys {
	return &callKeys{
		principal: r.Principal, id: id, target: t.Condition, owner: owner, region: r.Region, userAgent: r.UserAgent, at: r.Time, source: r.SourceIP, secure: r.Secure,
	}
}

// Values implements [iam.Context].
func (k *callKeys) Values(key string) []string {
	for name, values := range k.target {
		if strings.EqualFold(name, key) {
			return values
		}
	}
	var value string
	if tag, ok := strings.CutPrefix(key, "aws:principaltag/"); ok {
		if value, ok = k.tag(tag); !ok {
			return nil
		}
		return []string{value}
	}
	if value = k.ofCall(key); value == "" {
		value = k.ofCaller(key)
	}
	if value == "" {
		return nil
	}
	return []string{value}
}

// tag returns a tag of the session, or else of the identity.
func (k *callKeys) tag(name string) (string, bool) {
	if value, ok := tagNamed(k.principal.Tags, name); ok || k.id == nil {
		return value, ok
	}
	return tagNamed(k.id.Tags, name)
}

// tagNamed returns the tag of a name, in any case.
func tagNamed(tags map[string]string, name string) (string, bool) {
	for n, value := range tags {
		if strings.EqualFold(n, name) {
			return value, true
		}
	}
	return "", false
}

// ofCall returns the value of a key that does not depend on the caller, or "".
func (k *callKeys) ofCall(key string) string {
	switch key {
	case "aws:viaawsservice":
		return "false"
	case "aws:securetransport":
		return strconv.FormatBool(k.secure)
	case "aws:requestedregion":
		return k.region
	case "aws:resourceaccount":
		return k.owner
	case currentTime:
		return k.at.UTC().Format(time.RFC3339)
	case epochTime:
		return strconv.FormatInt(k.at.Unix(), 10)
	case "aws:useragent":
		return k.userAgent
	case "aws:sourceip":
		if k.source.IsValid() {
			return k.source.Unmap().String()
		}
	}
	return ""
}

// ofCaller returns the value of a key that tells of the caller, or "".
func (k *callKeys) ofCaller(key string) string {
	p := &k.principal
	switch p.Kind {
	case service.ServicePrincipal:
		switch key {
		case "aws:principalisawsservice":
			return "true"
		case "aws:principalservicename":
			return p.Service
		case "aws:sourcearn":
			return p.SourceARN
		case "aws:sourceaccount":
			return p.SourceAccount
		}
		return ""
	case service.Anonymous:
		switch key {
		case "aws:principaltype":
			return "Anonymous"
		case "aws:userid":
			return "anonymous"
		}
	case service.Root, service.User, service.AssumedRole, service.FederatedUser:
		if value := k.ofIdentity(key); value != "" {
			return value
		}
	}
	if key == "aws:principalisawsservice" {
		return "false"
	}
	return ""
}

// ofIdentity returns the value of a key that callers have which are identities, or "".
func (k *callKeys) ofIdentity(key string) string {
	p := &k.principal
	switch key {
	case "aws:username":
		if p.Kind == service.User && k.id != nil {
			return k.id.Name
		}
	case "aws:principalarn":
		if p.Kind == service.AssumedRole {
			return p.RoleARN
		}
		return p.ARN
	case "aws:principalaccount":
		return p.Account
	case "aws:principaltype":
		return principalType(p.Kind)
	case "aws:userid":
		return p.UserID
	case "aws:sourceidentity":
		return p.SourceIdentity
	case "s3:accessgrantsinstancearn":
		return p.AccessGrants
	case "aws:tokenissuetime":
		if p.TokenIssueTime != 0 {
			return time.Unix(p.TokenIssueTime, 0).UTC().Format(time.RFC3339)
		}
	case "aws:multifactorauthpresent":
		if p.TokenIssueTime != 0 {
			return strconv.FormatBool(p.MFA)
		}
	case "aws:multifactorauthage":
		if p.MFA {
			return strconv.FormatInt(k.at.Unix()-p.TokenIssueTime, 10)
		}
	}
	return ""
}

// principalType returns the value of aws:PrincipalType for an identity.
func principalType(k service.PrincipalKind) string {
	switch k {
	case service.Root:
		return "Account"
	case service.AssumedRole:
		return "AssumedRole"
	case service.FederatedUser:
		return "FederatedUser"
	}
	return "User"
}
