package iam

import (
	"context"
	"strings"

	engine "lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/store"
)

// simulation is what both Simulate operations run.
type simulation struct {
	principal engine.Principal
	policies  engine.Policies
	actions   []string
	resources []string
	owner     string
	context   engine.Keys
}

// inputDocuments compiles documents given as text.
func inputDocuments(texts []string, name string) ([]engine.Document, error) {
	var out []engine.Document
	for i, t := range texts {
		p, err := engine.Parse(t, engine.Identity)
		if err != nil {
			return nil, fail("InvalidInput", 400, "%s.%d: %s", name, i+1, err.Error())
		}
		out = append(out, engine.Document{Name: name + "." + string(rune('1'+i%9)), Policy: p})
	}
	return out, nil
}

func (s *IAM) simulateCustomPolicy(_ context.Context, in *api.SimulateCustomPolicyInput) (*api.SimulateCustomPolicyOutput, error) {
	sim, err := newSimulation(in)
	if err != nil {
		return nil, err
	}
	return sim.run()
}

func newSimulation(in *api.SimulateCustomPolicyInput) (*simulation, error) {
	sim := &simulation{actions: in.ActionNames, resources: in.ResourceArns, context: engine.Keys{}}
	if in.ResourceHandlingOption != nil {
		return nil, fail("InvalidInput", 400, "Lambent does not support ResourceHandlingOption; give the resources one by one in ResourceArns.")
	}
	var err error
	if sim.policies.Identity, err = inputDocuments(in.PolicyInputList, "PolicyInputList"); err != nil {
		return nil, err
	}
	if sim.policies.Boundary, err = inputDocuments(in.PermissionsBoundaryPolicyInputList, "PermissionsBoundaryPolicyInputList"); err != nil {
		return nil, err
	}
	if in.ResourcePolicy != nil {
		p, err := engine.Parse(*in.ResourcePolicy, engine.ResourceBased)
		if err != nil {
			return nil, fail("InvalidInput", 400, "ResourcePolicy: %s", err.Error())
		}
		sim.policies.Resource = []engine.Document{{Name: "ResourcePolicy", Policy: p}}
	}
	if in.ResourceOwner != nil {
		sim.owner = strings.TrimSuffix(strings.TrimPrefix(*in.ResourceOwner, "arn:aws:iam::"), ":root")
	}
	sim.principal = engine.Principal{Kind: engine.User}
	if in.CallerArn != nil {
		a, err := arn.Parse(*in.CallerArn)
		if err != nil {
			return nil, fail("InvalidInput", 400, "CallerArn: %s", err.Error())
		}
		sim.principal.ARN, sim.principal.Account = *in.CallerArn, a.Account
	}
	for _, c := range in.ContextEntries {
		if c.ContextKeyName != nil {
			sim.context[strings.ToLower(*c.ContextKeyName)] = c.ContextKeyValues
		}
	}
	if len(sim.resources) == 0 {
		sim.resources = []string{"*"}
	}
	return sim, nil
}

func (s *IAM) simulatePrincipalPolicy(ctx context.Context, in *api.SimulatePrincipalPolicyInput) (*api.SimulatePrincipalPolicyOutput, error) {
	sim, err := newSimulation(&api.SimulateCustomPolicyInput{
		PolicyInputList: in.PolicyInputList, PermissionsBoundaryPolicyInputList: in.PermissionsBoundaryPolicyInputList, ActionNames: in.ActionNames,
		ResourceArns: in.ResourceArns, ResourcePolicy: in.ResourcePolicy, ResourceOwner: in.ResourceOwner, CallerArn: in.CallerArn,
		ContextEntries: in.ContextEntries, ResourceHandlingOption: in.ResourceHandlingOption,
	})
	if err != nil {
		return nil, err
	}
	docs, boundary, e, err := s.sourceDocuments(ctx, in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	sim.policies.Identity = append(sim.policies.Identity, docs...)
	if sim.policies.Boundary == nil {
		sim.policies.Boundary = boundary
	}
	if in.CallerArn == nil {
		sim.principal = engine.Principal{Kind: engine.User, ARN: e.arn(), Account: e.Account, UserID: e.ID}
		if e.Kind == role {
			sim.principal.Kind, sim.principal.RoleARN = engine.Session, e.arn()
		}
	}
	return sim.run()
}

// sourceDocuments returns the policies of a user, group or role by its ARN.
func (s *IAM) sourceDocuments(ctx context.Context, source string) (docs, boundary []engine.Document, e *entity, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		a, err := arn.Parse(source)
		if err != nil || a.Account != account(ctx) {
			return fail("InvalidInput", 400, "PolicySourceArn %s is not the ARN of a user, group or role of this account.", source)
		}
		k, rest := a.Split()
		if e, err = find(r, a.Account, kind(k), rest[strings.LastIndexByte(rest, '/')+1:]); err != nil {
			return err
		}
		if docs, err = s.documents(r, e); err != nil || e.Boundary == "" {
			return err
		}
		d, err := s.managedDocument(r, e.Account, e.Boundary)
		boundary = []engine.Document{d}
		return err
	})
	return docs, boundary, e, err
}

