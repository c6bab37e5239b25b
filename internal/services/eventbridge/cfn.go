package eventbridge

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// busProperties are the properties of AWS::Events::EventBus.
type busProperties struct {
	Name             string                `cfn:"Name,required,createOnly"`
	Description      *string               `cfn:"Description"`
	EventSourceName  *string               `cfn:"EventSourceName,createOnly,writeOnly"`
	KmsKeyIdentifier *string               `cfn:"KmsKeyIdentifier"`
	DeadLetterConfig *deadLetterProperty   `cfn:"DeadLetterConfig"`
	LogConfig        *logProperty          `cfn:"LogConfig"`
	Policy           any                   `cfn:"Policy"`
	Tags             []service.TagProperty `cfn:"Tags"`
}

type deadLetterProperty struct {
	Arn *string `cfn:"Arn"`
}

func (p *deadLetterProperty) config() *api.DeadLetterConfig {
	if p == nil {
		return nil
	}
	return &api.DeadLetterConfig{Arn: p.Arn}
}

type logProperty struct {
	IncludeDetail *string `cfn:"IncludeDetail"`
	Level         *string `cfn:"Level"`
}

func (p *logProperty) config() *api.LogConfig {
	if p == nil {
		return nil
	}
	return &api.LogConfig{IncludeDetail: opt.Value(p.IncludeDetail), Level: opt.Value(p.Level)}
}

// busPolicyProperties are the properties of AWS::Events::EventBusPolicy.
type busPolicyProperties struct {
	EventBusName *string            `cfn:"EventBusName,createOnly"`
	StatementID  string             `cfn:"StatementId,required,createOnly"`
	Statement    any                `cfn:"Statement"`
	Action       *string            `cfn:"Action,writeOnly"`
	Principal    *string            `cfn:"Principal,writeOnly"`
	Condition    *conditionProperty `cfn:"Condition,writeOnly"`
}

type conditionProperty struct {
	Type  string `cfn:"Type,required"`
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

// archiveProperties are the properties of AWS::Events::Archive.
type archiveProperties struct {
	ArchiveName      *string `cfn:"ArchiveName,createOnly"`
	SourceArn        string  `cfn:"SourceArn,required,createOnly"`
	Description      *string `cfn:"Description"`
	EventPattern     any     `cfn:"EventPattern"`
	KmsKeyIdentifier *string `cfn:"KmsKeyIdentifier"`
	RetentionDays    *int32  `cfn:"RetentionDays"`
}

func (s *Service) resources() []service.ResourceType {
	return append([]service.ResourceType{
		service.NewResourceType("AWS::Events::EventBus", service.ResourceSpec[busProperties]{
			Attributes: []string{"Arn", "Name", "Policy"},
			Create:     s.createBusResource, Update: s.updateBusResource, Delete: s.deleteBusResource,
			Identifier: []string{"Name"}, Read: s.readBusResource, Missing: []string{codeNotFound},
			List: pages(s, "ListEventBuses", func(_ *busProperties, next *string) any { return &api.ListEventBusesInput{NextToken: next} },
				func(o *api.ListEventBusesOutput) ([]api.EventBus, *string) { return o.EventBuses, o.NextToken }, func(_ *busProperties, v *api.EventBus) service.Identifier {
					return service.Identifier{opt.Value(v.Name)}
				}),
		}),
		service.NewResourceType("AWS::Events::EventBusPolicy", service.ResourceSpec[busPolicyProperties]{
			Create: s.createPolicyResource, Update: s.updatePolicyResource, Delete: s.deletePolicyResource,
			Identifier: []string{"EventBusName", "StatementId"}, Read: s.readPolicyResource, Missing: []string{codeNotFound}, Reread: s.rereadPolicyResource,
		}),
		service.NewResourceType("AWS::Events::Rule", service.ResourceSpec[ruleProperties]{
			Attributes: []string{"Arn"},
			Create:     s.createRuleResource, Update: s.updateRuleResource, Delete: s.deleteRuleResource,
			Identifier: []string{"Arn"}, Read: s.readRuleResource, Missing: []string{codeNotFound},
		}),
		service.NewResourceType("AWS::Events::Archive", service.ResourceSpec[archiveProperties]{
			Attributes: []string{"Arn", "ArchiveName"},
			Create:     s.createArchiveResource, Update: s.updateArchiveResource, Delete: s.deleteArchiveResource,
			Identifier: []string{"ArchiveName"}, Read: s.readArchiveResource, Missing: []string{codeNotFound},
			List: pages(s, "ListArchives", func(_ *archiveProperties, next *string) any { return &api.ListArchivesInput{NextToken: next} },
				func(o *api.ListArchivesOutput) ([]api.Archive, *string) { return o.Archives, o.NextToken }, func(_ *archiveProperties, v *api.Archive) service.Identifier {
					return service.Identifier{opt.Value(v.ArchiveName)}
				}),
		}),
		s.endpointType(),
	}, s.callResources()...)
}

func call[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.deps.Door, "events", operation, in)
}

