package sts

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs. GetCallerIdentity, GetSessionToken and
// GetAccessKeyInfo need no permission: the first is answered even to callers that are denied it.
// AssumeRoleWithWebIdentity and AssumeRoleWithSAML have no credentials: they ask the door about the caller that the token or the assertion proves.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (s *STS) access() map[string]service.Access {
	return map[string]service.Access{
		"GetCallerIdentity":         {Action: "sts:GetCallerIdentity", Open: true},
		"GetSessionToken":           {Action: "sts:GetSessionToken", Open: true},
		"GetAccessKeyInfo":          service.OnAny("sts:GetAccessKeyInfo"),
		"AssumeRole":                service.OnAll("sts:AssumeRole", s.assumeTargets),
		"AssumeRoleWithSAML":        {Action: samlAction, Open: true, Anonymous: true},
		"AssumeRoleWithWebIdentity": {Action: webIdentityAction, Open: true, Anonymous: true},
		"GetFederationToken": service.On("sts:GetFederationToken", func(ctx context.Context, in *api.GetFederationTokenInput) string {
			return "arn:aws:sts::" + service.RequestFrom(ctx).Account + ":federated-user/" + in.Name
		}),
	}
}

// assumeTargets asks for sts:AssumeRole, and for sts:TagSession and sts:SetSourceIdentity where
// the call passes tags or a source identity, each under the role's trust policy. It uses up a code of an MFA device.
func (s *STS) assumeTargets(ctx context.Context, in *api.AssumeRoleInput) ([]service.Target, error) {
	role, err := s.roles.Role(ctx, in.RoleArn)
	if err != nil {
		return nil, err
	}
	proven, err := s.proveMFA(ctx, in.SerialNumber, in.TokenCode)
	if err != nil {
		return nil, err
	}
	t := service.Target{ARN: in.RoleArn, Condition: assumeConditions(in)}
	if proven {
		t.Condition["aws:MultiFactorAuthPresent"], t.Condition["aws:MultiFactorAuthAge"] = []string{"true"}, []string{"0"}
	}
	if role != nil {
		t.Policy, t.Owner = role.Trust, role.Account
	}
	out := []service.Target{t}
	more := func(action string) {
		t.Action = action
		out = append(out, t)
	}
	if len(in.Tags) > 0 {
		more("sts:TagSession")
	}
	if in.SourceIdentity != nil {
		more("sts:SetSourceIdentity")
	}
	return out, nil
}

// assumeConditions returns the condition keys of the call.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
func assumeConditions(in *api.AssumeRoleInput) map[string][]string {
	out := map[string][]string{"sts:RoleSessionName": {in.RoleSessionName}}
	if in.ExternalId != nil {
		out["sts:ExternalId"] = []string{*in.ExternalId}
	}
	if in.SourceIdentity != nil {
		out["sts:SourceIdentity"] = []string{*in.SourceIdentity}
	}
	for _, t := range in.Tags {
		out["aws:RequestTag/"+t.Key] = []string{t.Value}
		out["aws:TagKeys"] = append(out["aws:TagKeys"], t.Key)
	}
	if len(in.TransitiveTagKeys) > 0 {
		out["sts:TransitiveTagKeys"] = in.TransitiveTagKeys
	}
	return out
}
