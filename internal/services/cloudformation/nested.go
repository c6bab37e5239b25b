package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// stackProperties are the properties of AWS::CloudFormation::Stack, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html.
type stackProperties struct {
	TemplateURL      string                `cfn:"TemplateURL,required,writeOnly"`
	Parameters       map[string]string     `cfn:"Parameters"`
	Tags             []service.TagProperty `cfn:"Tags"`
	TimeoutInMinutes *int32                `cfn:"TimeoutInMinutes"`
	NotificationARNs []string              `cfn:"NotificationARNs"`
}

// parentRecord says which stack a nested one belongs to.
type parentRecord struct{ ID, Root, LogicalID string }

// parentKey carries a [parentRecord] to the operation that makes a nested stack.
type parentKey struct{}

func (s *Service) nestedType() service.ResourceType {
	return service.NewResourceType(nestedStack, service.ResourceSpec[stackProperties]{
		Attributes: []string{"Outputs.*"}, Always: true,
		Create: s.createNested, Update: s.updateNested, Delete: s.deleteNested,
		Identifier: []string{"StackId"}, Read: s.readNested,
	})
}

// allCapabilities are what a nested stack may need: the caller of the root stack acknowledged them for the whole.
var allCapabilities = []string{"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"}

func (p *stackProperties) parameters() []cloudformation.Parameter {
	var out []cloudformation.Parameter
	for _, k := range slices.Sorted(maps.Keys(p.Parameters)) {
		out = append(out, cloudformation.Parameter{ParameterKey: ptr(k), ParameterValue: ptr(p.Parameters[k])})
	}
	return out
}

// nestedTags are the tags of a nested stack. It has stubs when its parent has.
func (s *Service) nestedTags(ctx context.Context, c service.ResourceCall, p *stackProperties) ([]cloudformation.Tag, error) {
	var op operationRecord
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		op, _, err = record.Get[operationRecord](r, placeOf(ctx).operation(c.StackID))
		return err
	})
	own := c.UserTags(p.Tags)
	if v, asked := op.Deployment.Tags[deploy.StubTag]; asked {
		own[deploy.StubTag] = v
	}
	return append([]cloudformation.Tag{}, tags(own)...), err // without any, those that the stack has go
}

func (s *Service) createNested(ctx context.Context, c service.ResourceCall, p *stackProperties) (service.Resource, error) {
	name := c.Name(128, nil)
	parent, err := s.findStack(ctx, c.StackID)
	if err != nil {
		return service.Resource{}, err
	}
	root := parent.ID
	if parent.Parent != nil {
		root = parent.Parent.Root
	}
	if have, err := s.findStack(ctx, name); err == nil && c.Retry {
		return s.settled(ctx, have.ID, "CREATE_COMPLETE")
	} else if err != nil && !isMissing(err) {
		return service.Resource{}, err
	}
	given, err := s.nestedTags(ctx, c, p)
	if err != nil {
		return service.Resource{}, err
	}
	out, err := service.Call[cloudformation.CreateStackOutput](context.WithValue(ctx, parentKey{}, parentRecord{parent.ID, root, c.LogicalID}), s.Door, "cloudformation", "CreateStack", &cloudformation.CreateStackInput{
		StackName: name, TemplateURL: &p.TemplateURL, Parameters: p.parameters(), Tags: given, Capabilities: allCapabilities, TimeoutInMinutes: p.TimeoutInMinutes,
		NotificationARNs: p.NotificationARNs, DisableRollback: ptr(parent.DisableRollback), ClientRequestToken: ptr(c.Token),
	})
	if err != nil {
		return service.Resource{}, err
	}
	return s.settled(ctx, *out.StackId, "CREATE_COMPLETE")
}

func (s *Service) updateNested(ctx context.Context, c service.ResourceCall, _, p *stackProperties) (service.Resource, error) {
	st, err := s.findStack(ctx, c.PhysicalID)
	if err != nil {
		return service.Resource{}, err
	}
	if !strings.HasSuffix(st.Status, "_IN_PROGRESS") {
		given, err := s.nestedTags(ctx, c, p)
		if err != nil {
			return service.Resource{}, err
		}
		_, err = service.Call[cloudformation.UpdateStackOutput](ctx, s.Door, "cloudformation", "UpdateStack", &cloudformation.UpdateStackInput{
			StackName: c.PhysicalID, TemplateURL: &p.TemplateURL, Parameters: p.parameters(), Tags: given, Capabilities: allCapabilities, ClientRequestToken: ptr(c.Token),
			NotificationARNs: p.NotificationARNs,
		})
		var e *service.Error
		if err != nil && !(errors.As(err, &e) && e.Message == noUpdates) {
			return service.Resource{}, err
		}
	}
	return s.settled(ctx, c.PhysicalID, "CREATE_COMPLETE", "UPDATE_COMPLETE")
}

func (s *Service) deleteNested(ctx context.Context, c service.ResourceCall, _ *stackProperties) error {
	if _, err := service.Call[cloudformation.DeleteStackOutput](ctx, s.Door, "cloudformation", "DeleteStack", &cloudformation.DeleteStackInput{StackName: c.PhysicalID}); err != nil {
		return err
	}
	_, err := s.settled(ctx, c.PhysicalID, "DELETE_COMPLETE")
	return err
}

