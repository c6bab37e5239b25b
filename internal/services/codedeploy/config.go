package codedeploy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// routing says how traffic moves: Percent of it at first, then the rest after Interval (canary) or Percent more after each (linear). An Interval of 0 moves all at once.
type routing struct {
	Linear   bool
	Percent  int32
	Interval time.Duration
}

// next returns how much of the traffic, in percent, goes to the new version after a step.
func (r routing) next(now int32) int32 {
	switch {
	case r.Interval == 0, now > 0 && !r.Linear:
		return 100
	}
	return min(100, now+r.Percent)
}

// configRecord is a deployment configuration.
type configRecord struct {
	ID, Name string
	Created  time.Time
	Routing  routing
}

func (c *configRecord) info() *api.DeploymentConfigInfo {
	return &api.DeploymentConfigInfo{
		DeploymentConfigId: &c.ID, DeploymentConfigName: &c.Name, CreateTime: &c.Created, ComputePlatform: api.ComputePlatformLambda, TrafficRoutingConfig: c.Routing.config(),
	}
}

func (r routing) config() *api.TrafficRoutingConfig {
	minutes := int32(r.Interval / time.Minute)
	switch {
	case r.Interval == 0:
		return &api.TrafficRoutingConfig{Type: api.TrafficRoutingTypeAllAtOnce}
	case r.Linear:
		return &api.TrafficRoutingConfig{Type: api.TrafficRoutingTypeTimeBasedLinear, TimeBasedLinear: &api.TimeBasedLinear{LinearPercentage: &r.Percent, LinearInterval: &minutes}}
	}
	return &api.TrafficRoutingConfig{Type: api.TrafficRoutingTypeTimeBasedCanary, TimeBasedCanary: &api.TimeBasedCanary{CanaryPercentage: &r.Percent, CanaryInterval: &minutes}}
}

// predefinedPrefix begins the names of AWS's own configurations.
const predefinedPrefix = "CodeDeployDefault."

const allAtOnce = predefinedPrefix + "LambdaAllAtOnce"

// predefined returns AWS's own configurations for functions by name, see
// https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html.
func predefined() map[string]configRecord {
	out := map[string]configRecord{}
	add := func(name string, r routing) {
		name = predefinedPrefix + "Lambda" + name
		out[name] = configRecord{ID: uuid.Of("codedeploy", name), Name: name, Created: time.Date(2017, 11, 27, 0, 0, 0, 0, time.UTC), Routing: r}
	}
	add("AllAtOnce", routing{})
	for _, minutes := range []int{5, 10, 15, 30} {
		add(fmt.Sprintf("Canary10Percent%dMinutes", minutes), routing{Percent: 10, Interval: time.Duration(minutes) * time.Minute})
	}
	for minutes, name := range map[int]string{1: "1Minute", 2: "2Minutes", 3: "3Minutes", 10: "10Minutes"} {
		add("Linear10PercentEvery"+name, routing{Linear: true, Percent: 10, Interval: time.Duration(minutes) * time.Minute})
	}
	return out
}

func config(r store.Reader, p place, name string) (configRecord, error) {
	if c, own := predefined()[name]; own {
		return c, nil
	}
	c, there, err := record.Get[configRecord](r, p.config(name))
	if err == nil && !there {
		err = noConfig(name)
	}
	return c, err
}

// routingOf checks how a call wants traffic to move.
func routingOf(c *api.TrafficRoutingConfig) (routing, error) {
	bad := func(format string, args ...any) (routing, error) {
		return routing{}, fault("InvalidTrafficRoutingConfigurationException", format, args...)
	}
	var percent, interval *int32
	r := routing{}
	switch {
	case c == nil:
		return bad("trafficRoutingConfig is needed for the compute platform Lambda.")
	case c.Type == api.TrafficRoutingTypeAllAtOnce:
		if c.TimeBasedCanary != nil || c.TimeBasedLinear != nil {
			return bad("A configuration of the type AllAtOnce has neither timeBasedCanary nor timeBasedLinear.")
		}
		return r, nil
	case c.Type == api.TrafficRoutingTypeTimeBasedCanary && c.TimeBasedCanary != nil && c.TimeBasedLinear == nil:
		percent, interval = c.TimeBasedCanary.CanaryPercentage, c.TimeBasedCanary.CanaryInterval
	case c.Type == api.TrafficRoutingTypeTimeBasedLinear && c.TimeBasedLinear != nil && c.TimeBasedCanary == nil:
		percent, interval, r.Linear = c.TimeBasedLinear.LinearPercentage, c.TimeBasedLinear.LinearInterval, true
	default:
		return bad("A configuration of the type %s needs the member of that name, and no other.", c.Type)
	}
	r.Percent, r.Interval = opt.Value(percent), time.Duration(opt.Value(interval))*time.Minute
	if r.Percent < 1 || r.Percent > 99 {
		return bad("The percentage must be from 1 to 99, and is %d.", r.Percent)
	}
	if r.Interval < time.Minute || r.Interval > 2*24*time.Hour { // https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html
		return bad("The interval must be from 1 to 2880 minutes, and is %d.", opt.Value(interval))
	}
	return r, nil
}

