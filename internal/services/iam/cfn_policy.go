package iam

import (
	"context"
	"errors"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/service"
)

// holder is a principal that a policy resource names.
type holder struct {
	kind kind
	name string
}

func holders(roles, users, groups []string) []holder {
	var out []holder
	for _, r := range roles {
		out = append(out, holder{role, r})
	}
	for _, u := range users {
		out = append(out, holder{user, u})
	}
	for _, g := range groups {
		out = append(out, holder{group, g})
	}
	return out
}

// putAll puts an inline policy to every holder, and takes it from those that are no longer named.
func (s *IAM) putAll(ctx context.Context, name, doc string, old, now []holder) error {
	for _, h := range now {
		if err := s.callPut(ctx, h.kind, h.name, name, doc); err != nil {
			return err
		}
	}
	for _, h := range old {
		if !slices.Contains(now, h) {
			if err := gone(s.callDelete(ctx, h.kind, h.name, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// policyResource is named by its stack, because the policy itself has no id. As recorded of AWS, the id has the beginnings of both names: "stack-fnSe-3OZPF82JL41D".
func policyResource(c service.ResourceCall) service.Resource {
	id := c.PhysicalID
	if id == "" {
		id = c.StackName[:min(5, len(c.StackName))] + "-" + c.LogicalID[:min(4, len(c.LogicalID))] + "-" + c.NameSeed[strings.LastIndexByte(c.NameSeed, '-')+1:]
	}
	return service.Resource{PhysicalID: id, Attributes: map[string]any{"Id": id}}
}

func (s *IAM) createPolicyResource(ctx context.Context, c service.ResourceCall, p *policyProperties) (service.Resource, error) {
	return s.updatePolicyResource(ctx, c, &policyProperties{}, p)
}

func (s *IAM) updatePolicyResource(ctx context.Context, c service.ResourceCall, old, p *policyProperties) (service.Resource, error) {
	now := holders(p.Roles, p.Users, p.Groups)
	if len(now) == 0 {
		return service.Resource{}, invalid("AWS::IAM::Policy needs at least one of Roles, Users and Groups.")
	}
	doc, err := document(p.PolicyDocument)
	if err != nil {
		return service.Resource{}, err
	}
	return policyResource(c), s.putAll(ctx, p.PolicyName, doc, holders(old.Roles, old.Users, old.Groups), now)
}

func (s *IAM) deletePolicyResource(ctx context.Context, _ service.ResourceCall, p *policyProperties) error {
	return s.putAll(ctx, p.PolicyName, "", holders(p.Roles, p.Users, p.Groups), nil)
}

// attachAll attaches a managed policy to every holder, and detaches it from the others of old.
func (s *IAM) attachAll(ctx context.Context, arn string, old, now []holder) error {
	for _, h := range now {
		if err := s.callAttach(ctx, h.kind, h.name, arn, true); err != nil {
			return err
		}
	}
	for _, h := range old {
		if !slices.Contains(now, h) {
			if err := gone(s.callAttach(ctx, h.kind, h.name, arn, false)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *IAM) createManagedResource(ctx context.Context, c service.ResourceCall, p *managedProperties) (service.Resource, error) {
	name := nameOr(p.ManagedPolicyName, c, 128)
	doc, err := document(p.PolicyDocument)
	if err != nil {
		return service.Resource{}, err
	}
	path := "/"
	if p.Path != nil {
		path = *p.Path
	}
	arn := "arn:aws:iam::" + account(ctx) + ":policy" + path + name
	err = s.call(ctx, "CreatePolicy", &api.CreatePolicyInput{PolicyName: name, Path: p.Path, PolicyDocument: doc, Description: p.Description})
	if err != nil && !(service.Code(err) == "EntityAlreadyExists" && p.ManagedPolicyName == nil) {
		return service.Resource{}, err
	}
	if err := s.attachAll(ctx, arn, nil, holders(p.Roles, p.Users, p.Groups)); err != nil {
		return service.Resource{PhysicalID: arn}, err
	}
	return s.managedResource(ctx, arn)
}

func (s *IAM) managedResource(ctx context.Context, arn string) (service.Resource, error) {
	out, err := service.Call[api.GetPolicyOutput](ctx, s.deps.Door, "iam", "GetPolicy", &api.GetPolicyInput{PolicyArn: arn})
	if err != nil {
		return service.Resource{PhysicalID: arn}, err
	}
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"PolicyArn": arn, "PolicyId": *out.Policy.PolicyId}}, nil
}

func (s *IAM) updateManagedResource(ctx context.Context, c service.ResourceCall, old, p *managedProperties) (service.Resource, error) {
	doc, err := document(p.PolicyDocument)
	if err != nil {
		return service.Resource{}, err
	}
	before, err := document(old.PolicyDocument)
	if err != nil {
		return service.Resource{}, err
	}
	if doc != before {
		if err := s.newVersion(ctx, c.PhysicalID, doc); err != nil {
			return service.Resource{}, err
		}
	}
	if err := s.attachAll(ctx, c.PhysicalID, holders(old.Roles, old.Users, old.Groups), holders(p.Roles, p.Users, p.Groups)); err != nil {
		return service.Resource{}, err
	}
	return s.managedResource(ctx, c.PhysicalID)
}

// newVersion makes a document the default version, and the oldest other one makes room for it.
func (s *IAM) newVersion(ctx context.Context, arn, doc string) error {
	out, err := service.Call[api.ListPolicyVersionsOutput](ctx, s.deps.Door, "iam", "ListPolicyVersions", &api.ListPolicyVersionsInput{PolicyArn: arn})
	if err != nil {
		return err
	}
	if len(out.Versions) >= versionQuota {
		for _, v := range slices.Backward(out.Versions) {
			if !*v.IsDefaultVersion {
				if err := s.call(ctx, "DeletePolicyVersion", &api.DeletePolicyVersionInput{PolicyArn: arn, VersionId: *v.VersionId}); err != nil {
					return err
				}
				break
			}
		}
	}
	return s.call(ctx, "CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: doc, SetAsDefault: ptr(true)})
}

func (s *IAM) deleteManagedResource(ctx context.Context, c service.ResourceCall, p *managedProperties) error {
	arn := c.PhysicalID
	if err := s.attachAll(ctx, arn, holders(p.Roles, p.Users, p.Groups), nil); err != nil {
		return err
	}
	out, err := service.Call[api.ListPolicyVersionsOutput](ctx, s.deps.Door, "iam", "ListPolicyVersions", &api.ListPolicyVersionsInput{PolicyArn: arn})
	if err != nil {
		return gone(err)
	}
	for _, v := range out.Versions {
		if *v.IsDefaultVersion {
			continue
		}
		if err := gone(s.call(ctx, "DeletePolicyVersion", &api.DeletePolicyVersionInput{PolicyArn: arn, VersionId: *v.VersionId})); err != nil {
			return err
		}
	}
	return gone(s.call(ctx, "DeletePolicy", &api.DeletePolicyInput{PolicyArn: arn}))
}

// errKeyLost tells that a create was repeated after a crash: the secret of the key is shown once.
var errKeyLost = errors.New("the access key was made and its secret was lost in a restart; delete the stack's user keys and deploy again")

func (s *IAM) createKeyResource(ctx context.Context, _ service.ResourceCall, p *accessKeyProperties) (service.Resource, error) {
	out, err := service.Call[api.CreateAccessKeyOutput](ctx, s.deps.Door, "iam", "CreateAccessKey", &api.CreateAccessKeyInput{UserName: &p.UserName})
	if err != nil {
		if service.Code(err) == "LimitExceeded" {
			return service.Resource{}, errors.Join(err, errKeyLost)
		}
		return service.Resource{}, err
	}
	k := out.AccessKey
	r := service.Resource{PhysicalID: k.AccessKeyId, Attributes: map[string]any{"SecretAccessKey": k.SecretAccessKey}}
	if p.Status != nil && *p.Status != k.Status {
		return r, s.call(ctx, "UpdateAccessKey", &api.UpdateAccessKeyInput{UserName: &p.UserName, AccessKeyId: k.AccessKeyId, Status: *p.Status})
	}
	return r, nil
}

func (s *IAM) updateKeyResource(ctx context.Context, c service.ResourceCall, _, p *accessKeyProperties) (service.Resource, error) {
	status := api.StatusTypeActive
	if p.Status != nil {
		status = *p.Status
	}
	return service.Resource{PhysicalID: c.PhysicalID}, s.call(ctx, "UpdateAccessKey", &api.UpdateAccessKeyInput{UserName: &p.UserName, AccessKeyId: c.PhysicalID, Status: status})
}

func (s *IAM) deleteKeyResource(ctx context.Context, c service.ResourceCall, p *accessKeyProperties) error {
	return gone(s.call(ctx, "DeleteAccessKey", &api.DeleteAccessKeyInput{UserName: &p.UserName, AccessKeyId: c.PhysicalID}))
}

func (s *IAM) createProfileResource(ctx context.Context, c service.ResourceCall, p *profileProperties) (service.Resource, error) {
	name := nameOr(p.InstanceProfileName, c, 128)
	err := s.call(ctx, "CreateInstanceProfile", &api.CreateInstanceProfileInput{InstanceProfileName: name, Path: p.Path})
	if err != nil && !(service.Code(err) == "EntityAlreadyExists" && p.InstanceProfileName == nil) {
		return service.Resource{}, err
	}
	return s.profileResource(ctx, name, nil, p.Roles)
}

func (s *IAM) profileResource(ctx context.Context, name string, old, now []string) (service.Resource, error) {
	for _, r := range old {
		if !slices.Contains(now, r) {
			if err := gone(s.call(ctx, "RemoveRoleFromInstanceProfile", &api.RemoveRoleFromInstanceProfileInput{InstanceProfileName: name, RoleName: r})); err != nil {
				return service.Resource{PhysicalID: name}, err
			}
		}
	}
	for _, r := range now {
		if slices.Contains(old, r) {
			continue
		}
		err := s.call(ctx, "AddRoleToInstanceProfile", &api.AddRoleToInstanceProfileInput{InstanceProfileName: name, RoleName: r})
		if service.Unless(err, "LimitExceeded") != nil {
			return service.Resource{PhysicalID: name}, err
		}
	}
	out, err := service.Call[api.GetInstanceProfileOutput](ctx, s.deps.Door, "iam", "GetInstanceProfile", &api.GetInstanceProfileInput{InstanceProfileName: name})
	if err != nil {
		return service.Resource{PhysicalID: name}, err
	}
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": out.InstanceProfile.Arn}}, nil
}

func (s *IAM) updateProfileResource(ctx context.Context, c service.ResourceCall, old, p *profileProperties) (service.Resource, error) {
	return s.profileResource(ctx, c.PhysicalID, old.Roles, p.Roles)
}

func (s *IAM) deleteProfileResource(ctx context.Context, c service.ResourceCall, p *profileProperties) error {
	for _, r := range p.Roles {
		if err := gone(s.call(ctx, "RemoveRoleFromInstanceProfile", &api.RemoveRoleFromInstanceProfileInput{InstanceProfileName: c.PhysicalID, RoleName: r})); err != nil {
			return err
		}
	}
	return gone(s.call(ctx, "DeleteInstanceProfile", &api.DeleteInstanceProfileInput{InstanceProfileName: c.PhysicalID}))
}
