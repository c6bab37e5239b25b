package logs

import (
	"context"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// groupPolicy is the resource policy of one log group, a part of its record
// (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutResourcePolicy.html).
type groupPolicy struct {
	resourcePolicy

	Revision string
}

func (p *groupPolicy) shown(s scope, groupName string) api.ResourcePolicy {
	return api.ResourcePolicy{
		PolicyDocument: &p.Document, LastUpdatedTime: &p.Updated, PolicyScope: api.PolicyScopeResource, ResourceArn: ptr(groupARN(s, groupName)), RevisionId: &p.Revision,
	}
}

// policyGroup returns the log group of the caller's that a policy is for.
func policyGroup(ctx context.Context, resource string) (string, error) {
	s := scopeOf(ctx)
	name := groupName(resource)
	if a, err := arn.Parse(resource); err != nil || name == resource || a.Account != s.account || a.Region != s.region {
		return "", invalid("resourceArn %q is not the ARN of a log group in the account and region of the call.", resource)
	}
	return name, nil
}

// expect refuses a change of a policy that is not of the revision that the caller knows; none knows one that is not there.
func (p *groupPolicy) expect(revision *string) error {
	have := ""
	if p != nil {
		have = p.Revision
	}
	if opt.Value(revision) != have {
		return service.Errorf("OperationAbortedException", "The policy was changed since: its revision is %q, not %q. DescribeResourcePolicies tells it.", have, opt.Value(revision))
	}
	return nil
}

func (l *Logs) putGroupPolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	name, err := policyGroup(ctx, *in.ResourceArn)
	document := opt.Value(in.PolicyDocument)
	switch {
	case err != nil:
		return nil, err
	case in.PolicyName != nil:
		return nil, invalid("The policy of a log group has no policyName.")
	case document == "" || len(document) > maxPolicy:
		return nil, invalid("The policy has %d characters; it needs one, and may have %d.", len(document), maxPolicy)
	}
	if _, err := iam.Parse(document, iam.ResourceBased); err != nil {
		return nil, invalid("The policy document is malformed: %v", err)
	}
	revision, err := uuid.New(l.deps.Random)
	if err != nil {
		return nil, err
	}
	p := &groupPolicy{resourcePolicy{Document: document, Updated: l.nowMS()}, revision}
	err = l.changeGroup(ctx, name, func(_ store.Txn, _ scope, g *group) error {
		err := g.Policy.expect(in.ExpectedRevisionId)
		g.Policy = p
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.PutResourcePolicyOutput{ResourcePolicy: ptr(p.shown(scopeOf(ctx), name)), RevisionId: &revision}, nil
}

// describeGroupPolicies shows the policy of one log group, or those of all that have one.
func (l *Logs) describeGroupPolicies(ctx context.Context, in *api.DescribeResourcePoliciesInput) (*api.DescribeResourcePoliciesOutput, error) {
	s := scopeOf(ctx)
	out := &api.DescribeResourcePoliciesOutput{ResourcePolicies: []api.ResourcePolicy{}}
	if in.ResourceArn == nil {
		next, err := record.Page(ctx, l.deps.Store, s.groups(), record.Paging{Token: in.NextToken, Limit: limitOf(in.Limit, 50)}, func(name string, g group) bool {
			if g.Policy != nil {
				out.ResourcePolicies = append(out.ResourcePolicies, g.Policy.shown(s, name))
			}
			return g.Policy != nil
		})
		out.NextToken = next
		return out, err
	}
	name, err := policyGroup(ctx, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	g, err := viewed(ctx, l, func(r store.Reader) (group, error) { return getGroup(r, s, name) })
	if err == nil && g.Policy != nil {
		out.ResourcePolicies = append(out.ResourcePolicies, g.Policy.shown(s, name))
	}
	return out, err
}

func (l *Logs) deleteGroupPolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	name, err := policyGroup(ctx, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &api.DeleteResourcePolicyOutput{}, l.changeGroup(ctx, name, func(_ store.Txn, _ scope, g *group) error {
		if g.Policy == nil {
			return service.Errorf("ResourceNotFoundException", "The log group %s has no policy.", name)
		}
		err := g.Policy.expect(in.ExpectedRevisionId)
		g.Policy = nil
		return err
	})
}

// setGroupPolicy makes the policy of a log group the one that a template wants; nil is none.
func (l *Logs) setGroupPolicy(ctx context.Context, name string, document any) error {
	arn := groupARN(scopeOf(ctx), name)
	have, err := ask[api.DescribeResourcePoliciesOutput](ctx, l, "DescribeResourcePolicies", &api.DescribeResourcePoliciesInput{ResourceArn: &arn})
	if err != nil {
		return err
	}
	var revision *string
	if len(have.ResourcePolicies) > 0 {
		revision = have.ResourcePolicies[0].RevisionId
	}
	text, err := policyText(document)
	switch {
	case err != nil:
		return err
	case text != "":
		return l.call(ctx, "PutResourcePolicy", &api.PutResourcePolicyInput{ResourceArn: &arn, PolicyDocument: &text, ExpectedRevisionId: revision})
	case revision != nil:
		return l.call(ctx, "DeleteResourcePolicy", &api.DeleteResourcePolicyInput{ResourceArn: &arn, ExpectedRevisionId: revision})
	}
	return nil
}
