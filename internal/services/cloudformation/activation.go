package cloudformation

import (
	"context"
	"slices"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// activateType makes a hook of the public type [lambdaHook]: there is no other type to activate. It is asked about nothing before its configuration is set, see
// https://docs.aws.amazon.com/cloudformation-cli/latest/hooks-userguide/lambda-hooks-activate-hooks.html.
func (s *Service) activateType(ctx context.Context, in *cloudformation.ActivateTypeInput) (*cloudformation.ActivateTypeOutput, error) {
	name := deref(in.TypeName)
	if deref(in.PublicTypeArn) != "" {
		name = typeOf(*in.PublicTypeArn)
	}
	switch {
	case name != lambdaHook:
		return nil, badExtension("The type %s cannot be activated: the only one that can is the hook %s. %s", name, lambdaHook, insteadOfExtensions)
	case in.LoggingConfig != nil:
		return nil, unsupported("ActivateType", "LoggingConfig")
	case deref(in.ExecutionRoleArn) == "":
		return nil, badExtension("ExecutionRoleArn must name the role that the hook's function is invoked with.")
	}
	h := hookRecord{Alias: deref(in.TypeNameAlias), Role: *in.ExecutionRoleArn, Activated: s.Clock.Now()}
	if err := checkAlias(h.Alias); err != nil {
		return nil, err
	}
	if err := s.checkRoleFor(ctx, h.Role, hookService); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	err := s.Store.Update(ctx, func(tx store.Txn) error {
		have, found, err := record.Get[hookRecord](tx, p.hook(h.Alias))
		if err != nil {
			return err
		}
		next := h
		if found { // as with CloudFormation, an activation of what is active changes its role
			next = have
			next.Role = h.Role
		}
		return record.Set(tx, p.hook(h.Alias), next)
	})
	return &cloudformation.ActivateTypeOutput{Arn: ptr(h.arn(p))}, err
}

func (s *Service) deactivateType(ctx context.Context, in *cloudformation.DeactivateTypeInput) (*cloudformation.DeactivateTypeOutput, error) {
	h, err := s.findHook(ctx, in.TypeName, in.Arn)
	if err != nil {
		return nil, err
	}
	if h.Config != nil && h.Config.HookInvocationStatus == "ENABLED" {
		return nil, badExtension("The hook %s is enabled. Set its HookInvocationStatus to DISABLED with SetTypeConfiguration, and deactivate it then.", h.Alias)
	}
	return &cloudformation.DeactivateTypeOutput{}, s.dropHook(ctx, h.Alias)
}

func (s *Service) dropHook(ctx context.Context, alias string) error {
	return s.Store.Update(ctx, func(tx store.Txn) error {
		tx.Delete(placeOf(ctx).hook(alias))
		return nil
	})
}

func (s *Service) setTypeConfiguration(ctx context.Context, in *cloudformation.SetTypeConfigurationInput) (*cloudformation.SetTypeConfigurationOutput, error) {
	if alias := deref(in.ConfigurationAlias); alias != "" && alias != "default" {
		return nil, unsupported("SetTypeConfiguration", "ConfigurationAlias")
	}
	h, err := s.findHook(ctx, in.TypeName, in.TypeArn)
	if err != nil {
		return nil, err
	}
	config, err := parseHookConfig(in.Configuration)
	if err != nil {
		return nil, err
	}
	return &cloudformation.SetTypeConfigurationOutput{ConfigurationArn: ptr(h.configArn(placeOf(ctx)))}, s.configure(ctx, h.Alias, config)
}

// configure gives a hook a configuration.
func (s *Service) configure(ctx context.Context, alias string, config *hookConfig) error {
	return s.changeHook(ctx, alias, func(_ store.Txn, h *hookRecord) error {
		h.Config, h.Configured = config, s.Clock.Now()
		return nil
	})
}

func (s *Service) batchDescribeTypeConfigurations(ctx context.Context, in *cloudformation.BatchDescribeTypeConfigurationsInput) (*cloudformation.BatchDescribeTypeConfigurationsOutput, error) {
	out := &cloudformation.BatchDescribeTypeConfigurationsOutput{
		Errors: []cloudformation.BatchDescribeTypeConfigurationsError{}, UnprocessedTypeConfigurations: []cloudformation.TypeConfigurationIdentifier{},
		TypeConfigurations: []cloudformation.TypeConfigurationDetails{},
	}
	all, err := s.hooks(ctx)
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	for _, id := range in.TypeConfigurationIdentifiers {
		name := deref(id.TypeName)
		for _, arn := range []*string{id.TypeArn, id.TypeConfigurationArn} {
			if deref(arn) != "" {
				name = hookOf(*arn)
			}
		}
		i := slices.IndexFunc(all, func(h hookRecord) bool { return h.Alias == name })
		if i < 0 {
			out.Errors = append(out.Errors, cloudformation.BatchDescribeTypeConfigurationsError{
				ErrorCode: ptr("TypeConfigurationNotFoundException"), ErrorMessage: ptr("There is no hook " + name + " whose configuration could be described."), TypeConfigurationIdentifier: &id,
			})
			continue
		}
		d, err := all[i].details(p)
		if err != nil {
			return nil, err
		}
		out.TypeConfigurations = append(out.TypeConfigurations, d)
	}
	return out, nil
}

// details is the configuration of a hook.
func (h *hookRecord) details(p place) (d cloudformation.TypeConfigurationDetails, err error) {
	text, err := h.Config.text()
	d = cloudformation.TypeConfigurationDetails{
		Arn: ptr(h.configArn(p)), Alias: ptr("default"), Configuration: &text, TypeArn: ptr(h.arn(p)), TypeName: &h.Alias, IsDefaultConfiguration: ptr(true),
	}
	if !h.Configured.IsZero() {
		d.LastUpdated = &h.Configured
	}
	return d, err
}
