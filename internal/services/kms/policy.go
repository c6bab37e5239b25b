package kms

import (
	"context"
	"encoding/json"
	"fmt"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// policyName is that of the one policy that a key has.
const policyName = "default"

// defaultPolicy leaves the decision to the policies of the account's users and roles, see
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html.
func (p place) defaultPolicy() string {
	return `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::` + p.account + `:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`
}

// policyFor returns the policy of a new key.
func (s *Service) policyFor(ctx context.Context, p place, id string, asked *string, bypass bool) (string, error) {
	if asked == nil {
		return p.defaultPolicy(), nil
	}
	return *asked, s.checkPolicy(ctx, p, id, *asked, bypass)
}

// checkPolicy refuses a policy that cannot be read, or that would keep the caller from putting another one.
func (s *Service) checkPolicy(ctx context.Context, p place, id, policy string, bypass bool) error {
	if _, err := iam.Parse(policy, iam.ResourceBased); err != nil {
		return refused(codePolicy, "%v", err)
	}
	if bypass {
		return nil
	}
	err := s.deps.Door.Allow(ctx, service.Target{Action: "kms:PutKeyPolicy", ARN: p.arn(id), Policy: policy, Owner: p.account})
	if err != nil {
		return refused(codePolicy, "The new key policy will not allow you to update the key policy in the future.")
	}
	return nil
}

func checkPolicyName(name *string) error {
	if name != nil && *name != policyName {
		return refused(codeNotFound, "No such policy exists")
	}
	return nil
}

func (s *Service) putKeyPolicy(ctx context.Context, in *api.PutKeyPolicyInput) (*api.PutKeyPolicyOutput, error) {
	if err := checkPolicyName(in.PolicyName); err != nil {
		return nil, err
	}
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := s.checkPolicy(ctx, f.place, f.ID, in.Policy, opt.Value(in.BypassPolicyLockoutSafetyCheck)); err != nil {
		return nil, err
	}
	_, err = s.change(ctx, in.KeyId, func(_ store.Txn, f *found) error {
		f.Policy = in.Policy
		return nil
	})
	return &api.PutKeyPolicyOutput{}, err
}

func (s *Service) getKeyPolicy(ctx context.Context, in *api.GetKeyPolicyInput) (*api.GetKeyPolicyOutput, error) {
	if err := checkPolicyName(in.PolicyName); err != nil {
		return nil, err
	}
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	return &api.GetKeyPolicyOutput{Policy: &f.Policy, PolicyName: new(policyName)}, nil
}

func (s *Service) listKeyPolicies(ctx context.Context, in *api.ListKeyPoliciesInput) (*api.ListKeyPoliciesOutput, error) {
	_, err := s.find(ctx, in.KeyId)
	return &api.ListKeyPoliciesOutput{PolicyNames: []string{policyName}, Truncated: new(false)}, err
}

// withStatements returns a policy with more statements.
func withStatements(policy string, more []any) (string, error) {
	if len(more) == 0 {
		return policy, nil
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal([]byte(policy), &doc); err != nil {
		return "", fmt.Errorf("read a key policy: %w", err)
	}
	var statements []json.RawMessage
	if json.Unmarshal(doc["Statement"], &statements) != nil {
		statements = []json.RawMessage{doc["Statement"]} // A single statement needs no list.
	}
	for _, s := range more {
		b, err := json.Marshal(s)
		if err != nil {
			return "", err
		}
		statements = append(statements, b)
	}
	all, err := json.Marshal(statements)
	if err != nil {
		return "", err
	}
	doc["Statement"] = all
	b, err := json.Marshal(doc)
	return string(b), err
}
