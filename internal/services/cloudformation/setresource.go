package cloudformation

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// stackSetProperties are the properties of AWS::CloudFormation::StackSet, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stackset.html.
type stackSetProperties struct {
	StackSetName          string                  `cfn:"StackSetName,required,createOnly"`
	PermissionModel       string                  `cfn:"PermissionModel,required,createOnly"`
	Description           *string                 `cfn:"Description"`
	TemplateBody          *string                 `cfn:"TemplateBody"`
	TemplateURL           *string                 `cfn:"TemplateURL,writeOnly"`
	Parameters            []parameterProperty     `cfn:"Parameters,unordered"`
	Capabilities          []string                `cfn:"Capabilities,unordered"`
	Tags                  []service.TagProperty   `cfn:"Tags"`
	AdministrationRoleARN *string                 `cfn:"AdministrationRoleARN"`
	ExecutionRoleName     *string                 `cfn:"ExecutionRoleName"`
	ManagedExecution      *managedProperty        `cfn:"ManagedExecution"`
	CallAs                string                  `cfn:"CallAs,writeOnly"`
	OperationPreferences  *preferencesProperty    `cfn:"OperationPreferences,writeOnly"`
	StackInstancesGroup   []instancesPropertyItem `cfn:"StackInstancesGroup,writeOnly,unordered"`
}

type parameterProperty struct {
	ParameterKey   string `cfn:"ParameterKey,required"`
	ParameterValue string `cfn:"ParameterValue,required"`
}

type managedProperty struct {
	Active *bool `cfn:"Active"`
}

type preferencesProperty struct {
	RegionConcurrencyType      string   `cfn:"RegionConcurrencyType"`
	RegionOrder                []string `cfn:"RegionOrder"`
	FailureToleranceCount      *int32   `cfn:"FailureToleranceCount"`
	FailureTolerancePercentage *int32   `cfn:"FailureTolerancePercentage"`
	MaxConcurrentCount         *int32   `cfn:"MaxConcurrentCount"`
	MaxConcurrentPercentage    *int32   `cfn:"MaxConcurrentPercentage"`
	ConcurrencyMode            string   `cfn:"ConcurrencyMode"`
}

// instancesPropertyItem names stacks of the set, and the values of parameters that they have otherwise.
type instancesPropertyItem struct {
	DeploymentTargets struct {
		Accounts []string `cfn:"Accounts,required,unordered"`
	} `cfn:"DeploymentTargets,required"`
	Regions            []string            `cfn:"Regions,required,unordered"`
	ParameterOverrides []parameterProperty `cfn:"ParameterOverrides,unordered"`
}

func (s *Service) stackSetType() service.ResourceType {
	return service.NewResourceType("AWS::CloudFormation::StackSet", service.ResourceSpec[stackSetProperties]{
		Attributes: []string{"StackSetId"}, Create: s.createSetResource, Update: s.updateSetResource, Delete: s.deleteSetResource,
		Identifier: []string{"StackSetId"}, Read: s.readSetResource, Missing: []string{"StackSetNotFoundException"},
		List: service.Pages(s.Door, "cloudformation", "ListStackSets",
			func(_ *stackSetProperties, next *string) any {
				return &cloudformation.ListStackSetsInput{NextToken: next, Status: cloudformation.StackSetStatusActive}
			},
			func(out *cloudformation.ListStackSetsOutput) ([]cloudformation.StackSetSummary, *string) {
				return out.Summaries, out.NextToken
			},
			func(_ *stackSetProperties, item *cloudformation.StackSetSummary) service.Identifier {
				return service.Identifier{*item.StackSetId}
			}),
	})
}

func setResource(id string) service.Resource {
	return service.Resource{PhysicalID: id, Attributes: map[string]any{"StackSetId": id}}
}

func (s *Service) createSetResource(ctx context.Context, c service.ResourceCall, p *stackSetProperties) (service.Resource, error) {
	in := reshape.To[cloudformation.CreateStackSetInput](p)
	in.ClientRequestToken, in.Tags = &c.Token, tags(c.UserTags(p.Tags))
	out, err := service.Call[cloudformation.CreateStackSetOutput](ctx, s.Door, "cloudformation", "CreateStackSet", in)
	if c.Retry && service.Code(err) == "CreatedButModifiedException" { // an earlier try made it, and stacks of it
		var set *stackSetRecord
		set, err = s.readSet(ctx, p.StackSetName, p.CallAs)
		if err == nil {
			out = &cloudformation.CreateStackSetOutput{StackSetId: &set.ID}
		}
	}
	if err != nil {
		return service.Resource{}, err
	}
	return setResource(*out.StackSetId), s.reconcile(ctx, c, &stackSetProperties{}, p)
}

