package logs

import (
	"context"
	"encoding/json"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of resource policies
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html): how many an account has in a region, and the size of one in characters.
const (
	maxPolicies = 10
	maxPolicy   = 5120
)

// resourcePolicy is the record of a resource policy: it opens the groups of an account and a region to services and other accounts.
type resourcePolicy struct {
	Document string
	Updated  int64 // Unix milliseconds
}

func (l *Logs) putResourcePolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	if in.ResourceArn != nil {
		return l.putGroupPolicy(ctx, in)
	}
	if in.ExpectedRevisionId != nil {
		return nil, invalid("Policies of an account have no revisions: expectedRevisionId needs resourceArn.")
	}
	name, document := opt.Value(in.PolicyName), opt.Value(in.PolicyDocument)
	if name == "" || document == "" {
		return nil, invalid("A resource policy needs policyName and policyDocument.")
	}
	if len(document) > maxPolicy {
		return nil, service.Errorf("LimitExceededException", "Resource limit exceeded. The policy has %d characters; at most %d are allowed.", len(document), maxPolicy)
	}
	if _, err := iam.Parse(document, iam.ResourceBased); err != nil {
		return nil, invalid("The policy document is malformed: %v", err)
	}
	s, p := scopeOf(ctx), resourcePolicy{Document: document, Updated: l.nowMS()}
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		n := 0
		for row, err := range record.Range[resourcePolicy](tx, s.policies().Span()) {
			if err != nil {
				return err
			}
			if string(row.Key) != string(s.policy(name)) {
				n++
			}
		}
		if n >= maxPolicies {
			return service.Errorf("LimitExceededException", "Resource limit exceeded. There are at most %d resource policies in a region: delete one first.", maxPolicies)
		}
		return record.Set(tx, s.policy(name), p)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.PutResourcePolicyOutput{ResourcePolicy: &api.ResourcePolicy{PolicyName: &name, PolicyDocument: &document, LastUpdatedTime: &p.Updated, PolicyScope: "ACCOUNT"}}, nil
}

func (l *Logs) describeResourcePolicies(ctx context.Context, in *api.DescribeResourcePoliciesInput) (*api.DescribeResourcePoliciesOutput, error) {
	if in.ResourceArn != nil || in.PolicyScope == api.PolicyScopeResource {
		return l.describeGroupPolicies(ctx, in)
	}
	s, limit := scopeOf(ctx), limitOf(in.Limit, 50)
	out := &api.DescribeResourcePoliciesOutput{ResourcePolicies: []api.ResourcePolicy{}}
	span := s.policies().Span()
	if in.NextToken != nil {
		span.Lo = append(s.policy(*in.NextToken), 0)
	}
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[resourcePolicy](r, span) {
			if err != nil {
				return err
			}
			if len(out.ResourcePolicies) == limit {
				out.NextToken = out.ResourcePolicies[limit-1].PolicyName
				return nil
			}
			out.ResourcePolicies = append(out.ResourcePolicies, api.ResourcePolicy{
				PolicyName: ptr(s.policyName(row.Key)), PolicyDocument: ptr(row.Value.Document), LastUpdatedTime: ptr(row.Value.Updated), PolicyScope: "ACCOUNT",
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Logs) deleteResourcePolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	if in.ResourceArn != nil {
		return l.deleteGroupPolicy(ctx, in)
	}
	if in.ExpectedRevisionId != nil {
		return nil, invalid("Policies of an account have no revisions: expectedRevisionId needs resourceArn.")
	}
	s := scopeOf(ctx)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		k := s.policy(opt.Value(in.PolicyName))
		if _, ok, err := record.Get[resourcePolicy](tx, k); err != nil {
			return err
		} else if !ok {
			return service.Errorf("ResourceNotFoundException", "Policy with name [%s] does not exist.", opt.Value(in.PolicyName))
		}
		tx.Delete(k)
		return nil
	})
	return &api.DeleteResourcePolicyOutput{}, unavailable(err)
}

// shared returns the target of a call on a log group that resource policies, of its account and its own, may open to its caller. The policies are read for services and for other accounts only: an account's
// own callers have theirs.
func (l *Logs) shared(ctx context.Context, name, target string) ([]service.Target, error) {
	t := service.Target{ARN: target}
	r := service.RequestFrom(ctx)
	if p := r.Principal; p.Kind != service.ServicePrincipal && p.Account == r.Account {
		return []service.Target{t}, nil
	}
	var all struct {
		Version   string
		Statement []json.RawMessage
	}
	all.Version = "2012-10-17"
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[resourcePolicy](r, scopeOf(ctx).policies().Span()) {
			if err != nil {
				return err
			}
			statements, err := statementsOf(row.Value.Document)
			if err != nil {
				return err
			}
			all.Statement = append(all.Statement, statements...)
		}
		g, _, err := record.Get[group](r, scopeOf(ctx).group(name))
		if err != nil || g.Policy == nil {
			return err
		}
		statements, err := statementsOf(g.Policy.Document)
		all.Statement = append(all.Statement, statements...)
		return err
	})
	if err != nil || all.Statement == nil {
		return []service.Target{t}, err
	}
	document, err := json.Marshal(all)
	t.Policy = string(document)
	return []service.Target{t}, err
}

// statementsOf returns the statements of a policy document, which may be one or a list, without their ids: two documents may have the same.
func statementsOf(document string) ([]json.RawMessage, error) {
	var d struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		return nil, err
	}
	var all []map[string]json.RawMessage
	if json.Unmarshal(d.Statement, &all) != nil {
		all = make([]map[string]json.RawMessage, 1)
		if err := json.Unmarshal(d.Statement, &all[0]); err != nil {
			return nil, err
		}
	}
	out := make([]json.RawMessage, len(all))
	for i, statement := range all {
		delete(statement, "Sid")
		var err error
		if out[i], err = json.Marshal(statement); err != nil {
			return nil, err
		}
	}
	return out, nil
}
