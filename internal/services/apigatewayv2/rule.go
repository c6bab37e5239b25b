package apigatewayv2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/lib/members"
)

// ruleView returns the public form of a routing rule.
func ruleView(s domain.Scope, name string, r *domain.Rule) *api.RoutingRule {
	out := &api.RoutingRule{
		Actions:  []api.RoutingRuleAction{{InvokeApi: &api.RoutingRuleActionInvokeApi{ApiId: r.API, Stage: r.Stage, StripBasePath: ptr(r.Strip)}}},
		Priority: ptr(r.Priority), RoutingRuleId: ptr(r.ID), RoutingRuleArn: ptr(ruleARN(s, name, r.ID)), Conditions: []api.RoutingRuleCondition{},
	}
	if len(r.BasePaths) > 0 {
		out.Conditions = append(out.Conditions, api.RoutingRuleCondition{MatchBasePaths: &api.RoutingRuleMatchBasePaths{AnyOf: r.BasePaths}})
	}
	if len(r.Headers) > 0 {
		m := &api.RoutingRuleMatchHeaders{}
		for _, h := range r.Headers {
			m.AnyOf = append(m.AnyOf, api.RoutingRuleMatchHeaderValue{Header: h.Name, ValueGlob: h.Glob})
		}
		out.Conditions = append(out.Conditions, api.RoutingRuleCondition{MatchHeaders: m})
	}
	return out
}

func ruleARN(s domain.Scope, name, id string) string {
	return "arn:aws:apigateway:" + s.Region + ":" + s.Account + ":/domainnames/" + name + "/routingrules/" + id
}

// ruleOf reads the actions and conditions of a rule.
func ruleOf(actions []api.RoutingRuleAction, conditions []api.RoutingRuleCondition, priority int32) (*domain.Rule, error) {
	if len(actions) != 1 || actions[0].InvokeApi == nil {
		return nil, badRequest("A routing rule has exactly one action, InvokeApi.")
	}
	to := actions[0].InvokeApi
	r := &domain.Rule{Priority: priority, API: to.ApiId, Stage: to.Stage, Strip: value(to.StripBasePath)}
	for _, c := range conditions {
		switch {
		case c.MatchBasePaths != nil && c.MatchHeaders == nil && r.BasePaths == nil:
			r.BasePaths = c.MatchBasePaths.AnyOf
		case c.MatchHeaders != nil && c.MatchBasePaths == nil && len(c.MatchHeaders.AnyOf) == 1 && len(r.Headers) < 2:
			h := c.MatchHeaders.AnyOf[0]
			r.Headers = append(r.Headers, domain.Header{Name: h.Header, Glob: h.ValueGlob})
		default:
			return nil, badRequest("A routing rule has at most one condition MatchBasePaths, with one path, and two conditions MatchHeaders, with one header each.")
		}
	}
	return r, nil
}

func (g *Gateway) createRoutingRule(ctx context.Context, in *api.CreateRoutingRuleInput) (*api.CreateRoutingRuleOutput, error) {
	r, err := ruleOf(in.Actions, in.Conditions, in.Priority)
	if err != nil {
		return nil, err
	}
	s := domainScope(ctx)
	err = g.options.Domains.PutRule(ctx, s, domain.Ref(in.DomainName, value(in.DomainNameId)), r)
	out := &api.CreateRoutingRuleOutput{}
	members.Copy(out, ruleView(s, domain.Ref(in.DomainName, value(in.DomainNameId)), r))
	return out, err
}

func (g *Gateway) putRoutingRule(ctx context.Context, in *api.PutRoutingRuleInput) (*api.PutRoutingRuleOutput, error) {
	r, err := ruleOf(in.Actions, in.Conditions, in.Priority)
	if err != nil {
		return nil, err
	}
	s := domainScope(ctx)
	if _, err := g.options.Domains.Rule(ctx, s, domain.Ref(in.DomainName, value(in.DomainNameId)), in.RoutingRuleId); err != nil {
		return nil, err
	}
	r.ID = in.RoutingRuleId
	err = g.options.Domains.PutRule(ctx, s, domain.Ref(in.DomainName, value(in.DomainNameId)), r)
	out := &api.PutRoutingRuleOutput{}
	members.Copy(out, ruleView(s, domain.Ref(in.DomainName, value(in.DomainNameId)), r))
	return out, err
}

func (g *Gateway) getRoutingRule(ctx context.Context, in *api.GetRoutingRuleInput) (*api.GetRoutingRuleOutput, error) {
	r, err := g.options.Domains.Rule(ctx, domainScope(ctx), domain.Ref(in.DomainName, value(in.DomainNameId)), in.RoutingRuleId)
	out := &api.GetRoutingRuleOutput{}
	members.Copy(out, ruleView(domainScope(ctx), domain.Ref(in.DomainName, value(in.DomainNameId)), &r))
	return out, err
}

func (g *Gateway) listRoutingRules(ctx context.Context, in *api.ListRoutingRulesInput) (*api.ListRoutingRulesOutput, error) {
	limit := 100
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	out := &api.ListRoutingRulesOutput{RoutingRules: []api.RoutingRule{}}
	var err error
	out.NextToken, err = g.options.Domains.Rules(ctx, domainScope(ctx), domain.Ref(in.DomainName, value(in.DomainNameId)), in.NextToken, limit, func(r *domain.Rule) {
		out.RoutingRules = append(out.RoutingRules, *ruleView(domainScope(ctx), domain.Ref(in.DomainName, value(in.DomainNameId)), r))
	})
	return out, err
}

func (g *Gateway) deleteRoutingRule(ctx context.Context, in *api.DeleteRoutingRuleInput) (*api.DeleteRoutingRuleOutput, error) {
	return &api.DeleteRoutingRuleOutput{}, g.options.Domains.DeleteRule(ctx, domainScope(ctx), domain.Ref(in.DomainName, value(in.DomainNameId)), in.RoutingRuleId)
}
