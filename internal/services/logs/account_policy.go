package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of account policies
// (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutAccountPolicy.html): the size of a document in characters, and of selection criteria in bytes.
const (
	maxAccountPolicy = 30_720
	maxCriteria      = 25 << 10
)

// accountPolicy is the record of an account policy: what holds for all groups of an account and region, or for those that its criteria choose.
type accountPolicy struct {
	Document string
	Criteria string `json:",omitempty"`
	Updated  int64  // Unix milliseconds
	// Filter is the subscription filter that Document describes; Except are the groups that Criteria leaves out.
	Filter *subscription `json:",omitempty"`
	Except []string      `json:",omitempty"`
	// Processors are the transformer that Document describes; Prefixes begin the names of the groups that Criteria choose, all when there are none.
	Processors string   `json:",omitempty"`
	Prefixes   []string `json:",omitempty"`
}

// policyKind is a type of account policies.
type policyKind struct {
	// put, describe and remove are the actions that a caller needs beside that of the operation itself.
	put, describe, remove string
	// read reads the document and the criteria of a policy.
	read func(l *Logs, ctx context.Context, in *api.PutAccountPolicyInput) (accountPolicy, error)
}

// policyKinds are the types of account policies that act here.
var policyKinds = map[string]policyKind{
	"SUBSCRIPTION_FILTER_POLICY": {"logs:PutSubscriptionFilter", "logs:DescribeSubscriptionFilters", "logs:DeleteSubscriptionFilter", (*Logs).accountSubscription},
	"TRANSFORMER_POLICY":         {"logs:PutTransformer", "logs:GetTransformer", "logs:DeleteTransformer", (*Logs).accountTransformer},
}

func (l *Logs) putAccountPolicy(ctx context.Context, in *api.PutAccountPolicyInput) (*api.PutAccountPolicyOutput, error) {
	kind, ok := policyKinds[in.PolicyType]
	if !ok {
		return nil, service.Unsupported("InvalidParameterException", "PutAccountPolicy", "policyType "+in.PolicyType)
	}
	switch {
	case in.PolicyName == "" || strings.HasPrefix(in.PolicyName, "aws/") || strings.Contains(in.PolicyName, "|"):
		return nil, invalid("policyName %q is none: it must not be empty, begin with aws/ or have a |.", in.PolicyName)
	case len([]rune(in.PolicyDocument)) > maxAccountPolicy:
		return nil, invalid("The policy document has more than %d characters.", maxAccountPolicy)
	case len(opt.Value(in.SelectionCriteria)) > maxCriteria:
		return nil, invalid("The selection criteria are larger than %d bytes.", maxCriteria)
	}
	p, err := kind.read(l, ctx, in)
	if err != nil {
		return nil, err
	}
	p.Document, p.Criteria, p.Updated = in.PolicyDocument, opt.Value(in.SelectionCriteria), l.nowMS()
	s := scopeOf(ctx)
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		rules, err := rulesOf(tx, s)
		if err == nil {
			err = rules.take(in.PolicyType, in.PolicyName, &p)
		}
		if err == nil {
			err = checkAccountLoop(tx, s, &p)
		}
		if err != nil {
			return err
		}
		return record.Set(tx, s.accountPolicy(in.PolicyType, in.PolicyName), p)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.PutAccountPolicyOutput{AccountPolicy: ptr(p.shown(s, in.PolicyType, in.PolicyName))}, nil
}

// accountRules are the policies of an account and region that say what happens to log events.
type accountRules struct {
	// subscription is the policy with a subscription filter, if there is one, and name its name.
	subscription *accountPolicy
	name         string
	// transformers are the policies with transformers by their names.
	transformers map[string]*accountPolicy
}

// rulesOf reads the policies of an account and region.
func rulesOf(r store.Reader, s scope) (out accountRules, err error) {
	for row, err := range record.Range[accountPolicy](r, s.accountPolicies().Span()) {
		if err != nil {
			return out, err
		}
		switch _, name := s.accountPolicyName(row.Key); {
		case row.Value.Filter != nil:
			out.subscription, out.name = &row.Value, name
		case row.Value.Processors != "":
			if out.transformers == nil {
				out.transformers = map[string]*accountPolicy{}
			}
			out.transformers[name] = &row.Value
		}
	}
	return out, nil
}

// take tells whether a policy may be put beside those that are there.
func (a *accountRules) take(kind, name string, p *accountPolicy) error {
	if p.Processors != "" {
		return a.takeTransformer(name, p)
	}
	if p.Filter != nil && a.subscription != nil && a.name != name {
		return service.Errorf("LimitExceededException", "Resource limit exceeded. An account has one policy of type %s in a region: change %s, or delete it first.", kind, a.name)
	}
	return nil
}

// filter returns the subscription filter that the account's policy puts on a group.
func (p *accountPolicy) filter(group string) (subscription, bool) {
	if p == nil || p.Filter == nil || slices.Contains(p.Except, group) {
		return subscription{}, false
	}
	return *p.Filter, true
}

// exclusion is the selection criteria of a subscription filter policy.
var exclusion = regexp.MustCompile(`(?s)^\s*LogGroupName\s+NOT\s+IN\s*(\[.*\])\s*$`)

