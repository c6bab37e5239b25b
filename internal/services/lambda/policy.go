package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// policy is the record of the resource policy of a function, a version or an alias.
type policy struct {
	Revision   string
	Statements []statement
	// Version and ID are those of a document that was put as a whole; empty for those of permissions.
	Version string `json:",omitempty"`
	ID      string `json:",omitempty"`
}

// statement is a statement of a policy, as JSON.
type statement struct {
	Sid  string
	text json.RawMessage
}

// MarshalJSON returns the statement's text.
func (s statement) MarshalJSON() ([]byte, error) { return s.text, nil }

// UnmarshalJSON keeps a statement's text.
func (s *statement) UnmarshalJSON(b []byte) error {
	var named struct{ Sid string }
	if err := json.Unmarshal(b, &named); err != nil {
		return err
	}
	s.Sid, s.text = named.Sid, bytes.Clone(b)
	return nil
}

// permission is the statement of a permission, in the order of keys in which AWS writes it.
type permission struct {
	Sid       string
	Effect    string
	Principal any // "*" or a map of one kind to one principal
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// statement returns the permission as JSON.
func (p *permission) statement() (statement, error) {
	text, err := json.Marshal(p)
	return statement{p.Sid, text}, err
}

// document is the policy as JSON.
func (p *policy) document() (string, error) {
	doc := struct {
		Version   string
		ID        string `json:"Id,omitempty"`
		Statement []statement
	}{p.Version, p.ID, p.Statements}
	if doc.Version == "" {
		doc.Version, doc.ID = "2012-10-17", "default"
	}
	b, err := json.Marshal(doc)
	return string(b), err
}

var servicePrincipals = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?$`)

var accountID = regexp.MustCompile(`^\d{12}$`)

// text is document, and empty for a policy without statements.
func (p *policy) text() (string, error) {
	if len(p.Statements) == 0 {
		return "", nil
	}
	return p.document()
}

// maxPolicy is the size of a policy document in bytes, https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
const maxPolicy = 20 << 10

// add adds a statement whose id is new.
func (p *policy) add(s statement) error {
	if slices.ContainsFunc(p.Statements, func(have statement) bool { return have.Sid == s.Sid }) {
		return conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", s.Sid)
	}
	p.Statements = append(p.Statements, s)
	doc, err := p.document()
	if err == nil && len(doc) > maxPolicy {
		err = service.Errorf("PolicyLengthExceededException", "The final policy size (%d) is bigger than the limit (%d).", len(doc), maxPolicy)
	}
	return err
}

// remove removes the statement with an id.
func (p *policy) remove(id string) error {
	if len(p.Statements) == 0 {
		return notFound("No policy is associated with the given resource.")
	}
	i := slices.IndexFunc(p.Statements, func(s statement) bool { return s.Sid == id })
	if i < 0 {
		return notFound("Statement %s is not found in resource policy.", id)
	}
	p.Statements = slices.Delete(p.Statements, i, i+1)
	return nil
}

// when adds a condition, unless the value is nil.
func (p *permission) when(operator, key string, value *string) {
	if value == nil {
		return
	}
	if p.Condition == nil {
		p.Condition = map[string]map[string]string{}
	}
	if p.Condition[operator] == nil {
		p.Condition[operator] = map[string]string{}
	}
	p.Condition[operator][key] = *value
}

// principalOf writes the principal of a permission as policies do.
func principalOf(p string) (any, error) {
	switch {
	case p == "*":
		return p, nil
	case strings.HasPrefix(p, "arn:"):
		return map[string]string{"AWS": p}, nil
	case accountID.MatchString(p):
		return map[string]string{"AWS": "arn:aws:iam::" + p + ":root"}, nil
	case servicePrincipals.MatchString(p):
		return map[string]string{"Service": p}, nil
	}
	return nil, invalid("The provided principal was invalid. Please check the principal and try again.")
}

// newStatement writes a permission as a statement.
func newStatement(r ref, in *api.AddPermissionInput) (statement, error) {
	principal, err := principalOf(in.Principal)
	s := permission{Sid: in.StatementId, Effect: "Allow", Principal: principal, Action: in.Action, Resource: r.arn()}
	s.when("ArnLike", "AWS:SourceArn", in.SourceArn)
	s.when("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	s.when("StringEquals", "aws:PrincipalOrgID", in.PrincipalOrgID)
	s.when("StringEquals", "lambda:EventSourceToken", in.EventSourceToken)
	s.when("StringEquals", "lambda:FunctionUrlAuthType", optional(in.FunctionUrlAuthType))
	if in.InvokedViaFunctionUrl != nil {
		s.when("Bool", "lambda:InvokedViaFunctionUrl", ptr(strconv.FormatBool(*in.InvokedViaFunctionUrl)))
	}
	if err != nil {
		return statement{}, err
	}
	return s.statement()
}

func (l *Lambda) addPermission(ctx context.Context, in *api.AddPermissionInput) (*api.AddPermissionOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if r.qualifier == latest {
		return nil, invalid("We currently do not support adding policies for $LATEST.")
	}
	s, err := newStatement(r, in)
	if err != nil {
		return nil, err
	}
	err = l.changePolicy(ctx, r, in.RevisionId, func(tx store.Txn, p *policy) error {
		if err := checkQualifier(tx, r); err != nil {
			return err
		}
		return p.add(s)
	})
	if err != nil {
		return nil, err
	}
	return &api.AddPermissionOutput{Statement: ptr(string(s.text))}, nil
}

// checkQualifier fails when the function, version or alias does not exist.
func checkQualifier(rd store.Reader, r ref) error {
	if _, err := loadFunction(rd, r.with("")); err != nil {
		return err
	}
	if isAlias(r.qualifier) && validAlias.MatchString(r.qualifier) {
		_, err := loadAlias(rd, r, r.qualifier)
		return err
	}
	_, _, err := resolve(rd, r)
	return err
}

var validAlias = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,128}$`)