// updateSetResource brings a stack set to what its template says, and then its stacks: those that go first.
func (s *Service) updateSetResource(ctx context.Context, c service.ResourceCall, old, p *stackSetProperties) (service.Resource, error) {
	r := setResource(c.PhysicalID)
	before, after := *old, *p
	before.StackInstancesGroup, after.StackInstancesGroup = nil, nil
	if !reflect.DeepEqual(before, after) {
		in := reshape.To[cloudformation.UpdateStackSetInput](p)
		in.OperationId, in.Tags = new(c.Token+"-set"), append([]cloudformation.Tag{}, tags(c.UserTags(p.Tags))...) // without any, those that the set has go
		if _, err := service.Call[cloudformation.UpdateStackSetOutput](ctx, s.Door, "cloudformation", "UpdateStackSet", in); !begun(err) {
			return r, err
		}
		if err := s.finished(ctx, p, *in.OperationId); err != nil {
			return r, err
		}
	}
	return r, s.reconcile(ctx, c, old, p)
}

func (s *Service) deleteSetResource(ctx context.Context, c service.ResourceCall, p *stackSetProperties) error {
	const missing = "StackSetNotFoundException"
	have := map[setTarget]string{}
	in := &cloudformation.ListStackInstancesInput{StackSetName: p.StackSetName, CallAs: p.CallAs}
	for {
		out, err := service.Call[cloudformation.ListStackInstancesOutput](ctx, s.Door, "cloudformation", "ListStackInstances", in)
		if err != nil {
			return service.Unless(err, missing)
		}
		for _, i := range out.Summaries {
			have[setTarget{*i.Account, *i.Region}] = ""
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if err := s.eachBatch(ctx, c, p, "delete", have); err != nil {
		return err
	}
	_, err := s.Door.Call(ctx, "cloudformation", "DeleteStackSet", &cloudformation.DeleteStackSetInput{StackSetName: p.StackSetName, CallAs: p.CallAs})
	return service.Unless(err, missing)
}

func (s *Service) readSetResource(ctx context.Context, id service.Identifier) (*stackSetProperties, service.Resource, error) {
	out, err := service.Call[cloudformation.DescribeStackSetOutput](ctx, s.Door, "cloudformation", "DescribeStackSet", &cloudformation.DescribeStackSetInput{StackSetName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	if out.StackSet.Status == cloudformation.StackSetStatusDeleted {
		return nil, service.Resource{}, service.ErrGone
	}
	return reshape.To[stackSetProperties](out.StackSet), setResource(*out.StackSet.StackSetId), nil
}

// wanted are the stacks that properties name, each with its own values of parameters as JSON.
func (p *stackSetProperties) wanted() (map[setTarget]string, error) {
	out := map[setTarget]string{}
	for _, group := range p.StackInstancesGroup {
		values := slices.SortedFunc(slices.Values(group.ParameterOverrides), func(a, b parameterProperty) int { return cmp.Compare(a.ParameterKey, b.ParameterKey) })
		text, err := json.Marshal(values)
		if err != nil {
			return nil, fmt.Errorf("encode parameters: %w", err)
		}
		for _, account := range group.DeploymentTargets.Accounts {
			for _, region := range group.Regions {
				out[setTarget{account, region}] = string(text)
			}
		}
	}
	return out, nil
}

// reconcile brings the stacks of a set from what old names to what p names.
func (s *Service) reconcile(ctx context.Context, c service.ResourceCall, old, p *stackSetProperties) error {
	have, err := old.wanted()
	if err != nil {
		return err
	}
	want, err := p.wanted()
	if err != nil {
		return err
	}
	gone, fresh, changed := map[setTarget]string{}, map[setTarget]string{}, map[setTarget]string{}
	for t := range have {
		if _, stays := want[t]; !stays {
			gone[t] = ""
		}
	}
	for t, values := range want {
		if before, had := have[t]; !had {
			fresh[t] = values
		} else if before != values {
			changed[t] = values
		}
	}
	if err := s.eachBatch(ctx, c, p, "delete", gone); err != nil {
		return err
	}
	if err := s.eachBatch(ctx, c, p, "update", changed); err != nil {
		return err
	}
	return s.eachBatch(ctx, c, p, "create", fresh)
}

// batch are stacks that one operation works on: some accounts in the same regions with the same values.
type batch struct {
	accounts, regions []string
	values            string
}

// batches puts stacks together, in an order that depends on them alone.
func batches(targets map[setTarget]string) []batch {
	type kind struct{ account, values string }
	regions := map[kind][]string{}
	for t, values := range targets {
		regions[kind{t.Account, values}] = append(regions[kind{t.Account, values}], t.Region)
	}
	together := map[string]*batch{}
	for k, list := range regions {
		slices.Sort(list)
		key := strings.Join(list, " ") + k.values
		if together[key] == nil {
			together[key] = &batch{regions: list, values: k.values}
		}
		together[key].accounts = append(together[key].accounts, k.account)
	}
	var out []batch
	for _, key := range slices.Sorted(maps.Keys(together)) {
		slices.Sort(together[key].accounts)
		out = append(out, *together[key])
	}
	return out
}

// eachBatch runs an operation for each batch of stacks, one after the other, and waits for it. Its id is the same for every try of the step, so that one that began is not begun again.
func (s *Service) eachBatch(ctx context.Context, c service.ResourceCall, p *stackSetProperties, action string, targets map[setTarget]string) error {
	for n, b := range batches(targets) {
		id := fmt.Sprintf("%s-%s-%d", c.Token, action, n)
		if err := s.operateBatch(ctx, p, action, id, b); !begun(err) {
			return err
		}
		if err := s.finished(ctx, p, id); err != nil {
			return err
		}
	}
	return nil
}

// begun tells that an operation goes on, or did: by this call or by one of an earlier try.
func begun(err error) bool {
	return err == nil || service.Code(err) == "OperationIdAlreadyExistsException"
}

func (s *Service) operateBatch(ctx context.Context, p *stackSetProperties, action, id string, b batch) error {
	var values []cloudformation.Parameter
	if b.values != "" {
		var list []parameterProperty
		if err := json.Unmarshal([]byte(b.values), &list); err != nil {
			return fmt.Errorf("decode parameters: %w", err)
		}
		values = []cloudformation.Parameter{}
		for _, v := range list {
			values = append(values, cloudformation.Parameter{ParameterKey: &v.ParameterKey, ParameterValue: &v.ParameterValue})
		}
	}
	preferences := reshape.To[cloudformation.CreateStackInstancesInput](map[string]any{"OperationPreferences": p.OperationPreferences}).OperationPreferences
	if preferences != nil && !slices.ContainsFunc(preferences.RegionOrder, func(r string) bool { return slices.Contains(b.regions, r) }) {
		preferences.RegionOrder = nil
	}
	var in any
	operation := "CreateStackInstances"
	switch action {
	case "delete":
		operation = "DeleteStackInstances"
		in = &cloudformation.DeleteStackInstancesInput{StackSetName: p.StackSetName, CallAs: p.CallAs, OperationId: &id, Accounts: b.accounts, Regions: b.regions, OperationPreferences: preferences, RetainStacks: false}
	case "update":
		operation = "UpdateStackInstances"
		in = &cloudformation.UpdateStackInstancesInput{StackSetName: p.StackSetName, CallAs: p.CallAs, OperationId: &id, Accounts: b.accounts, Regions: b.regions, OperationPreferences: preferences, ParameterOverrides: values}
	default:
		in = &cloudformation.CreateStackInstancesInput{StackSetName: p.StackSetName, CallAs: p.CallAs, OperationId: &id, Accounts: b.accounts, Regions: b.regions, OperationPreferences: preferences, ParameterOverrides: values}
	}
	_, err := s.Door.Call(ctx, "cloudformation", operation, in)
	return err
}

// finished waits for the end of an operation on a stack set. One that did not succeed is an error with the reason of its first stack that failed.
func (s *Service) finished(ctx context.Context, p *stackSetProperties, id string) error {
	told, stop := s.board.watch(id)
	defer stop()
	for {
		_, op, err := s.findSetOperation(ctx, p.StackSetName, id, p.CallAs)
		if err != nil || op.Status == cloudformation.StackSetOperationStatusSucceeded {
			return err
		}
		if !op.active() {
			return s.whyFailed(ctx, p, &op)
		}
		select {
		case <-told:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Service) whyFailed(ctx context.Context, p *stackSetProperties, op *setOperationRecord) error {
	out, err := service.Call[cloudformation.ListStackSetOperationResultsOutput](ctx, s.Door, "cloudformation", "ListStackSetOperationResults",
		&cloudformation.ListStackSetOperationResultsInput{StackSetName: p.StackSetName, OperationId: op.ID, CallAs: p.CallAs})
	if err != nil {
		return err
	}
	for _, r := range out.Summaries {
		if r.Status == cloudformation.StackSetOperationResultStatusFailed {
			return invalid("The operation %s on the stack set %s ended as %s: the stack in account %s and region %s failed: %s", op.ID, p.StackSetName, op.Status, opt.Value(r.Account), opt.Value(r.Region), opt.Value(r.StatusReason))
		}
	}
	return invalid("The operation %s on the stack set %s ended as %s.", op.ID, p.StackSetName, op.Status)
}
