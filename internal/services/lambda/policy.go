package lambda

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
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
}

// statement is one permission, in the order of keys in which AWS writes it.
type statement struct {
	Sid       string
	Effect    string
	Principal any // "*" or a map of one kind to one principal
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// document is the policy as JSON.
func (p *policy) document() (string, error) {
	b, err := json.Marshal(struct {
		Version   string
		ID        string `json:"Id"`
		Statement []statement
	}{"2012-10-17", "default", p.Statements})
	return string(b), err
}

var accountID = regexp.MustCompile(`^\d{12}$`)

// newStatement writes a permission as a statement.
func newStatement(r ref, in *api.AddPermissionInput) (statement, error) {
	s := statement{Sid: in.StatementId, Effect: "Allow", Action: in.Action, Resource: r.arn()}
	switch p := in.Principal; {
	case p == "*":
		s.Principal = p
	case strings.HasPrefix(p, "arn:"):
		s.Principal = map[string]string{"AWS": p}
	case accountID.MatchString(p):
		s.Principal = map[string]string{"AWS": "arn:aws:iam::" + p + ":root"}
	case strings.Contains(p, ".") && !strings.ContainsAny(p, " :/"):
		s.Principal = map[string]string{"Service": p}
	default:
		return s, invalid("The provided principal was invalid. Please check the principal and try again.")
	}
	add := func(operator, key string, value *string) {
		if value == nil {
			return
		}
		if s.Condition == nil {
			s.Condition = map[string]map[string]string{}
		}
		if s.Condition[operator] == nil {
			s.Condition[operator] = map[string]string{}
		}
		s.Condition[operator][key] = *value
	}
	add("ArnLike", "AWS:SourceArn", in.SourceArn)
	add("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	add("StringEquals", "aws:PrincipalOrgID", in.PrincipalOrgID)
	add("StringEquals", "lambda:EventSourceToken", in.EventSourceToken)
	if in.FunctionUrlAuthType != "" {
		add("StringEquals", "lambda:FunctionUrlAuthType", &in.FunctionUrlAuthType)
	}
	if in.InvokedViaFunctionUrl != nil {
		value := map[bool]string{true: "true", false: "false"}[*in.InvokedViaFunctionUrl]
		add("Bool", "lambda:InvokedViaFunctionUrl", &value)
	}
	return s, nil
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
	err = l.changePolicy(ctx, r, in.RevisionId, func(p *policy) error {
		if slices.ContainsFunc(p.Statements, func(s statement) bool { return s.Sid == in.StatementId }) {
			return conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", in.StatementId)
		}
		p.Statements = append(p.Statements, s)
		if doc, err := p.document(); err != nil || len(doc) > maxPolicy {
			return service.Errorf("PolicyLengthExceededException", "The final policy size (%d) is bigger than the limit (%d).", len(doc), maxPolicy)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return &api.AddPermissionOutput{Statement: ptr(string(b))}, nil
}

const maxPolicy = 20 << 10 // bytes, https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html

func (l *Lambda) removePermission(ctx context.Context, in *api.RemovePermissionInput) (*api.RemovePermissionOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = l.changePolicy(ctx, r, in.RevisionId, func(p *policy) error {
		if len(p.Statements) == 0 {
			return notFound("No policy is associated with the given resource.")
		}
		i := slices.IndexFunc(p.Statements, func(s statement) bool { return s.Sid == in.StatementId })
		if i < 0 {
			return notFound("Statement %s is not found in resource policy.", in.StatementId)
		}
		p.Statements = slices.Delete(p.Statements, i, i+1)
		return nil
	})
	return &api.RemovePermissionOutput{}, err
}

// changePolicy changes the policy of what r names, in one transaction.
func (l *Lambda) changePolicy(ctx context.Context, r ref, revision *string, change func(p *policy) error) error {
	id, err := l.newID()
	if err != nil {
		return err
	}
	return unavailable(l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, _, err := resolve(tx, r); err != nil {
			return err
		}
		at := r.scope.policy(r.name, r.qualifier)
		p, _, err := record.Get[policy](tx, at)
		if err != nil {
			return err
		}
		if revision != nil && *revision != p.Revision {
			return service.Errorf("PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id").WithStatus(412)
		}
		if err := change(&p); err != nil {
			return err
		}
		if len(p.Statements) == 0 {
			tx.Delete(at)
			return nil
		}
		p.Revision = id
		return record.Set(tx, at, p)
	}))
}

func (l *Lambda) getPolicy(ctx context.Context, in *api.GetPolicyInput) (*api.GetPolicyOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	out := &api.GetPolicyOutput{}
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		if _, _, err := resolve(rd, r); err != nil {
			return err
		}
		p, ok, err := record.Get[policy](rd, r.scope.policy(r.name, r.qualifier))
		if err != nil {
			return err
		}
		if !ok {
			return notFound("The resource you requested does not exist.")
		}
		doc, err := p.document()
		out.Policy, out.RevisionId = &doc, &p.Revision
		return err
	})
	if err != nil {
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
