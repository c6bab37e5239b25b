package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/lib/glob"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// stackPolicy says which updates of a stack's resources are allowed, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html.
type stackPolicy struct{ Statement []policyStatement }

type policyStatement struct {
	Effect                string
	Action, NotAction     texts
	Principal             any
	Resource, NotResource texts
	Condition             map[string]map[string]texts
}

// texts is a string or a list of strings.
type texts []string

// UnmarshalJSON reads either form.
func (t *texts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

var policyActions = []string{deploy.UpdateModify, deploy.UpdateReplace, deploy.UpdateDelete, "Update:*"}

// readPolicy checks the text of a policy.
func readPolicy(text string) (*stackPolicy, error) {
	bad := invalid("Error validating stack policy: Invalid stack policy")
	var p stackPolicy
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return nil, bad
	}
	for _, s := range p.Statement {
		actions := append(slices.Clone(s.Action), s.NotAction...)
		switch {
		case s.Effect != "Allow" && s.Effect != "Deny", len(actions) == 0, len(s.Resource)+len(s.NotResource) == 0, s.Principal != "*" && s.Principal != nil && fmt.Sprint(s.Principal) != "map[AWS:*]":
			return nil, bad
		case slices.ContainsFunc(actions, func(a string) bool { return !slices.Contains(policyActions, a) }):
			return nil, bad
		}
		for operator, keys := range s.Condition {
			if operator != "StringEquals" && operator != "StringLike" || len(keys) != 1 || keys["ResourceType"] == nil {
				return nil, bad
			}
		}
	}
	return &p, nil
}

// deny returns why the policy denies an action, or nothing. Once there is a statement, everything is denied that no statement allows.
func (p *stackPolicy) deny(id, typ, action string) string {
	if len(p.Statement) == 0 {
		return ""
	}
	allowed := false
	for i, s := range p.Statement {
		if !s.covers(id, typ, action) {
			continue
		}
		if s.Effect == "Deny" {
			return fmt.Sprintf("Action denied by stack policy: Statement [#%d] does not allow [%s] for resource [LogicalResourceId/%s];", i+1, action, id)
		}
		allowed = true
	}
	if !allowed {
		return fmt.Sprintf("Action denied by stack policy: no statement allows [%s] for resource [LogicalResourceId/%s];", action, id)
	}
	return ""
}

func (s *policyStatement) covers(id, typ, action string) bool {
	anyOf := func(patterns texts, v string) bool {
		return slices.ContainsFunc(patterns, func(t string) bool {
			p := glob.Compile(t)
			return p.Match(v)
		})
	}
	if s.Action != nil && !anyOf(s.Action, action) || s.NotAction != nil && anyOf(s.NotAction, action) {
		return false
	}
	at := "LogicalResourceId/" + id
	if s.Resource != nil && !anyOf(s.Resource, at) || s.NotResource != nil && anyOf(s.NotResource, at) {
		return false
	}
	for operator, keys := range s.Condition {
		want := keys["ResourceType"]
		if operator == "StringEquals" && !slices.Contains(want, typ) || operator == "StringLike" && !anyOf(want, typ) {
			return false
		}
	}
	return true
}

// policyText returns the policy that a call brings with it, checked; nil when it brings none.
func (s *Service) policyText(ctx context.Context, body, location *string, names string) (*string, error) {
	if body != nil && location != nil {
		return nil, invalid("You cannot specify both %s", names)
	}
	if body == nil && location == nil {
		return nil, nil
	}
	text := deref(body)
	if body == nil {
		var err error
		if text, err = s.text(ctx, nil, location); err != nil {
			return nil, err
		}
	}
	_, err := readPolicy(text)
	return &text, err
}

func (s *Service) setStackPolicy(ctx context.Context, in *cloudformation.SetStackPolicyInput) (*cloudformation.SetStackPolicyOutput, error) {
	text, err := s.policyText(ctx, in.StackPolicyBody, in.StackPolicyURL, "StackPolicyURL and StackPolicyBody")
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, invalid("One of StackPolicyBody and StackPolicyURL must be specified.")
	}
	p := placeOf(ctx)
	return &cloudformation.SetStackPolicyOutput{}, s.Store.Update(ctx, func(tx store.Txn) error {
		st, err := lookup(tx, p, in.StackName)
		if err != nil {
			return err
		}
		st.Policy = *text
		return record.Set(tx, p.stack(st.ID), st)
	})
}

func (s *Service) getStackPolicy(ctx context.Context, in *cloudformation.GetStackPolicyInput) (*cloudformation.GetStackPolicyOutput, error) {
	st, err := s.findStack(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	return &cloudformation.GetStackPolicyOutput{StackPolicyBody: optional(st.Policy)}, nil
}

// guard returns what the policies of a stack deny in one operation.
func guard(st *stackRecord, d deployment) (func(id, typ, action string) string, error) {
	text := st.Policy
	if d.Policy != "" {
		text = d.Policy
	}
	if text == "" {
		return nil, nil
	}
	p, err := readPolicy(text)
	if err != nil {
		return nil, errors.Join(errors.New("the stack's policy is damaged"), err)
	}
	return p.deny, nil
}