func (s *Service) createDeploymentConfig(ctx context.Context, in *api.CreateDeploymentConfigInput) (*api.CreateDeploymentConfigOutput, error) {
	if err := onlyLambda(in.ComputePlatform); err != nil {
		return nil, err
	}
	if in.MinimumHealthyHosts != nil || in.ZonalConfig != nil {
		return nil, fault("InvalidMinimumHealthyHostValueException", "minimumHealthyHosts and zonalConfig are for the compute platform Server.")
	}
	if strings.HasPrefix(in.DeploymentConfigName, predefinedPrefix) {
		return nil, fault("InvalidDeploymentConfigNameException", "Names that begin with %s are reserved.", predefinedPrefix)
	}
	r, err := routingOf(in.TrafficRoutingConfig)
	if err != nil {
		return nil, err
	}
	id, err := uuid.New(s.deps.Random)
	if err != nil {
		return nil, err
	}
	p, c := placeOf(ctx), configRecord{ID: id, Name: in.DeploymentConfigName, Created: s.now(), Routing: r}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if there, err := record.Has(tx, p.config(c.Name)); err != nil || there {
			if err == nil {
				err = fault("DeploymentConfigAlreadyExistsException", "Deployment configuration already exists: %s", c.Name)
			}
			return err
		}
		return record.Set(tx, p.config(c.Name), c)
	})
	return &api.CreateDeploymentConfigOutput{DeploymentConfigId: &c.ID}, storeError(err)
}

func (s *Service) getDeploymentConfig(ctx context.Context, in *api.GetDeploymentConfigInput) (*api.GetDeploymentConfigOutput, error) {
	var c configRecord
	err := s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		c, err = config(r, placeOf(ctx), in.DeploymentConfigName)
		return err
	})
	return &api.GetDeploymentConfigOutput{DeploymentConfigInfo: c.info()}, storeError(err)
}

func (s *Service) listDeploymentConfigs(ctx context.Context, in *api.ListDeploymentConfigsInput) (*api.ListDeploymentConfigsOutput, error) {
	out := &api.ListDeploymentConfigsOutput{DeploymentConfigsList: []string{}}
	if in.NextToken == nil {
		out.DeploymentConfigsList = slices.Sorted(maps.Keys(predefined()))
	}
	var err error
	out.NextToken, err = names[configRecord](ctx, s, placeOf(ctx).configs(), in.NextToken, &out.DeploymentConfigsList)
	return out, err
}

// deleteDeploymentConfig deletes a configuration that no deployment group uses. One that is not there is no error.
func (s *Service) deleteDeploymentConfig(ctx context.Context, in *api.DeleteDeploymentConfigInput) (*api.DeleteDeploymentConfigOutput, error) {
	if _, own := predefined()[in.DeploymentConfigName]; own {
		return nil, fault("InvalidOperationException", "The deployment configuration %s is AWS's own and cannot be deleted.", in.DeploymentConfigName)
	}
	p := placeOf(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		groups, err := record.List[groupRecord](tx, p.root("g").Span())
		if err != nil {
			return err
		}
		for _, g := range groups {
			if g.Config == in.DeploymentConfigName {
				return fault("DeploymentConfigInUseException", "The deployment configuration %s is used by the deployment group %s of %s.", g.Config, g.Name, g.Application)
			}
		}
		tx.Delete(p.config(in.DeploymentConfigName))
		return nil
	})
	return &api.DeleteDeploymentConfigOutput{}, storeError(err)
}
