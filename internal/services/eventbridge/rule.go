package eventbridge

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/lib/schedule"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The states of a rule.
const (
	enabled  = "ENABLED"
	disabled = "DISABLED"
	// enabledAll is enabled also for events about read-only calls.
	enabledAll = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
)

// ruleRecord is a rule with its targets.
type ruleRecord struct {
	Bus, Name   string
	Pattern     string            `json:",omitempty"`
	Schedule    string            `json:",omitempty"`
	State       string            `json:",omitempty"`
	Description string            `json:",omitempty"`
	Role        string            `json:",omitempty"`
	CreatedBy   string            `json:",omitempty"`
	Tags        map[string]string `json:",omitempty"`
	Targets     []api.Target      `json:",omitempty"`
	// Anchor is when the schedule was set; rates count from it.
	Anchor time.Time `json:",omitzero"`
}

func (r *ruleRecord) on() bool { return r.State == enabled || r.State == enabledAll }

func (s *Service) putRule(ctx context.Context, in *api.PutRuleInput) (*api.PutRuleOutput, error) {
	p, busName := busNamed(ctx, in.EventBusName)
	if err := checkRule(busName, in); err != nil {
		return nil, err
	}
	if in.RoleArn != nil {
		if err := s.options.Roles.CheckPassRole(ctx, *in.RoleArn, principal); err != nil {
			return nil, err
		}
	}
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if err := exist(tx, p, busName); err != nil {
			return err
		}
		old, there, err := record.Get[ruleRecord](tx, p.rule(busName, in.Name))
		if err != nil {
			return err
		}
		r := ruleRecord{
			Bus: busName, Name: in.Name, Pattern: opt.Value(in.EventPattern), Schedule: opt.Value(in.ScheduleExpression), State: in.State,
			Description: opt.Value(in.Description), Role: opt.Value(in.RoleArn), CreatedBy: placeOf(ctx).account, Anchor: old.Anchor, Targets: old.Targets, Tags: old.Tags,
		}
		if r.State == "" {
			r.State = enabled
		}
		if there {
			r.CreatedBy = old.CreatedBy
		} else if r.Tags, err = tagsOf(nil, in.Tags); err != nil { // the tags of a rule that is there do not change
			return err
		}
		if r.Schedule != old.Schedule || !old.on() {
			r.Anchor = s.now()
		}
		if err := s.arm(tx, p, &r, s.now()); err != nil {
			return err
		}
		return record.Set(tx, p.rule(busName, in.Name), r)
	})
	return &api.PutRuleOutput{RuleArn: new(p.ruleARN(busName, in.Name))}, storeError(err)
}