// document returns the text of a property that holds a document, or nil for none.
func document(v any) (*string, error) {
	text, err := service.Document(v)
	return opt.Of(text), err
}

func tagList(tags map[string]string) []api.Tag {
	out := make([]api.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: k, Value: tags[k]})
	}
	return out
}

// retag brings the tags of a resource from old to tags.
func (s *Service) retag(ctx context.Context, arn string, old, tags map[string]string) error {
	return service.Retag(old, tags, func(keys []string) error {
		_, err := call[api.UntagResourceOutput](ctx, s, "UntagResource", &api.UntagResourceInput{ResourceARN: arn, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[api.TagResourceOutput](ctx, s, "TagResource", &api.TagResourceInput{ResourceARN: arn, Tags: tagList(tags)})
		return err
	})
}

func (s *Service) createBusResource(ctx context.Context, c service.ResourceCall, p *busProperties) (service.Resource, error) {
	_, err := call[api.CreateEventBusOutput](ctx, s, "CreateEventBus", &api.CreateEventBusInput{
		Name: p.Name, Description: p.Description, EventSourceName: p.EventSourceName, KmsKeyIdentifier: p.KmsKeyIdentifier, DeadLetterConfig: p.DeadLetterConfig.config(),
		LogConfig: p.LogConfig.config(), Tags: tagList(c.UserTags(p.Tags)),
	})
	if err != nil && (!c.Retry || service.Code(err) != codeExists) {
		return service.Resource{}, err
	}
	return s.busResource(ctx, p.Name, nil, p.Policy)
}

// busResource sets the policy of a bus and returns its resource.
func (s *Service) busResource(ctx context.Context, name string, old, policy any) (service.Resource, error) {
	text, err := document(policy)
	if err != nil {
		return service.Resource{}, err
	}
	out := service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": placeOf(ctx).busARN(name), "Name": name, "Policy": opt.Value(text)}}
	switch {
	case text != nil:
		_, err = call[api.PutPermissionOutput](ctx, s, "PutPermission", &api.PutPermissionInput{EventBusName: &name, Policy: text})
	case old != nil:
		_, err = call[api.RemovePermissionOutput](ctx, s, "RemovePermission", &api.RemovePermissionInput{EventBusName: &name, RemoveAllPermissions: new(true)})
		err = service.Unless(err, codeNotFound)
	}
	return out, err
}

func (s *Service) updateBusResource(ctx context.Context, c service.ResourceCall, old, p *busProperties) (service.Resource, error) {
	in := &api.UpdateEventBusInput{
		Name: &p.Name, Description: new(opt.Value(p.Description)), KmsKeyIdentifier: p.KmsKeyIdentifier, DeadLetterConfig: p.DeadLetterConfig.config(), LogConfig: p.LogConfig.config(),
	}
	if _, err := call[api.UpdateEventBusOutput](ctx, s, "UpdateEventBus", in); err != nil {
		return service.Resource{}, err
	}
	if err := s.retag(ctx, placeOf(ctx).busARN(p.Name), c.UserTags(old.Tags), c.UserTags(p.Tags)); err != nil {
		return service.Resource{}, err
	}
	return s.busResource(ctx, p.Name, old.Policy, p.Policy)
}

func (s *Service) deleteBusResource(ctx context.Context, c service.ResourceCall, _ *busProperties) error {
	_, err := call[api.DeleteEventBusOutput](ctx, s, "DeleteEventBus", &api.DeleteEventBusInput{Name: c.PhysicalID})
	return service.Unless(err, codeNotFound)
}

func (s *Service) createPolicyResource(ctx context.Context, _ service.ResourceCall, p *busPolicyProperties) (service.Resource, error) {
	bus := defaultBus
	if p.EventBusName != nil {
		bus = *p.EventBusName
	}
	out := service.Resource{PhysicalID: bus + "|" + p.StatementID}
	if p.Statement == nil {
		in := &api.PutPermissionInput{EventBusName: &bus, StatementId: &p.StatementID, Action: p.Action, Principal: p.Principal}
		if c := p.Condition; c != nil {
			in.Condition = &api.Condition{Type: c.Type, Key: c.Key, Value: c.Value}
		}
		_, err := call[api.PutPermissionOutput](ctx, s, "PutPermission", in)
		return out, err
	}
	// A whole statement is set together with those that are there.
	st, err := withSid(p.Statement, p.StatementID)
	if err != nil {
		return out, err
	}
	now, err := call[api.DescribeEventBusOutput](ctx, s, "DescribeEventBus", &api.DescribeEventBusInput{Name: &bus})
	if err != nil {
		return out, err
	}
	doc := policy{Version: policyVersion}
	if now.Policy != nil {
		if err := json.Unmarshal([]byte(*now.Policy), &doc); err != nil {
			return out, err
		}
	}
	doc.Statement = append(doc.without(p.StatementID), st)
	_, err = call[api.PutPermissionOutput](ctx, s, "PutPermission", &api.PutPermissionInput{EventBusName: &bus, Policy: new(doc.text())})
	return out, err
}

// withSid returns a statement, an object or text that holds one, with an id.
func withSid(v any, sid string) (json.RawMessage, error) {
	text, err := document(v)
	if err != nil {
		return nil, err
	}
	var st map[string]any
	if err := json.Unmarshal([]byte(*text), &st); err != nil {
		return nil, invalid("Statement is not a JSON object: %s", err)
	}
	st["Sid"] = sid
	return json.Marshal(st)
}

func (s *Service) updatePolicyResource(ctx context.Context, c service.ResourceCall, _, p *busPolicyProperties) (service.Resource, error) {
	return s.createPolicyResource(ctx, c, p)
}

func (s *Service) deletePolicyResource(ctx context.Context, c service.ResourceCall, _ *busPolicyProperties) error {
	bus, sid, _ := strings.Cut(c.PhysicalID, "|")
	_, err := call[api.RemovePermissionOutput](ctx, s, "RemovePermission", &api.RemovePermissionInput{EventBusName: &bus, StatementId: &sid})
	return service.Unless(err, codeNotFound)
}

func (s *Service) createArchiveResource(ctx context.Context, c service.ResourceCall, p *archiveProperties) (service.Resource, error) {
	name := c.Name(48, nil)
	if p.ArchiveName != nil {
		name = *p.ArchiveName
	}
	pattern, err := document(p.EventPattern)
	if err != nil {
		return service.Resource{}, err
	}
	_, err = call[api.CreateArchiveOutput](ctx, s, "CreateArchive", &api.CreateArchiveInput{
		ArchiveName: name, EventSourceArn: p.SourceArn, Description: p.Description, EventPattern: pattern, RetentionDays: p.RetentionDays, KmsKeyIdentifier: p.KmsKeyIdentifier,
	})
	if err != nil && (!c.Retry || service.Code(err) != codeExists) {
		return service.Resource{}, err
	}
	return archiveResource(ctx, name), nil
}

func archiveResource(ctx context.Context, name string) service.Resource {
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": placeOf(ctx).archiveARN(name), "ArchiveName": name}}
}

func (s *Service) updateArchiveResource(ctx context.Context, c service.ResourceCall, _, p *archiveProperties) (service.Resource, error) {
	pattern, err := document(p.EventPattern)
	if err != nil {
		return service.Resource{}, err
	}
	in := &api.UpdateArchiveInput{ArchiveName: c.PhysicalID, Description: new(opt.Value(p.Description)), EventPattern: new(opt.Value(pattern)), RetentionDays: new(int32(0)), KmsKeyIdentifier: p.KmsKeyIdentifier}
	if p.RetentionDays != nil {
		in.RetentionDays = p.RetentionDays
	}
	_, err = call[api.UpdateArchiveOutput](ctx, s, "UpdateArchive", in)
	return archiveResource(ctx, c.PhysicalID), err
}

func (s *Service) deleteArchiveResource(ctx context.Context, c service.ResourceCall, _ *archiveProperties) error {
	_, err := call[api.DeleteArchiveOutput](ctx, s, "DeleteArchive", &api.DeleteArchiveInput{ArchiveName: c.PhysicalID})
	return service.Unless(err, codeNotFound)
}
