package ecr

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/ecr"
)

// maxPolicy is the size of a repository policy and of a lifecycle policy, in bytes (https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html).
const (
	maxPolicy    = 10240
	maxLifecycle = 30720
)

func (s *Service) setRepositoryPolicy(ctx context.Context, in *api.SetRepositoryPolicyInput) (*api.SetRepositoryPolicyOutput, error) {
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(in.PolicyText), &doc) != nil || doc.Statement == nil || len(in.PolicyText) > maxPolicy {
		return nil, invalid("'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'")
	}
	p := registry(ctx, in.RegistryId)
	r, err := s.change(ctx, p, in.RepositoryName, func(r *repositoryRecord) error { r.Policy = in.PolicyText; return nil })
	return &api.SetRepositoryPolicyOutput{RegistryId: &p.account, RepositoryName: &r.Name, PolicyText: &r.Policy}, err
}

func (s *Service) getRepositoryPolicy(ctx context.Context, in *api.GetRepositoryPolicyInput) (*api.GetRepositoryPolicyOutput, error) {
	p, r, err := s.view(ctx, in.RegistryId, in.RepositoryName)
	if err == nil && r.Policy == "" {
		err = noPolicy(p, r.Name)
	}
	return &api.GetRepositoryPolicyOutput{RegistryId: &p.account, RepositoryName: &r.Name, PolicyText: &r.Policy}, err
}

func (s *Service) deleteRepositoryPolicy(ctx context.Context, in *api.DeleteRepositoryPolicyInput) (*api.DeleteRepositoryPolicyOutput, error) {
	p := registry(ctx, in.RegistryId)
	var had string
	r, err := s.change(ctx, p, in.RepositoryName, func(r *repositoryRecord) error {
		if r.Policy == "" {
			return noPolicy(p, r.Name)
		}
		had, r.Policy = r.Policy, ""
		return nil
	})
	return &api.DeleteRepositoryPolicyOutput{RegistryId: &p.account, RepositoryName: &r.Name, PolicyText: &had}, err
}

func noPolicy(p place, name string) error {
	return refuse(codeNoPolicy, "Repository policy does not exist for the repository with name '%s' in the registry with id '%s'", name, p.account)
}

func noLifecycle(p place, name string) error {
	return refuse(codeNoLifecycle, "Lifecycle policy does not exist for the repository with name '%s' in the registry with id '%s'", name, p.account)
}

// lifecycleRule is a rule of a lifecycle policy
// (https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html).
type lifecycleRule struct {
	RulePriority int
	Selection    struct {
		TagStatus                     string
		TagPrefixList, TagPatternList []string
		CountType, CountUnit          string
		CountNumber                   int
	}
	Action struct{ Type string }
}

// bad says what is wrong with a rule; empty means nothing.
func (r lifecycleRule) bad() string {
	sel := r.Selection
	switch {
	case r.RulePriority < 1:
		return "rulePriority must be a positive number"
	case !slices.Contains([]string{"tagged", "untagged", "any"}, sel.TagStatus):
		return "tagStatus must be tagged, untagged or any"
	case (sel.TagStatus == "tagged") != (len(sel.TagPrefixList)+len(sel.TagPatternList) > 0):
		return "tagPrefixList or tagPatternList go with the tagStatus tagged, and only with that"
	case sel.CountNumber < 1:
		return "countNumber must be a positive number"
	case sel.CountType == "sinceImagePushed" && sel.CountUnit != "days":
		return "sinceImagePushed needs the countUnit days"
	case sel.CountType == "imageCountMoreThan" && sel.CountUnit != "":
		return "imageCountMoreThan has no countUnit"
	case sel.CountType != "sinceImagePushed" && sel.CountType != "imageCountMoreThan":
		return "countType must be sinceImagePushed or imageCountMoreThan"
	case r.Action.Type != "expire":
		return "the action's type must be expire"
	}
	return ""
}

// checkLifecycle returns the error of a lifecycle policy that does not hold.
func checkLifecycle(text string) error {
	var doc struct{ Rules []lifecycleRule }
	fail := func(why string) error {
		return invalid("'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: %s'", why)
	}
	switch err := json.Unmarshal([]byte(text), &doc); {
	case err != nil:
		return fail(err.Error())
	case len(text) > maxLifecycle:
		return fail("the policy is larger than 30,720 bytes")
	case len(doc.Rules) < 1 || len(doc.Rules) > 50:
		return fail("a policy has 1 to 50 rules")
	}
	seen := map[int]bool{}
	for _, r := range doc.Rules {
		if why := r.bad(); why != "" {
			return fail(why)
		}
		if seen[r.RulePriority] {
			return fail("two rules have the same rulePriority")
		}
		seen[r.RulePriority] = true
	}
	return nil
}

func (s *Service) putLifecyclePolicy(ctx context.Context, in *api.PutLifecyclePolicyInput) (*api.PutLifecyclePolicyOutput, error) {
	if err := checkLifecycle(in.LifecyclePolicyText); err != nil {
		return nil, err
	}
	p := registry(ctx, in.RegistryId)
	r, err := s.change(ctx, p, in.RepositoryName, func(r *repositoryRecord) error { r.Lifecycle = in.LifecyclePolicyText; return nil })
	return &api.PutLifecyclePolicyOutput{RegistryId: &p.account, RepositoryName: &r.Name, LifecyclePolicyText: &r.Lifecycle}, err
}

// getLifecyclePolicy returns a lifecycle policy. It was never evaluated, since there are no images.
func (s *Service) getLifecyclePolicy(ctx context.Context, in *api.GetLifecyclePolicyInput) (*api.GetLifecyclePolicyOutput, error) {
	p, r, err := s.view(ctx, in.RegistryId, in.RepositoryName)
	if err == nil && r.Lifecycle == "" {
		err = noLifecycle(p, r.Name)
	}
	return &api.GetLifecyclePolicyOutput{RegistryId: &p.account, RepositoryName: &r.Name, LifecyclePolicyText: &r.Lifecycle, LastEvaluatedAt: new(time.Unix(0, 0).UTC())}, err
}

func (s *Service) deleteLifecyclePolicy(ctx context.Context, in *api.DeleteLifecyclePolicyInput) (*api.DeleteLifecyclePolicyOutput, error) {
	p := registry(ctx, in.RegistryId)
	var had string
	r, err := s.change(ctx, p, in.RepositoryName, func(r *repositoryRecord) error {
		if r.Lifecycle == "" {
			return noLifecycle(p, r.Name)
		}
		had, r.Lifecycle = r.Lifecycle, ""
		return nil
	})
	return &api.DeleteLifecyclePolicyOutput{RegistryId: &p.account, RepositoryName: &r.Name, LifecyclePolicyText: &had, LastEvaluatedAt: new(time.Unix(0, 0).UTC())}, err
}
