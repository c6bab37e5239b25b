package lambda

import (
	"context"
	"math"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// Sizes of managed environments, https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-best-practices.html.
const (
	leastManagedMemory = 2048  // MB
	mostManagedMemory  = 32768 // MB
	defaultRatio       = 2     // GiB of memory for each processor
	mostConcurrency    = 1600
	// defaultLeast and defaultMost are how many environments a version has that says nothing about it. AWS keeps three, one in each zone; there is one zone here.
	defaultLeast, defaultMost = 1, 16
)

// capacityUse is how a version's environments run on a capacity provider.
type capacityUse struct {
	Provider string // the ARN
	// Concurrency is how many invocations an environment takes at a time, Ratio how many GiB of memory it has for each processor; 0 for the default.
	Concurrency int32   `json:",omitempty"`
	Ratio       float64 `json:",omitempty"`
}

// managed is the record of a published version that runs on a capacity provider.
type managed struct {
	Provider string // the ARN
	// Pending tells that the version waits for its first environment.
	Pending bool `json:",omitempty"`
	// Least and Most bound the number of environments; nil for the default.
	Least, Most *int32 `json:",omitempty"`
}

// bounds are those of the number of environments.
func (m *managed) bounds() (least, most int) {
	least, most = defaultLeast, defaultMost
	if m.Least != nil {
		least = int(*m.Least)
	}
	if m.Most != nil {
		most = int(*m.Most)
	}
	if m.Most != nil && m.Least == nil {
		least = min(least, most)
	}
	return least, max(least, most)
}

// off tells that the version shall have no environments.
func (m *managed) off() bool {
	_, most := m.bounds()
	return most == 0
}

// name is that of the capacity provider.
func (m *managed) name() string { return m.Provider[strings.LastIndexByte(m.Provider, ':')+1:] }

// managedScope reads the account and region in the key of the record of a managed version.
func managedScope(k []byte) (scope, error) {
	d := key.Decode(k).Skip(allManaged())
	s := scope{account: d.Str(), region: d.Str()}
	return s, d.Err()
}

// managedRef reads the key of the record of a managed version.
func managedRef(s scope, k []byte) ref {
	d := key.Decode(k).Skip(s.allManaged())
	return ref{scope: s, name: d.Str(), qualifier: d.Str()}
}

// processors is how many processors an environment of a managed version counts as.
func (v *version) processors() float64 {
	ratio := v.Capacity.Ratio
	if ratio == 0 {
		ratio = defaultRatio
	}
	return max(1, float64(v.Memory)/1024/ratio)
}

// concurrency is how many invocations an environment of the version takes at a time; 0 for a version that is not managed.
func (v *version) concurrency() int {
	switch {
	case v.Capacity == nil:
		return 0
	case v.Capacity.Concurrency != 0:
		return int(v.Capacity.Concurrency)
	}
	runtime := v.Runtime
	if v.Image != nil {
		runtime = "provided.al2023" // which language is in it is not known
	}
	return int(min(math.Round(v.processors()*float64(managedRuntimes(runtime))), mostConcurrency))
}

// shown is what the API shows; nil for a version that is not managed.
func (c *capacityUse) shown() *api.CapacityProviderConfig {
	if c == nil {
		return nil
	}
	out := &api.LambdaManagedInstancesCapacityProviderConfig{CapacityProviderArn: c.Provider}
	if c.Concurrency != 0 {
		out.PerExecutionEnvironmentMaxConcurrency = ptr(c.Concurrency)
	}
	if c.Ratio != 0 {
		out.ExecutionEnvironmentMemoryGiBPerVCpu = ptr(c.Ratio)
	}
	return &api.CapacityProviderConfig{LambdaManagedInstancesCapacityProviderConfig: out}
}

// takeCapacity finds the capacity provider that an input names; nil for none.
func (l *Lambda) takeCapacity(ctx context.Context, in *api.CapacityProviderConfig) (*capacityUse, error) {
	if in == nil || in.LambdaManagedInstancesCapacityProviderConfig == nil {
		return nil, nil //nolint:nilnil // none is named
	}
	c := in.LambdaManagedInstancesCapacityProviderConfig
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		_, _, err := loadCapacity(ctx, rd, c.CapacityProviderArn)
		return err
	})
	return &capacityUse{Provider: c.CapacityProviderArn, Concurrency: orZero(c.PerExecutionEnvironmentMaxConcurrency), Ratio: orZero(c.ExecutionEnvironmentMemoryGiBPerVCpu)}, err
}

// manage makes a version one that runs on a capacity provider.
func (v *version) manage(use *capacityUse, s *settings) error {
	switch {
	case v.Capacity == nil && v.Revision != "":
		return invalid("CapacityProviderConfig cannot be added to a function that was created without it. Create another function.")
	case v.Capacity == nil && s.memory == nil:
		v.Memory = leastManagedMemory
	}
	v.Capacity = use
	if s.log == nil || s.log.LogFormat == "" {
		v.Log.Format = logJSON
	}
	return nil
}

