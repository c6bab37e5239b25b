package iam

import (
	"context"
	"net/url"
	"strings"

	engine "lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The bounds of a role's MaxSessionDuration, in seconds.
const (
	minSession     = 3600
	maxSession     = 43200
	defaultSession = 3600
)

func (s *IAM) createRole(ctx context.Context, in *api.CreateRoleInput) (*api.CreateRoleOutput, error) {
	e := &entity{Kind: role, Name: in.RoleName, Trust: in.AssumeRolePolicyDocument, MaxSession: defaultSession}
	if in.Description != nil {
		e.Description = *in.Description
	}
	if in.MaxSessionDuration != nil {
		e.MaxSession = *in.MaxSessionDuration
	}
	if in.PermissionsBoundary != nil {
		e.Boundary = *in.PermissionsBoundary
	}
	if err := sessionRange(e.MaxSession); err != nil {
		return nil, err
	}
	if err := s.create(ctx, e, in.Path, in.Tags); err != nil {
		return nil, err
	}
	return &api.CreateRoleOutput{Role: ptr(e.role())}, nil
}

func sessionRange(seconds int32) error {
	if seconds < minSession || seconds > maxSession {
		return fail("ValidationError", 400, "MaxSessionDuration must be between %d and %d seconds.", minSession, maxSession)
	}
	return nil
}

// checkTrust compiles a trust policy and checks that the users and roles of the account that it
// names exist.
func checkTrust(r store.Reader, account, doc string) error {
	p, err := engine.Parse(doc, engine.Trust)
	if err != nil {
		return malformed(err)
	}
	for _, name := range p.AWSPrincipals() {
		res, ok := strings.CutPrefix(name, "arn:aws:iam::"+account+":")
		if !ok {
			continue
		}
		k, _, _ := strings.Cut(res, "/")
		if kind(k) != user && kind(k) != role {
			continue
		}
		has, err := record.Has(r, entityKey(account, kind(k), res[strings.LastIndexByte(res, '/')+1:]))
		if err != nil {
			return err
		}
		if !has {
			return fail("MalformedPolicyDocument", 400, `Invalid principal in policy: "AWS":%q`, name)
		}
	}
	return nil
}

// role returns the API's form. Documents are percent-encoded (RFC 3986), as IAM sends them.
func (e *entity) role() api.Role {
	return api.Role{
		Path: e.Path, RoleName: e.Name, RoleId: e.ID, Arn: e.arn(), CreateDate: e.Created, AssumeRolePolicyDocument: ptr(encoded(e.Trust)),
		Description: text(e.Description), MaxSessionDuration: &e.MaxSession, PermissionsBoundary: boundaryOf(e.Boundary), Tags: e.Tags,
	}
}

func encoded(doc string) string { return strings.ReplaceAll(url.QueryEscape(doc), "+", "%20") }

func (s *IAM) getRole(ctx context.Context, in *api.GetRoleInput) (*api.GetRoleOutput, error) {
	e, err := s.get(ctx, role, in.RoleName)
	if err != nil {
		return nil, err
	}
	r := e.role()
	r.RoleLastUsed = &api.RoleLastUsed{}
	return &api.GetRoleOutput{Role: &r}, nil
}

func (s *IAM) listRoles(ctx context.Context, in *api.ListRolesInput) (*api.ListRolesOutput, error) {
	items, err := s.list(ctx, role, in.PathPrefix)
	if err != nil {
		return nil, err
	}
	out := &api.ListRolesOutput{}
	items, out.IsTruncated, out.Marker, err = page(items, in.Marker, in.MaxItems, entityName)
	out.Roles = mapped(items, func(e *entity) api.Role {
		r := e.role()
		r.Tags, r.PermissionsBoundary = nil, nil // Not part of a listing.
		return r
	})
	return out, err
}

func entityName(e *entity) string { return e.Name }

func (s *IAM) updateRole(ctx context.Context, in *api.UpdateRoleInput) (*api.UpdateRoleOutput, error) {
	return &api.UpdateRoleOutput{}, s.change(ctx, role, in.RoleName, func(_ store.Txn, e *entity) error {
		if in.Description != nil {
			e.Description = *in.Description
		}
		if in.MaxSessionDuration != nil {
			e.MaxSession = *in.MaxSessionDuration
		}
		return sessionRange(e.MaxSession)
	})
}

func (s *IAM) updateRoleDescription(ctx context.Context, in *api.UpdateRoleDescriptionInput) (*api.UpdateRoleDescriptionOutput, error) {
	out := &api.UpdateRoleDescriptionOutput{}
	return out, s.amend(ctx, role, in.RoleName, func(_ store.Txn, e *entity) error {
		e.Description = in.Description
		out.Role = ptr(e.role())
		return nil
	})
}

func (s *IAM) updateAssumeRolePolicy(ctx context.Context, in *api.UpdateAssumeRolePolicyInput) (*api.UpdateAssumeRolePolicyOutput, error) {
	return &api.UpdateAssumeRolePolicyOutput{}, s.change(ctx, role, in.RoleName, func(tx store.Txn, e *entity) error {
		e.Trust = in.PolicyDocument
		err := checkTrust(tx, e.Account, e.Trust)
		return err
	})
}

func (s *IAM) deleteRole(ctx context.Context, in *api.DeleteRoleInput) (*api.DeleteRoleOutput, error) {
	return &api.DeleteRoleOutput{}, s.update(ctx, func(tx store.Txn) error {
		e, err := find(tx, account(ctx), role, in.RoleName)
		if err != nil {
			return err
		}
		if err := e.modifiable(); err != nil {
			return err
		}
		if err := bare(e); err != nil {
			return err
		}
		profiles, err := record.List[profile](tx, all(e.Account, "profile").Span())
		if err != nil {
			return err
		}
		for i := range profiles {
			if strings.EqualFold(profiles[i].Role, e.Name) {
				return conflict("Cannot delete entity, must remove roles from instance profile first.")
			}
		}
		return remove(tx, e)
	})
}

// bare refuses to delete what still has policies.
func bare(e *entity) error {
	switch {
	case len(e.Attached) > 0:
		return conflict("Cannot delete entity, must detach all policies first.")
	case len(e.Inline) > 0:
		return conflict("Cannot delete entity, must delete policies first.")
	}
	return nil
}

// remove deletes an entity, and turns its ARN in the account's trust policies into its unique id.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func remove(tx store.Txn, e *entity) error {
	roles, err := record.List[entity](tx, all(e.Account, string(role)).Span())
	if err != nil {
		return err
	}
	for i := range roles {
		r := &roles[i]
		if doc := strings.ReplaceAll(r.Trust, `"`+e.arn()+`"`, `"`+e.ID+`"`); doc != r.Trust && !strings.EqualFold(r.Name, e.Name) {
			r.Trust = doc
			if err := put(tx, r); err != nil {
				return err
			}
		}
	}
	tx.Delete(entityKey(e.Account, e.Kind, e.Name))
	return nil
}

