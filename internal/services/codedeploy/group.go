package codedeploy

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// groupRecord is a deployment group.
type groupRecord struct {
	ID, Application, Name, Config, Role string
	// RollBackOn are the events after which a deployment is rolled back.
	RollBackOn []string `json:",omitempty"`
	// Alarms stop its deployments.
	Alarms alarms            `json:",omitzero"`
	Tags   map[string]string `json:",omitempty"`
	// LastAttempted and LastSuccessful are ids of deployments.
	LastAttempted, LastSuccessful string `json:",omitempty"`
}

// roleService is who assumes the roles of deployment groups.
const roleService = "codedeploy.amazonaws.com"

func group(r store.Reader, p place, applicationName, name string) (groupRecord, error) {
	if _, err := application(r, p, applicationName); err != nil {
		return groupRecord{}, err
	}
	g, there, err := record.Get[groupRecord](r, p.group(applicationName, name))
	if err == nil && !there {
		err = noGroup(name)
	}
	return g, err
}

// settings are what the calls that make and change a group have in common.
type settings api.UpdateDeploymentGroupInput

// refuse names what of the settings is not here.
func (in *settings) refuse() error {
	servers := in.Ec2TagFilters != nil || in.OnPremisesInstanceTagFilters != nil || in.AutoScalingGroups != nil || in.Ec2TagSet != nil || in.OnPremisesTagSet != nil || in.TerminationHookEnabled != nil
	switch {
	case len(in.TriggerConfigurations) > 0:
		return unsupported("triggerConfigurations", "Leave it out.")
	case servers || in.OutdatedInstancesStrategy != "":
		return unsupported("the settings of a deployment group that are for instances", "Leave them out.")
	case in.EcsServices != nil || in.LoadBalancerInfo != nil || in.BlueGreenDeploymentConfiguration != nil:
		return unsupported("the settings of a deployment group that are for ECS", "Leave them out.")
	case in.DeploymentStyle != nil && *in.DeploymentStyle != lambdaStyle():
		return fault("InvalidDeploymentStyleException", "For the Lambda compute platform, the deployment type must be BLUE_GREEN, and the deployment option WITH_TRAFFIC_CONTROL.")
	}
	return nil
}

func lambdaStyle() api.DeploymentStyle {
	return api.DeploymentStyle{DeploymentType: api.DeploymentTypeBlueGreen, DeploymentOption: api.DeploymentOptionWithTrafficControl}
}

// rollback reads which events roll a deployment back.
func rollback(c *api.AutoRollbackConfiguration) ([]string, error) {
	if c == nil || !opt.Value(c.Enabled) {
		return nil, nil
	}
	if len(c.Events) == 0 {
		return nil, fault("InvalidAutoRollbackConfigException", "An automatic rollback that is enabled needs at least one event.")
	}
	return c.Events, nil
}

// apply changes a group as a call says.
func (s *Service) apply(ctx context.Context, g *groupRecord, in *settings) error {
	if err := in.refuse(); err != nil {
		return err
	}
	if in.AutoRollbackConfiguration != nil {
		var err error
		if g.RollBackOn, err = rollback(in.AutoRollbackConfiguration); err != nil {
			return err
		}
	}
	if in.AlarmConfiguration != nil {
		var err error
		if g.Alarms, err = alarmsOf(in.AlarmConfiguration); err != nil {
			return err
		}
	}
	if in.DeploymentConfigName != nil {
		g.Config = *in.DeploymentConfigName
	}
	if in.ServiceRoleArn == nil {
		return nil
	}
	g.Role = *in.ServiceRoleArn
	return s.options.Roles.CheckPassRole(ctx, g.Role, roleService)
}

func (s *Service) createDeploymentGroup(ctx context.Context, in *api.CreateDeploymentGroupInput) (*api.CreateDeploymentGroupOutput, error) {
	tags, err := tagsOf(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	g := groupRecord{Application: in.ApplicationName, Name: in.DeploymentGroupName, Config: allAtOnce, Tags: tags}
	err = s.apply(ctx, &g, &settings{
		DeploymentConfigName: in.DeploymentConfigName, Ec2TagFilters: in.Ec2TagFilters, OnPremisesInstanceTagFilters: in.OnPremisesInstanceTagFilters, AutoScalingGroups: in.AutoScalingGroups,
		ServiceRoleArn: &in.ServiceRoleArn, TriggerConfigurations: in.TriggerConfigurations, AlarmConfiguration: in.AlarmConfiguration, AutoRollbackConfiguration: in.AutoRollbackConfiguration,
		OutdatedInstancesStrategy: in.OutdatedInstancesStrategy, DeploymentStyle: in.DeploymentStyle, BlueGreenDeploymentConfiguration: in.BlueGreenDeploymentConfiguration,
		LoadBalancerInfo: in.LoadBalancerInfo, Ec2TagSet: in.Ec2TagSet, EcsServices: in.EcsServices, OnPremisesTagSet: in.OnPremisesTagSet, TerminationHookEnabled: in.TerminationHookEnabled,
	})
	if err != nil {
		return nil, err
	}
	if g.ID, err = uuid.New(s.deps.Random); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := application(tx, p, g.Application); err != nil {
			return err
		}
		if _, err := config(tx, p, g.Config); err != nil {
			return err
		}
		if there, err := record.Has(tx, p.group(g.Application, g.Name)); err != nil || there {
			if err == nil {
				err = fault("DeploymentGroupAlreadyExistsException", "Deployment group name already exists: %s", g.Name)
			}
			return err
		}
		return record.Set(tx, p.group(g.Application, g.Name), g)
	})
	return &api.CreateDeploymentGroupOutput{DeploymentGroupId: &g.ID}, storeError(err)
}

