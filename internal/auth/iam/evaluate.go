package iam

import (
	"strconv"
	"strings"
)

// Layer is the kind of a document in a decision.
type Layer uint8

// The layers, in the order in which they are looked at.
const (
	LayerNone Layer = iota
	LayerSCP
	LayerRCP
	LayerResource
	LayerIdentity
	LayerBoundary
	LayerSession
)

// String returns AWS's name of the layer, as its messages use it.
func (l Layer) String() string {
	switch l {
	case LayerSCP:
		return "service control policy"
	case LayerRCP:
		return "resource control policy"
	case LayerResource:
		return "resource-based policy"
	case LayerIdentity:
		return "identity-based policy"
	case LayerBoundary:
		return "permissions boundary"
	case LayerSession:
		return "session policy"
	case LayerNone:
	}
	return "policy"
}

// Document is a compiled policy with the name under which decisions show it.
type Document struct {
	// Name is an ARN, or "user x inline policy y".
	Name   string
	Policy *Policy
}

// Policies are the documents that apply to a request. Nil slices are absent layers, except for
// Identity.
type Policies struct {
	// Identity holds the policies of the user and its groups, or of the role.
	Identity []Document
	// Boundary is the permission boundary; nil when there is none.
	Boundary []Document
	// Session holds session policies: when it is not nil, one of them must allow.
	Session []Document
	// SCPs has one list per level of the organisation; every level must allow.
	SCPs [][]Document
	// RCPs are resource control policies by level.
	RCPs [][]Document
	// Resource is the policy of the resource; nil when it has none.
	Resource []Document
}

// Request is what is to be decided.
type Request struct {
	Principal Principal
	// Action is the IAM action, such as s3:GetObject.
	Action string
	// Resource is the ARN, or "*" for actions without one.
	Resource string
	// Owner is the account that owns the resource; empty means that of the principal.
	Owner string
	// Context tells the condition keys; nil knows none.
	Context Context
	// ResourceRequired is for resources whose own policy must allow in any case: KMS keys and
	// the trust policies of roles.
	ResourceRequired bool
	// SessionLimitsGrants makes session policies also limit a resource policy that names the
	// session, a reading of AWS's documentation that is disputed.
	SessionLimitsGrants bool
}

// Reason says how a request was decided.
type Reason uint8

// The reasons.
const (
	// ImplicitDeny is that nothing allows it; [Decision.Layer] is the layer that would have to.
	ImplicitDeny Reason = iota
	// ExplicitDeny is a matching Deny statement.
	ExplicitDeny
	// Allowed is a matching Allow.
	Allowed
	// AllowedRoot is the root user in its own account.
	AllowedRoot
)

// Decision is the answer to a request.
type Decision struct {
	Allowed bool
	Reason  Reason
	// Layer is the layer that decided, or that blocked.
	Layer Layer
	// By is the statement that decided; empty for an implicit deny and for the root user.
	By Statement
	// CrossAccount tells that the resource belongs to another account.
	CrossAccount bool
}

// Statement names one statement of a document.
type Statement struct {
	// Policy is the document's name, Index the position in it from 0, Sid its Sid or "".
	Policy string
	Index  int
	Sid    string
}

// hit is the outcome of a layer.
type hit struct {
	denied, allowed bool
	grant           grant
	deny, allow     Statement
}

// Evaluate decides r under ps.
func Evaluate(r *Request, ps *Policies) Decision {
	return evaluate(r, ps, nil)
}

// evaluation is one run; trace is nil unless statements are to be recorded.
type evaluation struct {
	r        *Request
	ps       *Policies
	context  Context
	action   string // lower case
	service  string
	boundary bool
	trace    *[]Trace
}

func evaluate(r *Request, ps *Policies, trace *[]Trace) Decision {
	e := &evaluation{r: r, ps: ps, context: r.Context, action: strings.ToLower(r.Action), boundary: ps.Boundary != nil, trace: trace}
	if e.context == nil {
		e.context = Keys(nil)
	}
	e.service, _, _ = strings.Cut(e.action, ":")
	owner := r.Owner
	if owner == "" {
		owner = r.Principal.Account
	}
	d := e.decide(owner)
	d.CrossAccount = r.Principal.Account != "" && owner != r.Principal.Account
	return d
}