func (s *IAM) createServiceLinkedRole(ctx context.Context, in *api.CreateServiceLinkedRoleInput) (*api.CreateServiceLinkedRoleOutput, error) {
	name, ok := linkedName(in.AWSServiceName, in.CustomSuffix)
	if !ok {
		return nil, invalid("The service name %s is not a service principal such as ecs.amazonaws.com.", in.AWSServiceName)
	}
	e := &entity{
		Kind: role, Name: name, Service: in.AWSServiceName, MaxSession: defaultSession,
		Trust: `{"Version":"2012-10-17","Statement":[{"Action":["sts:AssumeRole"],"Effect":"Allow","Principal":{"Service":["` + in.AWSServiceName + `"]}}]}`,
	}
	if in.Description != nil {
		e.Description = *in.Description
	}
	path := "/aws-service-role/" + in.AWSServiceName + "/"
	if err := s.create(ctx, e, &path, nil); err != nil {
		return nil, err
	}
	return &api.CreateServiceLinkedRoleOutput{Role: ptr(e.role())}, nil
}

// linkedName returns AWSServiceRoleFor and the service's name for a service principal, with the suffix when there is one.
func linkedName(principal string, suffix *string) (string, bool) {
	svc, ok := strings.CutSuffix(principal, ".amazonaws.com")
	if !ok || svc == "" || strings.ContainsFunc(svc, func(r rune) bool { return !(r == '-' || r == '.' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9') }) {
		return "", false
	}
	var b strings.Builder
	for part := range strings.FieldsFuncSeq(svc, func(r rune) bool { return r == '-' || r == '.' }) {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	name := b.String()
	switch svc {
	case "ecs", "rds":
		name = strings.ToUpper(svc)
	case "elasticloadbalancing":
		name = "ElasticLoadBalancing"
	case "autoscaling":
		name = "AutoScaling"
	}
	if suffix != nil {
		name += "_" + *suffix
	}
	return "AWSServiceRoleFor" + name, true
}

func (s *IAM) deleteServiceLinkedRole(ctx context.Context, in *api.DeleteServiceLinkedRoleInput) (*api.DeleteServiceLinkedRoleOutput, error) {
	out := &api.DeleteServiceLinkedRoleOutput{}
	return out, s.update(ctx, func(tx store.Txn) error {
		e, err := find(tx, account(ctx), role, in.RoleName)
		if err != nil {
			return err
		}
		if e.Service == "" {
			return invalid("The role %s is not a service-linked role.", e.Name)
		}
		out.DeletionTaskId = "task" + e.Path + e.Name + "/" + e.ID
		return remove(tx, e)
	})
}

func (s *IAM) getServiceLinkedRoleDeletionStatus(_ context.Context, in *api.GetServiceLinkedRoleDeletionStatusInput) (*api.GetServiceLinkedRoleDeletionStatusOutput, error) {
	if !strings.HasPrefix(in.DeletionTaskId, "task/aws-service-role/") {
		return nil, fail("NoSuchEntity", 404, "The deletion task %s does not exist.", in.DeletionTaskId)
	}
	return &api.GetServiceLinkedRoleDeletionStatusOutput{Status: api.DeletionTaskStatusTypeSucceeded}, nil
}
