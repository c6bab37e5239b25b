package eventbridge

import (
	"context"
	"encoding/json"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html).
func (s *Service) access() map[string]service.Access {
	return map[string]service.Access{
		"CancelReplay":           onNamed("CancelReplay", "replay/", func(in *api.CancelReplayInput) string { return in.ReplayName }),
		"CreateApiDestination":   onNamed("CreateApiDestination", "api-destination/", func(in *api.CreateApiDestinationInput) string { return in.Name }),
		"CreateArchive":          onNamed("CreateArchive", "archive/", func(in *api.CreateArchiveInput) string { return in.ArchiveName }),
		"CreateConnection":       onNamed("CreateConnection", "connection/", func(in *api.CreateConnectionInput) string { return in.Name }),
		"CreateEndpoint":         onNamed("CreateEndpoint", "endpoint/", func(in *api.CreateEndpointInput) string { return in.Name }),
		"CreateEventBus":         onNamed("CreateEventBus", "event-bus/", func(in *api.CreateEventBusInput) string { return in.Name }),
		"DeauthorizeConnection":  onNamed("DeauthorizeConnection", "connection/", func(in *api.DeauthorizeConnectionInput) string { return in.Name }),
		"DeleteApiDestination":   onNamed("DeleteApiDestination", "api-destination/", func(in *api.DeleteApiDestinationInput) string { return in.Name }),
		"DeleteArchive":          onNamed("DeleteArchive", "archive/", func(in *api.DeleteArchiveInput) string { return in.ArchiveName }),
		"DeleteConnection":       onNamed("DeleteConnection", "connection/", func(in *api.DeleteConnectionInput) string { return in.Name }),
		"DeleteEndpoint":         onNamed("DeleteEndpoint", "endpoint/", func(in *api.DeleteEndpointInput) string { return in.Name }),
		"DeleteEventBus":         onBus(s, "DeleteEventBus", func(in *api.DeleteEventBusInput) *string { return &in.Name }),
		"DeleteRule":             onRule(s, "DeleteRule", func(in *api.DeleteRuleInput) (*string, string) { return in.EventBusName, in.Name }),
		"DescribeApiDestination": onNamed("DescribeApiDestination", "api-destination/", func(in *api.DescribeApiDestinationInput) string { return in.Name }),
		"DescribeArchive":        onNamed("DescribeArchive", "archive/", func(in *api.DescribeArchiveInput) string { return in.ArchiveName }),
		"DescribeConnection":     onNamed("DescribeConnection", "connection/", func(in *api.DescribeConnectionInput) string { return in.Name }),
		"DescribeEndpoint":       onNamed("DescribeEndpoint", "endpoint/", func(in *api.DescribeEndpointInput) string { return in.Name }),
		"DescribeEventBus":       onBus(s, "DescribeEventBus", func(in *api.DescribeEventBusInput) *string { return in.Name }),
		"DescribeReplay":         onNamed("DescribeReplay", "replay/", func(in *api.DescribeReplayInput) string { return in.ReplayName }),
		"DescribeRule":           onRule(s, "DescribeRule", func(in *api.DescribeRuleInput) (*string, string) { return in.EventBusName, in.Name }),
		"DisableRule":            onRule(s, "DisableRule", func(in *api.DisableRuleInput) (*string, string) { return in.EventBusName, in.Name }),
		"EnableRule":             onRule(s, "EnableRule", func(in *api.EnableRuleInput) (*string, string) { return in.EventBusName, in.Name }),
		"ListApiDestinations":    service.OnAny("events:ListApiDestinations"),
		"ListArchives":           service.OnAny("events:ListArchives"),
		"ListConnections":        service.OnAny("events:ListConnections"),
		"ListEndpoints":          service.OnAny("events:ListEndpoints"),
		"ListEventBuses":         service.OnAny("events:ListEventBuses"),
		"ListReplays":            service.OnAny("events:ListReplays"),
		"ListRuleNamesByTarget":  onBus(s, "ListRuleNamesByTarget", func(in *api.ListRuleNamesByTargetInput) *string { return in.EventBusName }),
		"ListRules":              onBus(s, "ListRules", func(in *api.ListRulesInput) *string { return in.EventBusName }),
		"ListTagsForResource":    service.On("events:ListTagsForResource", func(_ context.Context, in *api.ListTagsForResourceInput) string { return in.ResourceARN }),
		"ListTargetsByRule":      onRule(s, "ListTargetsByRule", func(in *api.ListTargetsByRuleInput) (*string, string) { return in.EventBusName, in.Rule }),
		"PutEvents":              service.OnAll("events:PutEvents", s.putTargetsOf),
		"PutPermission":          onBus(s, "PutPermission", func(in *api.PutPermissionInput) *string { return in.EventBusName }),
		"PutRule":                service.OnAll("events:PutRule", s.ruleTargets),
		"PutTargets":             onRule(s, "PutTargets", func(in *api.PutTargetsInput) (*string, string) { return in.EventBusName, in.Rule }),
		"RemovePermission":       onBus(s, "RemovePermission", func(in *api.RemovePermissionInput) *string { return in.EventBusName }),
		"RemoveTargets":          onRule(s, "RemoveTargets", func(in *api.RemoveTargetsInput) (*string, string) { return in.EventBusName, in.Rule }),
		"StartReplay":            onNamed("StartReplay", "replay/", func(in *api.StartReplayInput) string { return in.ReplayName }),
		"TagResource":            service.On("events:TagResource", func(_ context.Context, in *api.TagResourceInput) string { return in.ResourceARN }),
		"TestEventPattern":       service.OnAny("events:TestEventPattern"),
		"UntagResource":          service.On("events:UntagResource", func(_ context.Context, in *api.UntagResourceInput) string { return in.ResourceARN }),
		"UpdateApiDestination":   onNamed("UpdateApiDestination", "api-destination/", func(in *api.UpdateApiDestinationInput) string { return in.Name }),
		"UpdateArchive":          onNamed("UpdateArchive", "archive/", func(in *api.UpdateArchiveInput) string { return in.ArchiveName }),
		"UpdateConnection":       onNamed("UpdateConnection", "connection/", func(in *api.UpdateConnectionInput) string { return in.Name }),
		"UpdateEndpoint":         onNamed("UpdateEndpoint", "endpoint/", func(in *api.UpdateEndpointInput) string { return in.Name }),
		"UpdateEventBus":         onBus(s, "UpdateEventBus", func(in *api.UpdateEventBusInput) *string { return in.Name }),
	}
}

