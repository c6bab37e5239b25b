package iam

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/service"
)

// tagProperty is an element of a Tags property.
type tagProperty struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

// inlineProperty is an element of a Policies property.
type inlineProperty struct {
	PolicyName     string `cfn:"PolicyName,required"`
	PolicyDocument any    `cfn:"PolicyDocument,required"`
}

// roleProperties are the properties of AWS::IAM::Role.
type roleProperties struct {
	RoleName                 *string          `cfn:"RoleName,createOnly"`
	Path                     *string          `cfn:"Path,createOnly"`
	AssumeRolePolicyDocument any              `cfn:"AssumeRolePolicyDocument,required"`
	Description              *string          `cfn:"Description"`
	MaxSessionDuration       *int32           `cfn:"MaxSessionDuration"`
	ManagedPolicyArns        []string         `cfn:"ManagedPolicyArns,unordered"`
	PermissionsBoundary      *string          `cfn:"PermissionsBoundary"`
	Policies                 []inlineProperty `cfn:"Policies,unordered"`
	Tags                     []tagProperty    `cfn:"Tags"`
}

// userProperties are the properties of AWS::IAM::User.
type userProperties struct {
	UserName            *string          `cfn:"UserName,createOnly"`
	Path                *string          `cfn:"Path,createOnly"`
	Groups              []string         `cfn:"Groups,unordered"`
	ManagedPolicyArns   []string         `cfn:"ManagedPolicyArns,unordered"`
	PermissionsBoundary *string          `cfn:"PermissionsBoundary"`
	Policies            []inlineProperty `cfn:"Policies,unordered"`
	Tags                []tagProperty    `cfn:"Tags"`
}

// groupProperties are the properties of AWS::IAM::Group.
type groupProperties struct {
	GroupName         *string          `cfn:"GroupName,createOnly"`
	Path              *string          `cfn:"Path,createOnly"`
	ManagedPolicyArns []string         `cfn:"ManagedPolicyArns,unordered"`
	Policies          []inlineProperty `cfn:"Policies,unordered"`
}

// policyProperties are the properties of AWS::IAM::Policy.
type policyProperties struct {
	PolicyName     string   `cfn:"PolicyName,required,createOnly"`
	PolicyDocument any      `cfn:"PolicyDocument,required"`
	Roles          []string `cfn:"Roles,unordered"`
	Users          []string `cfn:"Users,unordered"`
	Groups         []string `cfn:"Groups,unordered"`
}

// managedProperties are the properties of AWS::IAM::ManagedPolicy.
type managedProperties struct {
	ManagedPolicyName *string  `cfn:"ManagedPolicyName,createOnly"`
	Path              *string  `cfn:"Path,createOnly"`
	Description       *string  `cfn:"Description,createOnly"`
	PolicyDocument    any      `cfn:"PolicyDocument,required"`
	Roles             []string `cfn:"Roles,unordered"`
	Users             []string `cfn:"Users,unordered"`
	Groups            []string `cfn:"Groups,unordered"`
}

// accessKeyProperties are the properties of AWS::IAM::AccessKey.
type accessKeyProperties struct {
	UserName string  `cfn:"UserName,required,createOnly"`
	Serial   *int32  `cfn:"Serial,createOnly"`
	Status   *string `cfn:"Status"`
}

// profileProperties are the properties of AWS::IAM::InstanceProfile.
type profileProperties struct {
	InstanceProfileName *string  `cfn:"InstanceProfileName,createOnly"`
	Path                *string  `cfn:"Path,createOnly"`
	Roles               []string `cfn:"Roles,required"`
}

func (s *IAM) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::IAM::Role", service.ResourceSpec[roleProperties]{
			Attributes: []string{"Arn", "RoleId"}, Create: s.createRoleResource, Update: s.updateRoleResource, Delete: s.deleteRoleResource,
			Identifier: []string{"RoleName"}, Read: s.readRoleResource, Missing: []string{missing}, List: s.listRoleResources,
		}),
		service.NewResourceType("AWS::IAM::User", service.ResourceSpec[userProperties]{
			Attributes: []string{"Arn"}, Create: s.createUserResource, Update: s.updateUserResource, Delete: s.deleteUserResource,
			Identifier: []string{"UserName"}, Read: s.readUserResource, Missing: []string{missing}, List: s.listUserResources,
		}),
		service.NewResourceType("AWS::IAM::Group", service.ResourceSpec[groupProperties]{
			Attributes: []string{"Arn"}, Create: s.createGroupResource, Update: s.updateGroupResource, Delete: s.deleteGroupResource,
			Identifier: []string{"GroupName"}, Read: s.readGroupResource, Missing: []string{missing}, List: s.listGroupResources,
		}),
		service.NewResourceType("AWS::IAM::Policy", service.ResourceSpec[policyProperties]{
			Attributes: []string{"Id"}, Create: s.createPolicyResource, Update: s.updatePolicyResource, Delete: s.deletePolicyResource,
			Identifier: []string{"Id"}, Reread: s.rereadPolicyResource, Missing: []string{missing},
		}),
		s.rolePolicyType(), s.userPolicyType(), s.groupPolicyType(), s.additionType(), s.linkedType(), s.oidcType(), s.certificateType(), s.mfaType(), s.samlType(),
		service.NewResourceType("AWS::IAM::ManagedPolicy", service.ResourceSpec[managedProperties]{
			Attributes: []string{"PolicyArn", "PolicyId"}, Create: s.createManagedResource, Update: s.updateManagedResource, Delete: s.deleteManagedResource,
			Identifier: []string{"PolicyArn"}, Read: s.readManagedResource, Missing: []string{missing}, List: s.listManagedResources,
		}),
		service.NewResourceType("AWS::IAM::AccessKey", service.ResourceSpec[accessKeyProperties]{
			Attributes: []string{"SecretAccessKey"}, Create: s.createKeyResource, Update: s.updateKeyResource, Delete: s.deleteKeyResource,
			Identifier: []string{"Id"}, Reread: s.rereadKeyResource, Missing: []string{missing},
		}),
		service.NewResourceType("AWS::IAM::InstanceProfile", service.ResourceSpec[profileProperties]{
			Attributes: []string{"Arn"}, Create: s.createProfileResource, Update: s.updateProfileResource, Delete: s.deleteProfileResource,
			Identifier: []string{"InstanceProfileName"}, Read: s.readProfileResource, Missing: []string{missing}, List: s.listProfileResources,
		}),
	}
}

