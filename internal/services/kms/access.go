package kms

import (
	"context"
	"maps"
	"strconv"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// access names what each operation needs (https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html).
func (s *Service) access() map[string]service.Access {
	all := s.keyAccess()
	maps.Copy(all, s.cryptoAccess())
	for _, name := range []string{"DescribeCustomKeyStores", "GenerateRandom", "ListKeys", "ListRetirableGrants"} {
		all[name] = service.OnAny("kms:" + name)
	}
	return all
}

// keyAccess are the rules of the operations that manage keys.
func (s *Service) keyAccess() map[string]service.Access {
	return map[string]service.Access{
		"CancelKeyDeletion": on(s, "CancelKeyDeletion", func(in *api.CancelKeyDeletionInput, q *question) { q.id = &in.KeyId }),
		"CreateAlias": service.OnAll("kms:CreateAlias", func(ctx context.Context, in *api.CreateAliasInput) ([]service.Target, error) {
			return s.aliasTargets(ctx, "kms:CreateAlias", in.AliasName, in.TargetKeyId)
		}),
		"CreateGrant": on(s, "CreateGrant", func(in *api.CreateGrantInput, q *question) {
			q.id, q.abroad, q.tokens = &in.KeyId, true, in.GrantTokens
			q.with("GrantOperations", in.Operations...).with("GranteePrincipal", in.GranteePrincipal).with("RetiringPrincipal", opt.Value(in.RetiringPrincipal))
			if c := in.Constraints; c != nil {
				if c.EncryptionContextEquals != nil {
					q.with("GrantConstraintType", "EncryptionContextEquals")
				}
				if c.EncryptionContextSubset != nil {
					q.with("GrantConstraintType", "EncryptionContextSubset")
				}
			}
		}),
		"CreateKey": service.OnAll("kms:CreateKey", createTargets),
		"DeleteAlias": service.OnAll("kms:DeleteAlias", func(ctx context.Context, in *api.DeleteAliasInput) ([]service.Target, error) {
			return s.aliasTargets(ctx, "kms:DeleteAlias", in.AliasName, "")
		}),
		"DeleteImportedKeyMaterial": on(s, "DeleteImportedKeyMaterial", func(in *api.DeleteImportedKeyMaterialInput, q *question) { q.id = &in.KeyId }),
		"DescribeKey": on(s, "DescribeKey", func(in *api.DescribeKeyInput, q *question) {
			q.id, q.abroad, q.byAlias, q.tokens = &in.KeyId, true, true, in.GrantTokens
		}),
		"DisableKey":         on(s, "DisableKey", func(in *api.DisableKeyInput, q *question) { q.id = &in.KeyId }),
		"DisableKeyRotation": on(s, "DisableKeyRotation", func(in *api.DisableKeyRotationInput, q *question) { q.id = &in.KeyId }),
		"EnableKey":          on(s, "EnableKey", func(in *api.EnableKeyInput, q *question) { q.id = &in.KeyId }),
		"EnableKeyRotation": on(s, "EnableKeyRotation", func(in *api.EnableKeyRotationInput, q *question) {
			q.id = &in.KeyId
			q.with("RotationPeriodInDays", number(in.RotationPeriodInDays, usualPeriod))
		}),
		"GetKeyLastUsage":      on(s, "GetKeyLastUsage", func(in *api.GetKeyLastUsageInput, q *question) { q.id = &in.KeyId }),
		"GetKeyPolicy":         on(s, "GetKeyPolicy", func(in *api.GetKeyPolicyInput, q *question) { q.id = &in.KeyId }),
		"GetKeyRotationStatus": on(s, "GetKeyRotationStatus", func(in *api.GetKeyRotationStatusInput, q *question) { q.id, q.abroad = &in.KeyId, true }),
		"GetParametersForImport": on(s, "GetParametersForImport", func(in *api.GetParametersForImportInput, q *question) {
			q.id = &in.KeyId
			q.with("WrappingAlgorithm", in.WrappingAlgorithm).with("WrappingKeySpec", in.WrappingKeySpec)
		}),
		"ImportKeyMaterial": on(s, "ImportKeyMaterial", func(in *api.ImportKeyMaterialInput, q *question) {
			q.id = &in.KeyId
			q.with("ExpirationModel", in.ExpirationModel)
			if in.ValidTo != nil {
				q.with("ValidTo", strconv.FormatInt(in.ValidTo.Unix(), 10))
			}
		}),
		"ListAliases": service.OnAny("kms:ListAliases"),
		"ListGrants": on(s, "ListGrants", func(in *api.ListGrantsInput, q *question) {
			q.id, q.abroad = &in.KeyId, true
		}),
		"ListKeyPolicies":  on(s, "ListKeyPolicies", func(in *api.ListKeyPoliciesInput, q *question) { q.id = &in.KeyId }),
		"ListKeyRotations": on(s, "ListKeyRotations", func(in *api.ListKeyRotationsInput, q *question) { q.id = &in.KeyId }),
		"ListResourceTags": on(s, "ListResourceTags", func(in *api.ListResourceTagsInput, q *question) { q.id = &in.KeyId }),
		"PutKeyPolicy": on(s, "PutKeyPolicy", func(in *api.PutKeyPolicyInput, q *question) {
			q.id = &in.KeyId
			q.with("BypassPolicyLockoutSafetyCheck", strconv.FormatBool(opt.Value(in.BypassPolicyLockoutSafetyCheck)))
		}),
		"ReplicateKey": service.OnAll("kms:ReplicateKey", s.replicateTargets),
		"RetireGrant":  service.OnAll("kms:RetireGrant", s.retireTargets),
		"RevokeGrant": on(s, "RevokeGrant", func(in *api.RevokeGrantInput, q *question) {
			q.id, q.abroad = &in.KeyId, true
		}),
		"RotateKeyOnDemand": on(s, "RotateKeyOnDemand", func(in *api.RotateKeyOnDemandInput, q *question) { q.id = &in.KeyId }),
		"ScheduleKeyDeletion": on(s, "ScheduleKeyDeletion", func(in *api.ScheduleKeyDeletionInput, q *question) {
			q.id = &in.KeyId
			q.with("ScheduleKeyDeletionPendingWindowInDays", number(in.PendingWindowInDays, usualWindow))
		}),
		"TagResource":   on(s, "TagResource", func(in *api.TagResourceInput, q *question) { q.id = &in.KeyId }),
		"UntagResource": on(s, "UntagResource", func(in *api.UntagResourceInput, q *question) { q.id = &in.KeyId }),
		"UpdateAlias": service.OnAll("kms:UpdateAlias", func(ctx context.Context, in *api.UpdateAliasInput) ([]service.Target, error) {
			return s.aliasTargets(ctx, "kms:UpdateAlias", in.AliasName, in.TargetKeyId)
		}),
		"UpdateKeyDescription": on(s, "UpdateKeyDescription", func(in *api.UpdateKeyDescriptionInput, q *question) { q.id = &in.KeyId }),
		"UpdatePrimaryRegion": on(s, "UpdatePrimaryRegion", func(in *api.UpdatePrimaryRegionInput, q *question) {
			q.id = &in.KeyId
			q.with("PrimaryRegion", in.PrimaryRegion)
		}),
	}
}

// on returns the rule of an operation on the key that fill says.
func on[In any](s *Service, operation string, fill func(in In, q *question)) service.Access {
	return service.OnAll("kms:"+operation, func(ctx context.Context, in In) ([]service.Target, error) {
		q := &question{action: "kms:" + operation}
		fill(in, q)
		return s.ask(ctx, q)
	})
}

func number(n *int32, usual int) string {
	if n != nil {
		usual = int(*n)
	}
	return strconv.Itoa(usual)
}

func createTargets(_ context.Context, in *api.CreateKeyInput) ([]service.Target, error) {
	q := &question{}
	spec := in.KeySpec
	if spec == "" {
		spec = in.CustomerMasterKeySpec
	}
	q.with("KeySpec", spec).with("KeyUsage", in.KeyUsage).with("KeyOrigin", in.Origin).with("MultiRegion", strconv.FormatBool(opt.Value(in.MultiRegion))).
		with("BypassPolicyLockoutSafetyCheck", strconv.FormatBool(opt.Value(in.BypassPolicyLockoutSafetyCheck)))
	conditions := map[string][]string{}
	for k, v := range q.keys {
		conditions["kms:"+k] = v
	}
	for _, t := range in.Tags {
		conditions["aws:RequestTag/"+t.TagKey] = []string{t.TagValue}
		conditions["aws:TagKeys"] = append(conditions["aws:TagKeys"], t.TagKey)
	}
	targets := []service.Target{{ARN: "*", Condition: conditions}}
	if len(in.Tags) > 0 {
		targets = append(targets, service.Target{Action: "kms:TagResource", ARN: "*", Condition: conditions})
	}
	return targets, nil
}

// aliasTargets are those of an operation on an alias: the alias, the key that it names, and the key that it is to name.
func (s *Service) aliasTargets(ctx context.Context, action, alias, next string) ([]service.Target, error) {
	if err := checkAlias(alias); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	targets := []service.Target{{ARN: p.aliasARN(alias)}}
	var keys []string
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		a, there, err := record.Get[aliasRecord](r, p.alias(alias))
		if there && action != "kms:CreateAlias" {
			keys = append(keys, a.Target)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if next != "" {
		keys = append(keys, next)
	}
	for _, id := range keys {
		of, err := s.ask(ctx, &question{action: action, id: &id, byAlias: true})
		if err != nil {
			return nil, err
		}
		targets = append(targets, of...)
	}
	return targets, nil
}

func (s *Service) replicateTargets(ctx context.Context, in *api.ReplicateKeyInput) ([]service.Target, error) {
	q := &question{action: "kms:ReplicateKey", id: &in.KeyId}
	targets, err := s.ask(ctx, q.with("ReplicaRegion", in.ReplicaRegion))
	return append(targets, service.Target{Action: "kms:CreateKey", ARN: "*"}), err
}

// retireTargets lets the retiring principal of a grant and, if the grant says so, its grantee retire it, beside whom the key's policy names.
func (s *Service) retireTargets(ctx context.Context, in *api.RetireGrantInput) ([]service.Target, error) {
	n, err := s.retired(in)
	if err != nil {
		return nil, err
	}
	q := &question{action: "kms:RetireGrant", id: &n.KeyARN, abroad: true}
	targets, err := s.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	f, err := s.find(ctx, n.KeyARN)
	if err != nil {
		return nil, err
	}
	var g grantRecord
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		g, _, err = record.Get[grantRecord](r, f.grant(f.ID, n.Grant))
		return err
	})
	if err == nil && g.Retiring != "" {
		targets[0].Policy, err = withStatements(targets[0].Policy, []any{statement(&g, g.Retiring, q.action)})
	}
	return targets, err
}
