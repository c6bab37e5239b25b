package iam

import (
	"slices"
	"strings"
)

// Kind says what makes a request.
type Kind uint8

// The kinds of principals.
const (
	// Anonymous is a request without credentials.
	Anonymous Kind = iota
	// Root is the root user of an account.
	Root
	// User is an IAM user.
	User
	// Session is an assumed role.
	Session
	// Federated is a federated user of GetFederationToken.
	Federated
	// Service is a service on its own behalf.
	Service
)

// Principal is who makes a request.
type Principal struct {
	Kind    Kind
	Account string
	// ARN names the user, the session, the federated user or the root user.
	ARN string
	// RoleARN is the role behind a session, or the user behind a federated user.
	RoleARN string
	// UserID is the unique id: AIDA…, or AROA…:session.
	UserID string
	// Service is the name of a service, such as s3.amazonaws.com.
	Service string
	// Provider is the identity provider of a web identity or SAML request: a host name, an ARN.
	Provider string
}

// grant is how directly a Principal element names the caller.
type grant uint8

const (
	// noGrant does not name it.
	noGrant grant = iota
	// toAccount names its account, which hands the decision to the account's own policies.
	toAccount
	// toRole names the role behind a session.
	toRole
	// direct names the caller, or everybody.
	direct
)

// principals is a compiled Principal or NotPrincipal element.
type principals struct {
	not       bool
	everybody bool
	aws       []string // ARNs, accounts, unique ids
	services  []string // lower case
	federated []string
}

// grant returns how the element names p. hasBoundary makes a NotPrincipal cover p always, as AWS
// documents for principals with a permission boundary.
func (ps *principals) grant(p *Principal, hasBoundary bool) grant {
	g := ps.named(p)
	if !ps.not {
		return g
	}
	if g == noGrant || hasBoundary {
		return direct
	}
	return noGrant
}

func (ps *principals) named(p *Principal) grant {
	if ps.everybody {
		return direct
	}
	switch p.Kind {
	case Anonymous:
		if p.Provider != "" && slices.Contains(ps.federated, p.Provider) {
			return direct
		}
		return noGrant
	case Service:
		if slices.Contains(ps.services, strings.ToLower(p.Service)) {
			return direct
		}
		return noGrant
	case Root, User, Session, Federated:
	}
	best := noGrant
	for _, a := range ps.aws {
		best = max(best, nameAWS(a, p))
	}
	return best
}

// nameAWS returns how one AWS principal names p.
func nameAWS(a string, p *Principal) grant {
	if a == p.ARN || p.UserID != "" && a == p.UserID {
		return direct
	}
	if p.RoleARN != "" && a == p.RoleARN {
		return toRole
	}
	if id, _, ok := strings.Cut(p.UserID, ":"); ok && a == id {
		return toRole
	}
	if p.Account != "" && (a == p.Account || isRoot(a, p.Account)) {
		return toAccount
	}
	return noGrant
}

// isRoot reports whether a is the root ARN of the account, of any partition.
func isRoot(a, account string) bool {
	rest, ok := strings.CutPrefix(a, "arn:")
	if !ok {
		return false
	}
	_, rest, _ = strings.Cut(rest, ":")
	return rest == "iam::"+account+":root"
}