func (s *IAM) call(ctx context.Context, operation string, in any) error {
	_, err := s.deps.Door.Call(ctx, "iam", operation, in)
	return err
}

// gone makes a delete of something that is gone already no error.
func gone(err error) error { return service.Unless(err, "NoSuchEntity") }

// document returns a template's document as JSON. A string is taken as it is.
func document(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode a policy document: %w", err)
	}
	return string(b), nil
}

// tagsOf merges the stack's tags with those of the resource.
func tagsOf(c service.ResourceCall, own []tagProperty) []api.Tag {
	m := maps.Clone(c.Tags)
	if m == nil {
		m = map[string]string{}
	}
	for _, t := range own {
		m[t.Key] = t.Value
	}
	var out []api.Tag
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, api.Tag{Key: k, Value: m[k]})
	}
	return out
}

func nameOr(name *string, c service.ResourceCall, limit int) string {
	if name != nil {
		return *name
	}
	if c.PhysicalID != "" {
		return c.PhysicalID
	}
	return c.Name(limit, nil)
}

// grants are the policies of a principal resource, of whatever kind.
type grants struct {
	kind     kind
	name     string
	managed  []string
	policies []inlineProperty
}

// apply brings the policies from old to g.
func (s *IAM) apply(ctx context.Context, old, g grants) error {
	for _, arn := range g.managed {
		if err := s.callAttach(ctx, g.kind, g.name, arn, true); err != nil {
			return err
		}
	}
	for _, arn := range old.managed {
		if !slices.Contains(g.managed, arn) {
			if err := gone(s.callAttach(ctx, g.kind, g.name, arn, false)); err != nil {
				return err
			}
		}
	}
	for _, p := range g.policies {
		doc, err := document(p.PolicyDocument)
		if err != nil {
			return err
		}
		if err := s.callPut(ctx, g.kind, g.name, p.PolicyName, doc); err != nil {
			return err
		}
	}
	for _, p := range old.policies {
		if !slices.ContainsFunc(g.policies, func(q inlineProperty) bool { return q.PolicyName == p.PolicyName }) {
			if err := gone(s.callDelete(ctx, g.kind, g.name, p.PolicyName)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *IAM) callAttach(ctx context.Context, k kind, name, arn string, on bool) error {
	switch {
	case k == role && on:
		return s.call(ctx, "AttachRolePolicy", &api.AttachRolePolicyInput{RoleName: name, PolicyArn: arn})
	case k == role:
		return s.call(ctx, "DetachRolePolicy", &api.DetachRolePolicyInput{RoleName: name, PolicyArn: arn})
	case k == user && on:
		return s.call(ctx, "AttachUserPolicy", &api.AttachUserPolicyInput{UserName: name, PolicyArn: arn})
	case k == user:
		return s.call(ctx, "DetachUserPolicy", &api.DetachUserPolicyInput{UserName: name, PolicyArn: arn})
	case on:
		return s.call(ctx, "AttachGroupPolicy", &api.AttachGroupPolicyInput{GroupName: name, PolicyArn: arn})
	}
	return s.call(ctx, "DetachGroupPolicy", &api.DetachGroupPolicyInput{GroupName: name, PolicyArn: arn})
}

func (s *IAM) callPut(ctx context.Context, k kind, name, policy, doc string) error {
	switch k {
	case role:
		return s.call(ctx, "PutRolePolicy", &api.PutRolePolicyInput{RoleName: name, PolicyName: policy, PolicyDocument: doc})
	case user:
		return s.call(ctx, "PutUserPolicy", &api.PutUserPolicyInput{UserName: name, PolicyName: policy, PolicyDocument: doc})
	case group:
	}
	return s.call(ctx, "PutGroupPolicy", &api.PutGroupPolicyInput{GroupName: name, PolicyName: policy, PolicyDocument: doc})
}

func (s *IAM) callDelete(ctx context.Context, k kind, name, policy string) error {
	switch k {
	case role:
		return s.call(ctx, "DeleteRolePolicy", &api.DeleteRolePolicyInput{RoleName: name, PolicyName: policy})
	case user:
		return s.call(ctx, "DeleteUserPolicy", &api.DeleteUserPolicyInput{UserName: name, PolicyName: policy})
	case group:
	}
	return s.call(ctx, "DeleteGroupPolicy", &api.DeleteGroupPolicyInput{GroupName: name, PolicyName: policy})
}