// readNested reads a stack by its id. One that is not there, or deleted, is gone.
func (s *Service) readNested(ctx context.Context, id service.Identifier) (*stackProperties, service.Resource, error) {
	out, err := service.Call[cloudformation.DescribeStacksOutput](ctx, s.Door, "cloudformation", "DescribeStacks", &cloudformation.DescribeStacksInput{StackName: &id[0]})
	if isMissing(err) || err == nil && (len(out.Stacks) == 0 || out.Stacks[0].StackStatus == cloudformation.StackStatusDeleteComplete) {
		return nil, service.Resource{}, service.ErrGone
	}
	if err != nil {
		return nil, service.Resource{}, err
	}
	st := &out.Stacks[0]
	p := reshape.To[stackProperties](map[string]any{"Tags": st.Tags, "NotificationARNs": st.NotificationARNs, "TimeoutInMinutes": st.TimeoutInMinutes})
	for _, v := range st.Parameters {
		if p.Parameters == nil {
			p.Parameters = map[string]string{}
		}
		p.Parameters[*v.ParameterKey] = opt.Value(v.ParameterValue)
	}
	r := service.Resource{PhysicalID: *st.StackId, Attributes: map[string]any{}}
	for _, o := range st.Outputs {
		r.Attributes["Outputs."+*o.OutputKey] = opt.Value(o.OutputValue)
	}
	return p, r, nil
}

// settled waits until nothing works on a stack, and returns it as a resource when its status is one of good. A nested stack ends in its own time: it has a limit of
// its own, if any.
func (s *Service) settled(ctx context.Context, id string, good ...string) (service.Resource, error) {
	st, err := s.quiet(ctx, id)
	if err != nil {
		return service.Resource{}, err
	}
	if slices.Contains(good, st.Status) {
		return st.resource(), nil
	}
	return st.resource(), fmt.Errorf("Embedded stack %s was not successfully %s: %s", st.ID, verb(good), st.why())
}

// quiet waits until nothing works on a stack and returns it.
func (s *Service) quiet(ctx context.Context, id string) (*stackRecord, error) {
	told, stop := s.board.watch(id)
	defer stop()
	for {
		st, err := s.findStack(ctx, id)
		if err != nil || !strings.HasSuffix(st.Status, "_IN_PROGRESS") {
			return st, err
		}
		select {
		case <-told:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func verb(good []string) string {
	switch {
	case len(good) > 1:
		return "updated"
	case good[0] == "DELETE_COMPLETE":
		return "deleted"
	}
	return "created"
}

func (st *stackRecord) resource() service.Resource {
	r := service.Resource{PhysicalID: st.ID, Attributes: map[string]any{}}
	for _, o := range st.Outputs {
		r.Attributes["Outputs."+o.Name] = o.Value
	}
	return r
}

func (st *stackRecord) why() string {
	if st.Failure != "" {
		return st.Failure
	}
	return st.Reason
}

// macroProperties are the properties of AWS::CloudFormation::Macro, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-macro.html.
type macroProperties struct {
	Name         string  `cfn:"Name,required,createOnly"`
	FunctionName string  `cfn:"FunctionName,required"`
	Description  *string `cfn:"Description"`
	LogGroupName *string `cfn:"LogGroupName"`
	LogRoleARN   *string `cfn:"LogRoleARN"`
}

func (s *Service) macroType() service.ResourceType {
	put := func(ctx context.Context, c service.ResourceCall, p *macroProperties, fresh bool) (service.Resource, error) {
		place := placeOf(ctx)
		if p.LogGroupName != nil || p.LogRoleARN != nil {
			return service.Resource{}, unsupported("AWS::CloudFormation::Macro", "LogGroupName and LogRoleARN")
		}
		return service.Resource{PhysicalID: p.Name}, s.Store.Update(ctx, func(tx store.Txn) error {
			have, found, err := record.Get[macroRecord](tx, place.macro(p.Name))
			if err != nil {
				return err
			}
			if found && fresh && have.StackID != c.StackID {
				return invalid("A macro with the name %s exists already.", p.Name)
			}
			return record.Set(tx, place.macro(p.Name), macroRecord{Name: p.Name, FunctionName: p.FunctionName, StackID: c.StackID})
		})
	}
	return service.NewResourceType("AWS::CloudFormation::Macro", service.ResourceSpec[macroProperties]{
		Create: func(ctx context.Context, c service.ResourceCall, p *macroProperties) (service.Resource, error) {
			return put(ctx, c, p, true)
		},
		Update: func(ctx context.Context, c service.ResourceCall, _, p *macroProperties) (service.Resource, error) {
			return put(ctx, c, p, false)
		},
		Delete: func(ctx context.Context, c service.ResourceCall, _ *macroProperties) error {
			return s.Store.Update(ctx, func(tx store.Txn) error {
				tx.Delete(placeOf(ctx).macro(c.PhysicalID))
				return nil
			})
		},
	})
}