// onNamed returns the rule of an operation on something of the caller's account and region.
func onNamed[In any](action, prefix string, name func(in In) string) service.Access {
	return service.On("events:"+action, func(ctx context.Context, in In) string { return placeOf(ctx).arn(prefix + name(in)) })
}

// onBus returns the rule of an operation on a bus, whose policy is asked too.
func onBus[In any](s *Service, action string, name func(in In) *string) service.Access {
	return service.OnAll("events:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		p, bus := busNamed(ctx, name(in))
		t, err := s.busTarget(ctx, busKey{p, bus}, "")
		return []service.Target{t}, err
	})
}

// onRule returns the rule of an operation on a rule, for which the policy of its bus is asked too.
func onRule[In any](s *Service, action string, name func(in In) (*string, string)) service.Access {
	return service.OnAll("events:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		bus, rule := name(in)
		return s.targetsOfRule(ctx, bus, rule)
	})
}

func (s *Service) targetsOfRule(ctx context.Context, bus *string, rule string) ([]service.Target, error) {
	p, name := busNamed(ctx, bus)
	t, err := s.busTarget(ctx, busKey{p, name}, "")
	t.ARN = p.ruleARN(name, rule)
	return []service.Target{t}, err
}

// ruleTargets asks for the tags of a new rule too, and tells what the rule is about.
func (s *Service) ruleTargets(ctx context.Context, in *api.PutRuleInput) ([]service.Target, error) {
	targets, err := s.targetsOfRule(ctx, in.EventBusName, in.Name)
	if err != nil {
		return nil, err
	}
	targets[0].Condition = patternConditions(opt.Value(in.EventPattern))
	if len(in.Tags) > 0 {
		tag := targets[0]
		tag.Action = "events:TagResource"
		targets = append(targets, tag)
	}
	return targets, nil
}