func (s *Service) updateDeploymentGroup(ctx context.Context, in *api.UpdateDeploymentGroupInput) (*api.UpdateDeploymentGroupOutput, error) {
	if in.NewDeploymentGroupName != nil && *in.NewDeploymentGroupName != in.CurrentDeploymentGroupName {
		return nil, unsupported("newDeploymentGroupName", "Create another group.")
	}
	p := placeOf(ctx)
	g, err := s.viewGroup(ctx, in.ApplicationName, in.CurrentDeploymentGroupName)
	if err != nil {
		return nil, err
	}
	if err := s.apply(ctx, &g, (*settings)(in)); err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		now, err := group(tx, p, g.Application, g.Name)
		if err != nil {
			return err
		}
		if _, err := config(tx, p, g.Config); err != nil {
			return err
		}
		now.Config, now.Role, now.RollBackOn, now.Alarms = g.Config, g.Role, g.RollBackOn, g.Alarms
		return record.Set(tx, p.group(g.Application, g.Name), now)
	})
	return &api.UpdateDeploymentGroupOutput{HooksNotCleanedUp: []api.AutoScalingGroup{}}, storeError(err)
}

func (s *Service) viewGroup(ctx context.Context, applicationName, name string) (g groupRecord, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		g, err = group(r, placeOf(ctx), applicationName, name)
		return err
	})
	return g, storeError(err)
}

// info describes a group, with its last deployments.
func (g *groupRecord) info(r store.Reader, p place) (*api.DeploymentGroupInfo, error) {
	out := &api.DeploymentGroupInfo{
		ApplicationName: &g.Application, DeploymentGroupId: &g.ID, DeploymentGroupName: &g.Name, DeploymentConfigName: &g.Config, ServiceRoleArn: &g.Role,
		AutoRollbackConfiguration: &api.AutoRollbackConfiguration{Enabled: new(len(g.RollBackOn) > 0), Events: slices.Clone(g.RollBackOn)},
		DeploymentStyle:           new(lambdaStyle()), ComputePlatform: api.ComputePlatformLambda, AlarmConfiguration: g.Alarms.config(),
	}
	for _, last := range []struct {
		id string
		to **api.LastDeploymentInfo
	}{{g.LastSuccessful, &out.LastSuccessfulDeployment}, {g.LastAttempted, &out.LastAttemptedDeployment}} {
		if last.id == "" {
			continue
		}
		d, err := lookup(r, p, last.id)
		if err != nil {
			return nil, err
		}
		*last.to = &api.LastDeploymentInfo{DeploymentId: &d.ID, Status: d.Status, CreateTime: &d.Created, EndTime: d.Completed}
		out.TargetRevision = d.revision()
	}
	return out, nil
}

func (s *Service) groupInfo(ctx context.Context, applicationName, name string) (out *api.DeploymentGroupInfo, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		g, err := group(r, placeOf(ctx), applicationName, name)
		if err == nil {
			out, err = g.info(r, placeOf(ctx))
		}
		return err
	})
	return out, storeError(err)
}

func (s *Service) getDeploymentGroup(ctx context.Context, in *api.GetDeploymentGroupInput) (*api.GetDeploymentGroupOutput, error) {
	info, err := s.groupInfo(ctx, in.ApplicationName, in.DeploymentGroupName)
	return &api.GetDeploymentGroupOutput{DeploymentGroupInfo: info}, err
}

func (s *Service) batchGetDeploymentGroups(ctx context.Context, in *api.BatchGetDeploymentGroupsInput) (*api.BatchGetDeploymentGroupsOutput, error) {
	out := &api.BatchGetDeploymentGroupsOutput{DeploymentGroupsInfo: []api.DeploymentGroupInfo{}}
	for _, name := range in.DeploymentGroupNames {
		info, err := s.groupInfo(ctx, in.ApplicationName, name)
		if err != nil {
			return nil, err
		}
		out.DeploymentGroupsInfo = append(out.DeploymentGroupsInfo, *info)
	}
	return out, nil
}

func (s *Service) listDeploymentGroups(ctx context.Context, in *api.ListDeploymentGroupsInput) (*api.ListDeploymentGroupsOutput, error) {
	if _, err := s.viewApplication(ctx, in.ApplicationName); err != nil {
		return nil, err
	}
	out := &api.ListDeploymentGroupsOutput{ApplicationName: &in.ApplicationName, DeploymentGroups: []string{}}
	var err error
	out.NextToken, err = names[groupRecord](ctx, s, placeOf(ctx).groups(in.ApplicationName), in.NextToken, &out.DeploymentGroups)
	return out, err
}

// deleteDeploymentGroup deletes a group. One that is not there is no error.
func (s *Service) deleteDeploymentGroup(ctx context.Context, in *api.DeleteDeploymentGroupInput) (*api.DeleteDeploymentGroupOutput, error) {
	p := placeOf(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		tx.Delete(p.group(in.ApplicationName, in.DeploymentGroupName))
		return nil
	})
	return &api.DeleteDeploymentGroupOutput{HooksNotCleanedUp: []api.AutoScalingGroup{}}, storeError(err)
}