// decide runs the layers in order. Every layer is looked at for a Deny before any Allow counts.
func (e *evaluation) decide(owner string) Decision {
	p := &e.r.Principal
	member := p.Kind != Anonymous && p.Kind != Service
	var res, ident, bound, sess hit
	var guards []guard
	if member {
		guards = append(guards, e.guard(LayerSCP, e.ps.SCPs)...)
	}
	guards = append(guards, e.guard(LayerRCP, e.ps.RCPs)...)
	res = e.layer(LayerResource, e.ps.Resource)
	if member {
		ident = e.layer(LayerIdentity, e.ps.Identity)
		bound = e.layer(LayerBoundary, e.ps.Boundary)
		sess = e.layer(LayerSession, e.ps.Session)
	}
	for i := range guards {
		if g := &guards[i]; g.denied {
			return Decision{Reason: ExplicitDeny, Layer: g.layer, By: g.deny}
		}
	}
	for _, g := range [...]guard{{LayerResource, res}, {LayerIdentity, ident}, {LayerBoundary, bound}, {LayerSession, sess}} {
		if g.denied {
			return Decision{Reason: ExplicitDeny, Layer: g.layer, By: g.deny}
		}
	}
	for _, g := range guards {
		if !g.allowed {
			return Decision{Layer: g.layer}
		}
	}
	if !member {
		if res.grant == direct {
			return Decision{Allowed: true, Reason: Allowed, Layer: LayerResource, By: res.allow}
		}
		return Decision{Layer: LayerResource}
	}
	if p.Account == owner {
		return e.sameAccount(res, ident, bound, sess)
	}
	return e.crossAccount(res, ident, bound, sess)
}

type guard struct {
	layer Layer
	hit
}

func (e *evaluation) guard(l Layer, levels [][]Document) []guard {
	var out []guard
	for _, level := range levels {
		out = append(out, guard{l, e.layer(l, level)})
	}
	return out
}

// limits returns the layer, of boundary and session, that does not allow; LayerNone if both do.
func (e *evaluation) limits(bound, sess hit) Layer {
	if e.ps.Boundary != nil && !bound.allowed {
		return LayerBoundary
	}
	if e.ps.Session != nil && !sess.allowed {
		return LayerSession
	}
	return LayerNone
}

func (e *evaluation) sameAccount(res, ident, bound, sess hit) Decision {
	p := &e.r.Principal
	limit := e.limits(bound, sess)
	byResource := Decision{Allowed: true, Reason: Allowed, Layer: LayerResource, By: res.allow}
	switch {
	case res.grant == direct:
		if e.r.SessionLimitsGrants && limit == LayerSession {
			return Decision{Layer: limit}
		}
		return byResource
	case res.grant == toRole:
		// A federated user's policies limit what its user is granted in the same way.
		if limit != LayerNone {
			return Decision{Layer: limit}
		}
		return byResource
	case p.Kind == Root && !e.r.ResourceRequired:
		return Decision{Allowed: true, Reason: AllowedRoot, Layer: LayerIdentity}
	case e.r.ResourceRequired && res.grant == noGrant:
		return Decision{Layer: LayerResource}
	case p.Kind == Root:
		return byResource
	case !ident.allowed:
		return Decision{Layer: LayerIdentity}
	case limit != LayerNone:
		return Decision{Layer: limit}
	}
	return Decision{Allowed: true, Reason: Allowed, Layer: LayerIdentity, By: ident.allow}
}

func (e *evaluation) crossAccount(res, ident, bound, sess hit) Decision {
	limit := e.limits(bound, sess)
	switch {
	case res.grant == noGrant:
		return Decision{Layer: LayerResource}
	case e.r.Principal.Kind == Root:
		return Decision{Allowed: true, Reason: Allowed, Layer: LayerResource, By: res.allow}
	case !ident.allowed:
		return Decision{Layer: LayerIdentity}
	case limit != LayerNone:
		return Decision{Layer: limit}
	}
	return Decision{Allowed: true, Reason: Allowed, Layer: LayerResource, By: res.allow}
}