func (l *Lambda) removePermission(ctx context.Context, in *api.RemovePermissionInput) (*api.RemovePermissionOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = l.changePolicy(ctx, r, in.RevisionId, func(tx store.Txn, p *policy) error {
		if exists, err := record.Has(tx, r.scope.function(r.name)); err != nil || !exists {
			if err != nil {
				return err
			}
			return notFound("No policy found for: %s", r.arn())
		}
		if err := checkQualifier(tx, r); err != nil {
			return err
		}
		return p.remove(in.StatementId)
	})
	return &api.RemovePermissionOutput{}, err
}

// changePolicy changes the policy of what r names, in one transaction, and gives that a new revision.
func (l *Lambda) changePolicy(ctx context.Context, r ref, revision *string, change func(tx store.Txn, p *policy) error) error {
	id, err := l.newID()
	if err != nil {
		return err
	}
	return unavailable(l.deps.Store.Update(ctx, func(tx store.Txn) error {
		at := r.scope.policy(r.name, r.qualifier)
		p, _, err := record.Get[policy](tx, at)
		if err != nil {
			return err
		}
		if revision != nil && *revision == p.Revision {
			revision = nil // a version that was published since has given the function a new one, and not the policy
		}
		if err := change(tx, &p); err != nil {
			return err
		}
		if err := reviseFor(tx, r, revision, id); err != nil {
			return err
		}
		if p.Revision = id; len(p.Statements) == 0 {
			tx.Delete(at)
			return nil
		}
		return record.Set(tx, at, p)
	}))
}

// reviseFor gives the function, version or alias with a changed policy a new revision, if it has the one that is expected. Its execution
// environments are not affected.
func reviseFor(tx store.Txn, r ref, want *string, id string) error {
	check := func(have string) error {
		if want != nil && *want != have {
			return service.Errorf("PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id").WithStatus(http.StatusPreconditionFailed)
		}
		return nil
	}
	switch {
	case isAlias(r.qualifier):
		a, err := loadAlias(tx, r, r.qualifier)
		if err == nil {
			err = check(a.Revision)
		}
		if err != nil {
			return err
		}
		a.Revision = id
		return record.Set(tx, r.scope.alias(r.name, a.Name), a)
	case r.qualifier == "":
		f, err := loadFunction(tx, r)
		if err == nil {
			err = check(f.Latest.revision())
		}
		if err != nil {
			return err
		}
		f.Latest.OuterRevision = id
		return record.Set(tx, r.scope.function(r.name), f)
	}
	v, ok, err := record.Get[published](tx, r.scope.version(r.name, r.qualifier))
	if err != nil || !ok {
		return orNotFound(err, r)
	}
	if err := check(v.revision()); err != nil {
		return err
	}
	v.OuterRevision = id
	return record.Set(tx, r.scope.version(r.name, r.qualifier), v)
}

func (l *Lambda) getPolicy(ctx context.Context, in *api.GetPolicyInput) (*api.GetPolicyOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	out := &api.GetPolicyOutput{}
	if out.Policy, out.RevisionId, err = l.resourcePolicy(ctx, r); err != nil {
		return nil, err
	}
	return out, nil
}

// policyOf is the policy document that decides about calls to r; empty without one.
func policyOf(rd store.Reader, r ref) (string, error) {
	q := r.qualifier
	if q == latest {
		q = ""
	}
	p, ok, err := record.Get[policy](rd, r.scope.policy(r.name, q))
	if err != nil || !ok {
		return "", err
	}
	return p.document()
}