// patternConditions are the condition keys that a pattern gives: the sources and detail types that it names.
func patternConditions(text string) map[string][]string {
	var p struct {
		Source     []any `json:"source"`
		DetailType []any `json:"detail-type"`
	}
	if json.Unmarshal([]byte(text), &p) != nil {
		return nil
	}
	out := map[string][]string{}
	for key, values := range map[string][]any{"events:source": p.Source, "events:detail-type": p.DetailType} {
		for _, v := range values {
			if name, ok := v.(string); ok {
				out[key] = append(out[key], name)
			}
		}
	}
	return out
}

// putTargetsOf returns what PutEvents needs: permission for every entry, on every bus of a global endpoint.
func (s *Service) putTargetsOf(ctx context.Context, in *api.PutEventsInput) ([]service.Target, error) {
	var homes []place
	if in.EndpointId != nil {
		var err error
		if homes, err = s.homesOf(ctx, *in.EndpointId); err != nil {
			return nil, err
		}
	}
	targets := make([]service.Target, 0, len(in.Entries)*max(len(homes), 1))
	for i := range in.Entries {
		p, name := busNamed(ctx, in.Entries[i].EventBusName)
		places := homes
		if places == nil {
			places = []place{p}
		}
		for _, home := range places {
			t, err := s.putTarget(ctx, busKey{home, name}, &in.Entries[i])
			if err != nil {
				return nil, err
			}
			targets = append(targets, t)
		}
	}
	return targets, nil
}

// putTarget returns what an entry for a bus needs.
func (s *Service) putTarget(ctx context.Context, k busKey, e *api.PutEventsRequestEntry) (service.Target, error) {
	t, err := s.busTarget(ctx, k, "")
	t.Condition = map[string][]string{"events:source": {opt.Value(e.Source)}, "events:detail-type": {opt.Value(e.DetailType)}, "events:eventBusInvocation": {"false"}}
	return t, err
}

// busTarget returns a bus as the target of a call, with its policy. Services may send what happened in their account to its buses without a policy.
func (s *Service) busTarget(ctx context.Context, k busKey, action string) (service.Target, error) {
	t := service.Target{Action: action, ARN: k.busARN(k.name), Owner: k.account}
	if k.account == "" {
		t.Owner = placeOf(ctx).account
	}
	own, err := s.policyOf(ctx, k)
	if err != nil {
		return t, err
	}
	t.Policy = own.text()
	caller := service.RequestFrom(ctx).Principal
	if caller.Kind != service.ServicePrincipal || caller.SourceAccount != k.account {
		return t, nil
	}
	services, err := json.Marshal(statement{Sid: "services", Effect: "Allow", Principal: map[string]string{"Service": caller.Service}, Action: "events:PutEvents", Resource: t.ARN})
	if err != nil {
		return t, err
	}
	doc := policy{Version: policyVersion, Statement: []json.RawMessage{services}}
	if own != nil {
		doc.Statement = append(doc.Statement, own.Statement...)
	}
	t.Policy = doc.text()
	return t, nil
}

// policyOf returns the policy of a bus, nil when it has none. It is read by itself: a call on a rule need not know the other rules.
func (s *Service) policyOf(ctx context.Context, k busKey) (*policy, error) {
	b, err := s.policies.Get(ctx, k, struct{}{}, func(r store.Reader) (busRecord, error) {
		b, err := bus(r, k.place, k.name)
		if service.Code(err) == codeNotFound {
			err = nil // the operation says so to those who may ask
		}
		return b, err
	})
	return b.Policy, err
}