func checkRule(busName string, in *api.PutRuleInput) error {
	if in.EventPattern == nil && in.ScheduleExpression == nil {
		return invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	if text := in.ScheduleExpression; text != nil && *text != "" {
		if busName != defaultBus {
			return invalid("ScheduleExpression is supported only on the default event bus.")
		}
		if _, err := schedule.Parse(*text, schedule.Rules); err != nil {
			return invalid("Parameter ScheduleExpression is not valid.")
		}
	}
	if text := in.EventPattern; text != nil && *text != "" {
		if _, err := pattern.Compile(*text, pattern.EventBridge); err != nil {
			return badPattern(err)
		}
	}
	return nil
}

func (s *Service) describeRule(ctx context.Context, in *api.DescribeRuleInput) (*api.DescribeRuleOutput, error) {
	p, busName := busNamed(ctx, in.EventBusName)
	r, err := view[ruleRecord](ctx, s, p.rule(busName, in.Name), noRule(busName, in.Name))
	if err != nil {
		return nil, s.missingRule(ctx, p, busName, err)
	}
	return &api.DescribeRuleOutput{
		Name: &r.Name, Arn: new(p.ruleARN(busName, r.Name)), EventPattern: opt.Of(r.Pattern), ScheduleExpression: opt.Of(r.Schedule), State: r.State,
		Description: opt.Of(r.Description), RoleArn: opt.Of(r.Role), EventBusName: &busName, CreatedBy: opt.Of(r.CreatedBy),
	}, nil
}

// missingRule returns the error for a rule that is not there, which is that of its bus when there is none either.
func (s *Service) missingRule(ctx context.Context, p place, busName string, err error) error {
	if _, noBus := s.viewBus(ctx, p, busName); noBus != nil {
		return noBus
	}
	return err
}

func (s *Service) listRules(ctx context.Context, in *api.ListRulesInput) (*api.ListRulesOutput, error) {
	p, busName := busNamed(ctx, in.EventBusName)
	if _, err := s.viewBus(ctx, p, busName); err != nil {
		return nil, err
	}
	out := &api.ListRulesOutput{Rules: []api.Rule{}}
	next, err := list(ctx, s, p.rules(busName), in.NamePrefix, in.NextToken, in.Limit, func(_ string, r ruleRecord) bool {
		out.Rules = append(out.Rules, api.Rule{
			Name: &r.Name, Arn: new(p.ruleARN(busName, r.Name)), EventPattern: opt.Of(r.Pattern), State: r.State, Description: opt.Of(r.Description),
			ScheduleExpression: opt.Of(r.Schedule), RoleArn: opt.Of(r.Role), EventBusName: &busName,
		})
		return true
	})
	out.NextToken = next
	return out, err
}

func (s *Service) listRuleNamesByTarget(ctx context.Context, in *api.ListRuleNamesByTargetInput) (*api.ListRuleNamesByTargetOutput, error) {
	p, busName := busNamed(ctx, in.EventBusName)
	if _, err := s.viewBus(ctx, p, busName); err != nil {
		return nil, err
	}
	out := &api.ListRuleNamesByTargetOutput{RuleNames: []string{}}
	next, err := list(ctx, s, p.rules(busName), nil, in.NextToken, in.Limit, func(name string, r ruleRecord) bool {
		for _, t := range r.Targets {
			if t.Arn == in.TargetArn {
				out.RuleNames = append(out.RuleNames, name)
				return true
			}
		}
		return false
	})
	out.NextToken = next
	return out, err
}

func (s *Service) enableRule(ctx context.Context, in *api.EnableRuleInput) (*api.EnableRuleOutput, error) {
	return &api.EnableRuleOutput{}, s.setState(ctx, in.EventBusName, in.Name, enabled)
}

func (s *Service) disableRule(ctx context.Context, in *api.DisableRuleInput) (*api.DisableRuleOutput, error) {
	return &api.DisableRuleOutput{}, s.setState(ctx, in.EventBusName, in.Name, disabled)
}

func (s *Service) setState(ctx context.Context, bus *string, name, state string) error {
	p, busName := busNamed(ctx, bus)
	err := change(ctx, s, p.rule(busName, name), noRule(busName, name), func(tx store.Txn, r *ruleRecord) error {
		if !r.on() {
			r.Anchor = s.now()
		}
		r.State = state
		return s.arm(tx, p, r, s.now())
	})
	if err != nil {
		return s.missingRule(ctx, p, busName, err)
	}
	return nil
}

// deleteRule deletes a rule without targets. One that is not there is no error.
func (s *Service) deleteRule(ctx context.Context, in *api.DeleteRuleInput) (*api.DeleteRuleOutput, error) {
	p, busName := busNamed(ctx, in.EventBusName)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if err := exist(tx, p, busName); err != nil {
			return err
		}
		r, there, err := record.Get[ruleRecord](tx, p.rule(busName, in.Name))
		if err != nil || !there {
			return err
		}
		if len(r.Targets) > 0 {
			return invalid("Rule can't be deleted since it has targets.")
		}
		r.State = disabled
		if err := s.arm(tx, p, &r, s.now()); err != nil {
			return err
		}
		tx.Delete(p.rule(busName, in.Name))
		return nil
	})
	return &api.DeleteRuleOutput{}, storeError(err)
}

func (s *Service) testEventPattern(_ context.Context, in *api.TestEventPatternInput) (*api.TestEventPatternOutput, error) {
	p, err := pattern.Compile(in.EventPattern, pattern.EventBridge)
	if err != nil {
		return nil, badPattern(err)
	}
	if !envelope([]byte(in.Event)) {
		return nil, invalid("Parameter Event is not valid.")
	}
	matches, err := p.Match([]byte(in.Event))
	if err != nil {
		return nil, invalid("Parameter Event is not valid.")
	}
	return &api.TestEventPatternOutput{Result: &matches}, nil
}
