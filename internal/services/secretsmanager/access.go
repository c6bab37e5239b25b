package secretsmanager

import (
	"context"
	"strconv"

	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html).
func (s *Service) access() map[string]service.Access {
	return map[string]service.Access{
		"BatchGetSecretValue":  service.OnAny("secretsmanager:BatchGetSecretValue"),
		"CancelRotateSecret":   on(s, "CancelRotateSecret", func(in *api.CancelRotateSecretInput) (string, conditions) { return in.SecretId, nil }),
		"CreateSecret":         service.OnAll("secretsmanager:CreateSecret", createTargets),
		"DeleteResourcePolicy": on(s, "DeleteResourcePolicy", func(in *api.DeleteResourcePolicyInput) (string, conditions) { return in.SecretId, nil }),
		"DeleteSecret": on(s, "DeleteSecret", func(in *api.DeleteSecretInput) (string, conditions) {
			c := conditions{"ForceDeleteWithoutRecovery": strconv.FormatBool(opt.Value(in.ForceDeleteWithoutRecovery))}
			if in.RecoveryWindowInDays != nil {
				c["RecoveryWindowInDays"] = strconv.FormatInt(*in.RecoveryWindowInDays, 10)
			}
			return in.SecretId, c
		}),
		"DescribeSecret":    on(s, "DescribeSecret", func(in *api.DescribeSecretInput) (string, conditions) { return in.SecretId, nil }),
		"GetRandomPassword": service.OnAny("secretsmanager:GetRandomPassword"),
		"GetResourcePolicy": on(s, "GetResourcePolicy", func(in *api.GetResourcePolicyInput) (string, conditions) { return in.SecretId, nil }),
		"GetSecretValue": on(s, "GetSecretValue", func(in *api.GetSecretValueInput) (string, conditions) {
			c := conditions{"VersionId": opt.Value(in.VersionId), "VersionStage": opt.Value(in.VersionStage)}
			if in.VersionId == nil && in.VersionStage == nil {
				c["VersionStage"] = stageCurrent
			}
			return in.SecretId, c
		}),
		"ListSecretVersionIds": on(s, "ListSecretVersionIds", func(in *api.ListSecretVersionIdsInput) (string, conditions) { return in.SecretId, nil }),
		"ListSecrets":          service.OnAny("secretsmanager:ListSecrets"),
		"PutResourcePolicy": on(s, "PutResourcePolicy", func(in *api.PutResourcePolicyInput) (string, conditions) {
			return in.SecretId, conditions{"BlockPublicPolicy": strconv.FormatBool(opt.Value(in.BlockPublicPolicy))}
		}),
		"PutSecretValue":               on(s, "PutSecretValue", func(in *api.PutSecretValueInput) (string, conditions) { return in.SecretId, nil }),
		"RemoveRegionsFromReplication": on(s, "RemoveRegionsFromReplication", func(in *api.RemoveRegionsFromReplicationInput) (string, conditions) { return in.SecretId, nil }),
		"ReplicateSecretToRegions":     on(s, "ReplicateSecretToRegions", func(in *api.ReplicateSecretToRegionsInput) (string, conditions) { return in.SecretId, nil }),
		"RestoreSecret":                on(s, "RestoreSecret", func(in *api.RestoreSecretInput) (string, conditions) { return in.SecretId, nil }),
		"RotateSecret": on(s, "RotateSecret", func(in *api.RotateSecretInput) (string, conditions) {
			return in.SecretId, conditions{"RotationLambdaARN": opt.Value(in.RotationLambdaARN)}
		}),
		"StopReplicationToReplica": on(s, "StopReplicationToReplica", func(in *api.StopReplicationToReplicaInput) (string, conditions) { return in.SecretId, nil }),
		"TagResource":              on(s, "TagResource", func(in *api.TagResourceInput) (string, conditions) { return in.SecretId, nil }),
		"UntagResource":            on(s, "UntagResource", func(in *api.UntagResourceInput) (string, conditions) { return in.SecretId, nil }),
		"UpdateSecret": on(s, "UpdateSecret", func(in *api.UpdateSecretInput) (string, conditions) {
			return in.SecretId, conditions{"Description": opt.Value(in.Description), "KmsKeyId": opt.Value(in.KmsKeyId)}
		}),
		"UpdateSecretVersionStage": on(s, "UpdateSecretVersionStage", func(in *api.UpdateSecretVersionStageInput) (string, conditions) {
			return in.SecretId, conditions{"VersionStage": in.VersionStage}
		}),
		"ValidateResourcePolicy": service.OnAll("secretsmanager:ValidateResourcePolicy", func(ctx context.Context, in *api.ValidateResourcePolicyInput) ([]service.Target, error) {
			if in.SecretId == nil {
				return []service.Target{{ARN: "*"}}, nil
			}
			return s.targets(ctx, *in.SecretId, nil)
		}),
	}
}

// conditions are condition keys without "secretsmanager:"; empty ones are absent.
type conditions map[string]string

// on returns the rule of an operation on the secret that named returns.
func on[In any](s *Service, operation string, named func(in In) (id string, c conditions)) service.Access {
	return service.OnAll("secretsmanager:"+operation, func(ctx context.Context, in In) ([]service.Target, error) {
		id, c := named(in)
		return s.targets(ctx, id, c)
	})
}

// targets are those of an operation on a secret. One that is not there is named as it was asked for: the call will say so to those who may know.
func (s *Service) targets(ctx context.Context, id string, c conditions) ([]service.Target, error) {
	f, err := s.find(ctx, id)
	if service.Code(err) == codeNotFound {
		return []service.Target{{ARN: placeOf(ctx).arn(id)}}, nil
	}
	if err != nil {
		return nil, err
	}
	t := service.Target{ARN: f.arn(), Policy: f.Policy, Owner: f.account, Condition: map[string][]string{"secretsmanager:SecretId": {f.arn()}}}
	for k, v := range c {
		if v != "" {
			t.Condition["secretsmanager:"+k] = []string{v}
		}
	}
	for k, v := range f.Tags {
		t.Condition["secretsmanager:ResourceTag/"+k] = []string{v}
		t.Condition["aws:ResourceTag/"+k] = []string{v}
	}
	if f.Primary != "" {
		t.Condition["secretsmanager:SecretPrimaryRegion"] = []string{f.Primary}
	}
	if f.Rotation != nil && f.Rotation.Function != "" {
		t.Condition["secretsmanager:resource/AllowRotationLambdaArn"] = []string{f.Rotation.Function}
	}
	return []service.Target{t}, nil
}

func createTargets(ctx context.Context, in *api.CreateSecretInput) ([]service.Target, error) {
	t := service.Target{ARN: placeOf(ctx).arn(in.Name), Condition: map[string][]string{"secretsmanager:Name": {in.Name}}}
	for k, v := range map[string]*string{"Description": in.Description, "KmsKeyId": in.KmsKeyId} {
		if v != nil {
			t.Condition["secretsmanager:"+k] = []string{*v}
		}
	}
	for _, tag := range in.Tags {
		t.Condition["aws:RequestTag/"+opt.Value(tag.Key)] = []string{opt.Value(tag.Value)}
		t.Condition["aws:TagKeys"] = append(t.Condition["aws:TagKeys"], opt.Value(tag.Key))
	}
	return []service.Target{t}, nil
}
