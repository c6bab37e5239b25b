package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"

	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/lib/lru"
	"lambent.dev/lambent/internal/service"
)

// compiled bounds the cache of compiled resource and session policies.
const compiled = 4096

// Authorizer decides about calls. Make one with [NewAuthorizer]. It is safe for concurrent use.
type Authorizer struct {
	cache   *Cache
	journal *Journal
	log     *slog.Logger
	docs    *lru.Cache[docKey, *iam.Policy]
	grants  *lru.Cache[grantKey, grant]
}

// docKey names a document that comes as text.
type docKey struct {
	sum  [sha256.Size]byte
	role iam.Role
}

// NewAuthorizer returns an authorizer that records its decisions in j and logs denials.
func NewAuthorizer(c *Cache, j *Journal, log *slog.Logger) *Authorizer {
	return &Authorizer{cache: c, journal: j, log: log, docs: lru.New[docKey, *iam.Policy](compiled), grants: lru.New[grantKey, grant](grants)}
}

// Authorize returns nil when the principal of r may do everything that targets say, and else an
// error that explains the first denial.
func (a *Authorizer) Authorize(ctx context.Context, r *service.Request, targets []service.Target) error {
	for i := range targets {
		d, q, err := a.Decide(ctx, r, &targets[i])
		if err != nil {
			return err
		}
		if d.Allowed {
			continue
		}
		msg := d.Message(q)
		a.log.InfoContext(ctx, "access denied", slog.String("request_id", r.ID), slog.String("principal", r.Principal.ARN+r.Principal.Service),
			slog.String("action", q.Action), slog.String("resource", q.Resource), slog.String("reason", msg),
			slog.String("source_arn", r.Principal.SourceARN))
		if r.API == "s3" {
			msg = s3Denial(r, q, msg)
		}
		return denied(r.API, msg)
	}
	return nil
}

// s3Denial returns the message in S3's form: it quotes the resource, and tells strangers nothing of the policies.
func s3Denial(r *service.Request, q *iam.Request, msg string) string {
	if r.Principal.Kind == service.Anonymous {
		return "Access Denied"
	}
	return strings.Replace(msg, "on resource: "+q.Resource+" ", `on resource: "`+q.Resource+`" `, 1)
}

// Decide answers for one target and records the decision.
func (a *Authorizer) Decide(ctx context.Context, r *service.Request, t *service.Target) (iam.Decision, *iam.Request, error) {
	key, keep := grantKeyOf(r, t)
	if keep {
		if g, ok := a.grants.Get(key); ok {
			a.journal.add(&Record{RequestID: r.ID, Time: r.Time, API: r.API, Operation: r.Operation, Request: g.request, Decision: g.decision})
			return g.decision, g.request, nil
		}
	}
	q, ps, err := a.question(ctx, r, t)
	if err != nil {
		return iam.Decision{}, nil, err
	}
	d := iam.Evaluate(q, ps)
	rec := Record{RequestID: r.ID, Time: r.Time, API: r.API, Operation: r.Operation, Request: q, Decision: d}
	if !d.Allowed {
		_, rec.Trace = iam.Explain(q, ps)
	} else if keep {
		a.keepGrant(key, q, ps, d)
	}
	a.journal.add(&rec)
	return d, q, nil
}

// question puts together what the engine needs.
func (a *Authorizer) question(ctx context.Context, r *service.Request, t *service.Target) (*iam.Request, *iam.Policies, error) {
	p := &r.Principal
	owner := t.Owner
	if owner == "" {
		owner = r.Account
	}
	ps := &iam.Policies{}
	id, err := a.identity(ctx, p, ps)
	if err != nil {
		return nil, nil, err
	}
	trust := isAssume(t.Action)
	if t.Policy != "" {
		role := iam.ResourceBased
		if trust {
			role = iam.Trust
		}
		doc, err := a.document("resource policy of "+t.ARN, t.Policy, role)
		if err != nil {
			return nil, nil, err
		}
		ps.Resource = []iam.Document{doc}
	}
	q := &iam.Request{
		Principal: enginePrincipal(p), Action: t.Action, Resource: t.ARN, Owner: owner,
		Context: keysOf(r, id, t, owner), ResourceRequired: trust || strings.HasPrefix(t.Action, "kms:") && t.Policy != "",
	}
	return q, ps, nil
}

// isAssume reports whether an action is decided by the trust policy of a role.
func isAssume(action string) bool {
	return strings.HasPrefix(action, "sts:AssumeRole") || action == "sts:TagSession" || action == "sts:SetSourceIdentity"
}

// identity fills the layers that belong to the principal.
func (a *Authorizer) identity(ctx context.Context, p *service.Principal, ps *iam.Policies) (*Identity, error) {
	var id *Identity
	if name := identityARN(p); name != "" {
		var err error
		if id, err = a.cache.Identity(ctx, name); err != nil {
			return nil, fmt.Errorf("find an identity: %w", err)
		}
		if id != nil && !sameIdentity(p, id) {
			id = nil // The name was given to another user or role since the call began.
		}
		if id != nil {
			ps.Identity, ps.Boundary = id.Documents, id.Boundary
		}
	}
	if len(p.SessionPolicies)+len(p.SessionPolicyARNs) == 0 && p.Kind != service.FederatedUser {
		return id, nil
	}
	ps.Session = []iam.Document{}
	for _, text := range p.SessionPolicies {
		doc, err := a.document("session policy", text, iam.Identity)
		if err != nil {
			return nil, err
		}
		ps.Session = append(ps.Session, doc)
	}
	for _, name := range p.SessionPolicyARNs {
		doc, err := a.cache.ManagedPolicy(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("find a managed policy: %w", err)
		}
		if doc != nil {
			ps.Session = append(ps.Session, *doc)
		}
	}
	return id, nil
}

// sameIdentity reports whether id is the user or role that p was when it was authenticated.
func sameIdentity(p *service.Principal, id *Identity) bool {
	unique, _, _ := strings.Cut(p.UserID, ":")
	return unique == "" || p.Kind == service.FederatedUser || unique == id.UserID
}

// document compiles a text, once.
func (a *Authorizer) document(name, text string, role iam.Role) (iam.Document, error) {
	key := docKey{sha256.Sum256([]byte(text)), role}
	if p, ok := a.docs.Get(key); ok {
		return iam.Document{Name: name, Policy: p}, nil
	}
	p, err := iam.Parse(text, role)
	if err != nil {
		return iam.Document{}, fmt.Errorf("compile the %s: %w", name, err)
	}
	a.docs.Put(key, p)
	return iam.Document{Name: name, Policy: p}, nil
}

// enginePrincipal translates the contract's principal to the engine's.
func enginePrincipal(p *service.Principal) iam.Principal {
	out := iam.Principal{Account: p.Account, ARN: p.ARN, RoleARN: p.RoleARN, UserID: p.UserID, Service: p.Service, Provider: p.Provider}
	switch p.Kind {
	case service.Anonymous:
		out.Kind = iam.Anonymous
	case service.Root:
		out.Kind = iam.Root
	case service.User:
		out.Kind = iam.User
	case service.AssumedRole:
		out.Kind = iam.Session
	case service.FederatedUser:
		out.Kind = iam.Federated
	case service.ServicePrincipal:
		out.Kind = iam.Service
	}
	return out
}