// accountSubscription reads a policy of type SUBSCRIPTION_FILTER_POLICY, and asks its destination.
func (l *Logs) accountSubscription(ctx context.Context, in *api.PutAccountPolicyInput) (p accountPolicy, err error) {
	d, err := readSubscriptionPolicy(in.PolicyDocument)
	if err != nil {
		return p, err
	}
	if criteria := opt.Value(in.SelectionCriteria); criteria != "" {
		if p.Except, err = readNames(exclusion, criteria); err != nil {
			return p, invalid(`selectionCriteria %q are none: a policy of this type takes LogGroupName NOT IN ["a", "b"].`, criteria)
		}
	}
	sub, err := l.newSubscription(ctx, &api.PutSubscriptionFilterInput{
		FilterName: in.PolicyName, FilterPattern: d.FilterPattern, DestinationArn: d.DestinationArn, RoleArn: opt.Of(d.RoleArn), Distribution: d.Distribution,
	})
	if err != nil {
		return p, err
	}
	sub.Account = true
	p.Filter = &sub
	s := scopeOf(ctx)
	if owner, name, ok := destinationOf(sub.Destination); ok {
		return p, l.deps.Store.View(ctx, func(r store.Reader) error {
			_, err := getDestination(r, owner, name)
			return err
		})
	}
	return p, l.try(ctx, s, "*", sub)
}

// subscriptionPolicy is the document of a subscription filter policy.
type subscriptionPolicy struct {
	DestinationArn, RoleArn, FilterPattern, Distribution string
}

func readSubscriptionPolicy(document string) (d subscriptionPolicy, err error) {
	in := json.NewDecoder(bytes.NewReader([]byte(document)))
	in.DisallowUnknownFields()
	if err := in.Decode(&d); err != nil || in.More() {
		return d, invalid("The policy document is malformed: it is one JSON object with DestinationArn, RoleArn, FilterPattern and Distribution. (%v)", err)
	}
	if d.DestinationArn == "" {
		return d, invalid("The policy document has no DestinationArn.")
	}
	if d.Distribution != "" && d.Distribution != "Random" && d.Distribution != "ByLogStream" {
		return d, invalid("Distribution %q is neither Random nor ByLogStream.", d.Distribution)
	}
	return d, nil
}

// readNames reads the list of names in selection criteria.
func readNames(form *regexp.Regexp, criteria string) (names []string, err error) {
	m := form.FindStringSubmatch(criteria)
	if m == nil {
		return nil, invalid("malformed")
	}
	return names, json.Unmarshal([]byte(m[1]), &names)
}

func (p *accountPolicy) shown(s scope, kind, name string) api.AccountPolicy {
	return api.AccountPolicy{
		AccountId: &s.account, PolicyType: kind, PolicyName: &name, PolicyDocument: &p.Document, SelectionCriteria: opt.Of(p.Criteria), Scope: "ALL", LastUpdatedTime: &p.Updated,
	}
}

func (l *Logs) describeAccountPolicies(ctx context.Context, in *api.DescribeAccountPoliciesInput) (*api.DescribeAccountPoliciesOutput, error) {
	if len(in.AccountIdentifiers) > 0 {
		return nil, service.Unsupported("InvalidParameterException", "DescribeAccountPolicies", "accountIdentifiers")
	}
	s := scopeOf(ctx)
	out := &api.DescribeAccountPoliciesOutput{AccountPolicies: []api.AccountPolicy{}}
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[accountPolicy](r, s.accountPolicies().Str(in.PolicyType).Span()) {
			if err != nil {
				return err
			}
			if kind, name := s.accountPolicyName(row.Key); in.PolicyName == nil || *in.PolicyName == name {
				out.AccountPolicies = append(out.AccountPolicies, row.Value.shown(s, kind, name))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Logs) deleteAccountPolicy(ctx context.Context, in *api.DeleteAccountPolicyInput) (*api.DeleteAccountPolicyOutput, error) {
	k := scopeOf(ctx).accountPolicy(in.PolicyType, in.PolicyName)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		_, ok, err := record.Get[accountPolicy](tx, k)
		if err == nil && !ok {
			err = service.Errorf("ResourceNotFoundException", "The account policy %s of type %s does not exist.", in.PolicyName, in.PolicyType)
		}
		tx.Delete(k)
		return err
	})
	return &api.DeleteAccountPolicyOutput{}, unavailable(err)
}

// puttingPolicy returns what a caller of PutAccountPolicy must be allowed: to put on all groups what the policy puts on them, and to send to the destination that it names.
func (l *Logs) puttingPolicy(ctx context.Context, in *api.PutAccountPolicyInput) ([]service.Target, error) {
	targets := policyTargets(ctx, policyKinds[in.PolicyType].put)
	if in.PolicyType != "SUBSCRIPTION_FILTER_POLICY" {
		return targets, nil
	}
	d, err := readSubscriptionPolicy(in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	more, err := l.destinationTarget(ctx, "logs:PutSubscriptionFilter", d.DestinationArn)
	return append(targets, more...), err
}

func policyTargets(ctx context.Context, action string) []service.Target {
	targets := []service.Target{{ARN: "*"}}
	if action != "" {
		targets = append(targets, service.Target{Action: action, ARN: groupTarget(ctx, "*")})
	}
	return targets
}