// layer looks at the documents of a layer.
func (e *evaluation) layer(l Layer, docs []Document) (h hit) {
	for i := range docs {
		p := docs[i].Policy
		for _, n := range p.byService[e.service] {
			e.statement(l, &docs[i], n, &h)
		}
		for _, n := range p.general {
			e.statement(l, &docs[i], n, &h)
		}
		if h.denied && e.trace == nil {
			return h
		}
	}
	return h
}

// statement adds the outcome of one statement.
func (e *evaluation) statement(l Layer, d *Document, n int, h *hit) {
	s := &d.Policy.statements[n]
	failed, g := e.matches(l, s)
	if e.trace != nil {
		*e.trace = append(*e.trace, Trace{Layer: l, Statement: Statement{d.Name, n, s.sid}, Allow: s.allow, Matched: failed == "", Failed: failed})
	}
	if failed != "" {
		return
	}
	if !s.allow {
		if !h.denied {
			h.denied, h.deny = true, Statement{d.Name, n, s.sid}
		}
		return
	}
	if !h.allowed || g > h.grant {
		h.allowed, h.allow, h.grant = true, Statement{d.Name, n, s.sid}, g
	}
}

// matches returns "" when the statement applies, and else the element that keeps it from it.
func (e *evaluation) matches(l Layer, s *statement) (failed string, g grant) {
	if !s.matchesAction(e.action) {
		return "action", noGrant
	}
	if s.principals != nil && l == LayerResource {
		if g = s.principals.grant(&e.r.Principal, e.boundary && !s.allow); g == noGrant {
			return "principal", noGrant
		}
	}
	if !s.matchesResource(e.r.Resource, e.context) {
		return "resource", noGrant
	}
	for i := range s.conditions {
		if !s.conditions[i].match(e.context) {
			return "condition " + s.conditions[i].name, noGrant
		}
	}
	return "", g
}

// Trace tells what one statement said to a request.
type Trace struct {
	Layer     Layer
	Statement Statement
	// Allow is the statement's effect.
	Allow bool
	// Matched tells whether it applies; Failed names the element that kept it from it: action,
	// principal, resource, or "condition KEY".
	Matched bool
	Failed  string
}

// String returns the trace as a sentence, for people.
func (t *Trace) String() string {
	effect, verdict := "Deny", "applies"
	if t.Allow {
		effect = "Allow"
	}
	if !t.Matched {
		verdict = "does not apply: its " + t.Failed + " does not match"
	}
	name := "statement " + strconv.Itoa(t.Statement.Index+1)
	if t.Statement.Sid != "" {
		name += " (" + t.Statement.Sid + ")"
	}
	return effect + " in " + name + " of " + t.Statement.Policy + ", " + article(t.Layer) + t.Layer.String() + ", " + verdict
}

// Explain decides r and returns what every statement of the service said.
func Explain(r *Request, ps *Policies) (Decision, []Trace) {
	var trace []Trace
	d := evaluate(r, ps, &trace)
	return d, trace
}

// Message returns AWS's text for a refused request.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func (d *Decision) Message(r *Request) string {
	var b strings.Builder
	who := r.Principal.ARN
	switch r.Principal.Kind {
	case Anonymous:
		who = "anonymous"
	case Service:
		who = r.Principal.Service
	case Root, User, Session, Federated:
	}
	b.WriteString("User: " + who + " is not authorized to perform: " + r.Action)
	if r.Resource != "" && r.Resource != "*" {
		b.WriteString(" on resource: " + r.Resource)
	}
	if d.Reason == ExplicitDeny {
		return b.String() + " with an explicit deny in " + article(d.Layer) + d.Layer.String()
	}
	return b.String() + " because no " + d.Layer.String() + " allows the " + r.Action + " action"
}

func article(l Layer) string {
	if l == LayerIdentity {
		return "an "
	}
	return "a "
}