// checkManaged fails for a version that cannot run on its capacity provider, and for one without any that is as large as only those may be.
func (v *version) checkManaged() error {
	switch {
	case v.Capacity == nil && v.Memory > maxMemory:
		return validation("Value '%d' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to %d", v.Memory, maxMemory)
	case v.Capacity == nil:
		return nil
	case v.Image == nil && managedRuntimes(v.Runtime) == 0:
		return invalid("%s is not supported for functions with a capacity provider. Use nodejs22.x, python3.13, java21, provided.al2023 or a later version.", v.Runtime)
	case v.SnapStart:
		return invalid("SnapStart is not supported for functions with a capacity provider.")
	case v.Memory < leastManagedMemory:
		return invalid("Functions with a capacity provider need at least %d MB of memory; MemorySize is %d.", leastManagedMemory, v.Memory)
	case v.Log.Format != logJSON:
		return invalid("Functions with a capacity provider write their log in the JSON format: several invocations write at the same time. Set LogFormat to JSON.")
	case v.Capacity.Ratio != 0 && float64(v.Memory)/1024 < v.Capacity.Ratio:
		return invalid("MemorySize must be at least ExecutionEnvironmentMemoryGiBPerVCpu, which is one processor: %d MB is less than %g GiB.", v.Memory, v.Capacity.Ratio)
	}
	return nil
}

// orderFleet has the first environments made of a version that is being published.
func orderFleet(ctx context.Context, tx store.Txn, r ref, v *version) error {
	if _, _, err := loadCapacity(ctx, tx, v.Capacity.Provider); err != nil {
		return err
	}
	row := r.managed(r.name).Str(v.Number)
	before, _, err := record.Get[managed](tx, row) // of what was published in its place before
	if err != nil {
		return err
	}
	v.State = pending()
	return record.Set(tx, row, managed{Provider: v.Capacity.Provider, Pending: true, Least: before.Least, Most: before.Most})
}

// notManaged refuses a setting of functions that run on demand.
func (v *version) notManaged(what string) error {
	if v.Capacity == nil {
		return nil
	}
	return invalid("%s is not supported for functions with a capacity provider: PutFunctionScalingConfig bounds their environments.", what)
}

// loadManaged returns the record of the managed version that an input names.
func loadManaged(ctx context.Context, rd store.Reader, name, qualifier string) (ref, version, managed, error) {
	r, err := parseRef(ctx, name, &qualifier)
	if err != nil {
		return r, version{}, managed{}, err
	}
	if !isPublished(qualifier) {
		return r, version{}, managed{}, service.Unsupported("InvalidParameterValueException", "FunctionScalingConfig", "Qualifier "+qualifier)
	}
	_, v, err := resolve(rd, r)
	if err != nil {
		return r, v, managed{}, err
	}
	m, ok, err := record.Get[managed](rd, r.managed(r.name).Str(qualifier))
	if err == nil && !ok {
		err = invalid("The function version %s has no capacity provider, or could not be prepared: it has no scaling configuration.", r.arn())
	}
	return r, v, m, err
}

func (l *Lambda) getFunctionScalingConfig(ctx context.Context, in *api.GetFunctionScalingConfigInput) (*api.GetFunctionScalingConfigOutput, error) {
	out := &api.GetFunctionScalingConfigOutput{}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		r, _, m, err := loadManaged(ctx, rd, in.FunctionName, in.Qualifier)
		if err != nil {
			return err
		}
		least, most := m.bounds()
		out.FunctionArn = ptr(r.arn())
		out.AppliedFunctionScalingConfig = &api.FunctionScalingConfig{MinExecutionEnvironments: ptr(int32(least)), MaxExecutionEnvironments: ptr(int32(most))}
		if m.Least != nil || m.Most != nil {
			out.RequestedFunctionScalingConfig = &api.FunctionScalingConfig{MinExecutionEnvironments: m.Least, MaxExecutionEnvironments: m.Most}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Lambda) putFunctionScalingConfig(ctx context.Context, in *api.PutFunctionScalingConfigInput) (*api.PutFunctionScalingConfigOutput, error) {
	c := in.FunctionScalingConfig
	if c == nil {
		c = &api.FunctionScalingConfig{}
	}
	if c.MinExecutionEnvironments != nil && c.MaxExecutionEnvironments != nil && *c.MinExecutionEnvironments > *c.MaxExecutionEnvironments {
		return nil, invalid("MinExecutionEnvironments (%d) must not be greater than MaxExecutionEnvironments (%d).", *c.MinExecutionEnvironments, *c.MaxExecutionEnvironments)
	}
	out := &api.PutFunctionScalingConfigOutput{}
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, v, m, err := loadManaged(ctx, tx, in.FunctionName, in.Qualifier)
		if err != nil {
			return err
		}
		m.Least, m.Most = c.MinExecutionEnvironments, c.MaxExecutionEnvironments
		state := v.State
		switch {
		case m.off():
			m.Pending = false
			state = &versionState{State: api.StateDeactivated, Code: "Idle", Reason: "The function has no execution environments."}
		case !v.State.is(api.StateActive):
			m.Pending, state = true, pending()
		}
		saved, _, err := record.Get[published](tx, r.scope.version(r.name, v.Number))
		if err != nil {
			return err
		}
		saved.State = state
		out.FunctionState = saved.state()
		if err := record.Set(tx, r.scope.version(r.name, v.Number), saved); err != nil {
			return err
		}
		return record.Set(tx, r.managed(r.name).Str(v.Number), m)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}