// run decides every action on every resource.
func (sim *simulation) run() (*api.SimulatePolicyResponse, error) {
	out := &api.SimulatePolicyResponse{IsTruncated: ptr(false)}
	missing := sim.missing()
	for _, action := range sim.actions {
		for _, res := range sim.resources {
			r := &engine.Request{Principal: sim.principal, Action: action, Resource: res, Owner: sim.owner, Context: sim.context}
			d, trace := engine.Explain(r, &sim.policies)
			e := api.EvaluationResult{
				EvalActionName: action, EvalResourceName: ptr(res), EvalDecision: decisionName(d), MissingContextValues: missing,
				MatchedStatements: matched(d, trace),
			}
			if sim.policies.Boundary != nil {
				e.PermissionsBoundaryDecisionDetail = &api.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: ptr(boundaryAllows(trace))}
			}
			out.EvaluationResults = append(out.EvaluationResults, e)
		}
	}
	return out, nil
}

func decisionName(d engine.Decision) string {
	switch {
	case d.Allowed:
		return api.PolicyEvaluationDecisionTypeAllowed
	case d.Reason == engine.ExplicitDeny:
		return api.PolicyEvaluationDecisionTypeExplicitDeny
	}
	return api.PolicyEvaluationDecisionTypeImplicitDeny
}

// matched returns the statements that led to the decision: those of the deciding effect.
func matched(d engine.Decision, trace []engine.Trace) []api.Statement {
	var out []api.Statement
	for _, t := range trace {
		if !t.Matched || t.Allow != d.Allowed {
			continue
		}
		kind := api.PolicySourceTypeNone
		switch {
		case t.Layer == engine.LayerResource:
			kind = api.PolicySourceTypeResource
		case strings.HasPrefix(t.Statement.Policy, "arn:aws:iam::aws:"):
			kind = api.PolicySourceTypeAwsManaged
		case strings.Contains(t.Statement.Policy, " inline policy "):
			kind = api.PolicySourceTypeUser
			if strings.Contains(t.Statement.Policy, ":role/") {
				kind = api.PolicySourceTypeRole
			} else if strings.Contains(t.Statement.Policy, ":group/") {
				kind = api.PolicySourceTypeGroup
			}
		case strings.HasPrefix(t.Statement.Policy, "arn:"):
			kind = api.PolicySourceTypeUserManaged
		}
		out = append(out, api.Statement{SourcePolicyId: ptr(t.Statement.Policy), SourcePolicyType: kind})
	}
	return out
}

func boundaryAllows(trace []engine.Trace) bool {
	allowed := false
	for _, t := range trace {
		if t.Layer == engine.LayerBoundary && t.Matched {
			if !t.Allow {
				return false
			}
			allowed = true
		}
	}
	return allowed
}

// missing returns the condition keys that the policies refer to and the simulation lacks.
func (sim *simulation) missing() []string {
	var out []string
	for _, docs := range [][]engine.Document{sim.policies.Identity, sim.policies.Boundary, sim.policies.Resource} {
		for i := range docs {
			for _, key := range docs[i].Policy.ContextKeys() {
				if _, ok := sim.context[strings.ToLower(key)]; !ok && !has(out, key) {
					out = append(out, key)
				}
			}
		}
	}
	return out
}

func (s *IAM) getContextKeysForCustomPolicy(_ context.Context, in *api.GetContextKeysForCustomPolicyInput) (*api.GetContextKeysForCustomPolicyOutput, error) {
	docs, err := inputDocuments(in.PolicyInputList, "PolicyInputList")
	if err != nil {
		return nil, err
	}
	sim := simulation{policies: engine.Policies{Identity: docs}}
	return &api.GetContextKeysForPolicyResponse{ContextKeyNames: sim.missing()}, nil
}

func (s *IAM) getContextKeysForPrincipalPolicy(ctx context.Context, in *api.GetContextKeysForPrincipalPolicyInput) (*api.GetContextKeysForPrincipalPolicyOutput, error) {
	docs, err := inputDocuments(in.PolicyInputList, "PolicyInputList")
	if err != nil {
		return nil, err
	}
	more, boundary, _, err := s.sourceDocuments(ctx, in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	sim := simulation{policies: engine.Policies{Identity: append(docs, more...), Boundary: boundary}}
	return &api.GetContextKeysForPolicyResponse{ContextKeyNames: sim.missing()}, nil
}
