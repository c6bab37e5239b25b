package secretsmanager

import (
	"context"
	"encoding/json"
	"slices"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
)

// isPublic tells whether a policy lets everybody in without a condition.
func isPublic(policy string) bool {
	type statement struct {
		Effect    string
		Principal any
		Condition map[string]any
	}
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(policy), &doc) != nil {
		return false
	}
	var all []statement
	if json.Unmarshal(doc.Statement, &all) != nil {
		var one statement
		if json.Unmarshal(doc.Statement, &one) != nil {
			return false
		}
		all = []statement{one}
	}
	for _, s := range all {
		if s.Effect == "Allow" && len(s.Condition) == 0 && isEverybody(s.Principal) {
			return true
		}
	}
	return false
}

func isEverybody(principal any) bool {
	switch p := principal.(type) {
	case string:
		return p == "*"
	case map[string]any:
		return isEverybody(p["AWS"])
	case []any:
		return slices.ContainsFunc(p, isEverybody)
	}
	return false
}

func (s *Service) putResourcePolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	if _, err := iam.Parse(in.ResourcePolicy, iam.ResourceBased); err != nil {
		return nil, refused(codePolicy, "This resource policy contains a syntax error. %v", err)
	}
	if opt.Value(in.BlockPublicPolicy) && isPublic(in.ResourcePolicy) {
		return nil, refused(codePublic, "The resource policy grants broad access to the secret, and BlockPublicPolicy is set. Name the principals, or add a condition.")
	}
	f, err := s.change(ctx, in.SecretId, func(_ store.Txn, f *found) error {
		f.Policy = in.ResourcePolicy
		return f.reachable()
	})
	if err != nil {
		return nil, err
	}
	return &api.PutResourcePolicyOutput{ARN: new(f.arn()), Name: &f.Name}, nil
}

func (s *Service) getResourcePolicy(ctx context.Context, in *api.GetResourcePolicyInput) (*api.GetResourcePolicyOutput, error) {
	f, err := s.living(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	return &api.GetResourcePolicyOutput{ARN: new(f.arn()), Name: &f.Name, ResourcePolicy: opt.Of(f.Policy)}, nil
}

func (s *Service) deleteResourcePolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	f, err := s.change(ctx, in.SecretId, func(_ store.Txn, f *found) error {
		f.Policy = ""
		return f.reachable()
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteResourcePolicyOutput{ARN: new(f.arn()), Name: &f.Name}, nil
}

func (s *Service) validateResourcePolicy(_ context.Context, in *api.ValidateResourcePolicyInput) (*api.ValidateResourcePolicyOutput, error) {
	out := &api.ValidateResourcePolicyOutput{ValidationErrors: []api.ValidationErrorsEntry{}}
	add := func(check, text string) {
		out.ValidationErrors = append(out.ValidationErrors, api.ValidationErrorsEntry{CheckName: &check, ErrorMessage: &text})
	}
	if _, err := iam.Parse(in.ResourcePolicy, iam.ResourceBased); err != nil {
		add("SYNTAX", err.Error())
	} else if isPublic(in.ResourcePolicy) {
		add("PUBLIC_POLICY", "The resource policy grants broad access to the secret.")
	}
	out.PolicyValidationPassed = new(len(out.ValidationErrors) == 0)
	return out, nil
}
