package lambda

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Bounds of capacity providers, https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-capacity-providers.html.
const (
	maxCapacityProviders = 1000
	defaultMaxVCPUs      = 400
	capacityPage         = 50
)

// capacityProvider is the record of a capacity provider: who may run together, and how much of this machine they may take. The machine is the one
// instance that there is, so networks, instance types and the operator's role are kept as data, and scaling is between a function's bounds.
type capacityProvider struct {
	Name           string
	Subnets        []string
	SecurityGroups []string
	Role           string
	Architectures  []string          `json:",omitempty"`
	Allowed        []string          `json:",omitempty"` // instance types
	Excluded       []string          `json:",omitempty"`
	MaxVCPUs       int32             // of all environments together
	Mode           string            // api.CapacityProviderScalingModeAuto or api.CapacityProviderScalingModeManual
	Targets        []float64         `json:",omitempty"` // of the policies, in percent of the processors
	Key            string            `json:",omitempty"`
	Tags           map[string]string `json:",omitempty"`
	Modified       time.Time
}

// capacityARN is the ARN of a capacity provider.
func (s scope) capacityARN(name string) string {
	return "arn:aws:lambda:" + s.region + ":" + s.account + ":capacity-provider:" + name
}

var capacityProviderARN = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):capacity-provider:([a-zA-Z0-9-_]+)$`)

// parseCapacity reads the name or the ARN of a capacity provider. One of another account or region has no name here.
func parseCapacity(ctx context.Context, name string) (s scope, short string) {
	here := scopeOf(ctx)
	if !strings.HasPrefix(name, "arn:") {
		return here, name
	}
	if m := capacityProviderARN.FindStringSubmatch(name); m != nil && here == (scope{account: m[2], region: m[1]}) {
		return here, m[3]
	}
	return here, ""
}

// loadCapacity returns the record of a capacity provider.
func loadCapacity(ctx context.Context, rd store.Reader, name string) (scope, capacityProvider, error) {
	s, short := parseCapacity(ctx, name)
	p, ok, err := record.Get[capacityProvider](rd, s.capacityProvider(short))
	if err == nil && (!ok || short == "") {
		arn := name
		if short != "" {
			arn = s.capacityARN(short)
		}
		err = notFound("Capacity provider not found: %s", arn)
	}
	return s, p, err
}

// shown is what the API shows.
func (p *capacityProvider) shown(s scope, state string) *api.CapacityProvider {
	out := &api.CapacityProvider{
		CapacityProviderArn: s.capacityARN(p.Name), State: state, LastModified: ptr(p.Modified.UTC().Format(lastModified)), KmsKeyArn: optional(p.Key),
		VpcConfig:                     &api.CapacityProviderVpcConfig{SubnetIds: p.Subnets, SecurityGroupIds: append([]string{}, p.SecurityGroups...)},
		PermissionsConfig:             &api.CapacityProviderPermissionsConfig{CapacityProviderOperatorRoleArn: p.Role},
		InstanceRequirements:          &api.InstanceRequirements{Architectures: p.Architectures, AllowedInstanceTypes: p.Allowed, ExcludedInstanceTypes: p.Excluded},
		CapacityProviderScalingConfig: &api.CapacityProviderScalingConfig{MaxVCpuCount: ptr(p.MaxVCPUs), ScalingMode: p.Mode},
	}
	for _, target := range p.Targets {
		out.CapacityProviderScalingConfig.ScalingPolicies = append(out.CapacityProviderScalingConfig.ScalingPolicies, api.TargetTrackingScalingPolicy{
			PredefinedMetricType: api.CapacityProviderPredefinedMetricTypeLambdaCapacityProviderAverageCPUUtilization, TargetValue: target,
		})
	}
	return out
}

// require sets what instances must be.
func (p *capacityProvider) require(in *api.InstanceRequirements) error {
	p.Architectures = []string{hostArchitecture()}
	if in == nil {
		return nil
	}
	if len(in.Architectures) > 0 && in.Architectures[0] != hostArchitecture() {
		return invalid("This machine runs %s code; %s cannot be run here. Set Architectures to %[1]s.", hostArchitecture(), in.Architectures[0])
	}
	if len(in.AllowedInstanceTypes) > 0 && len(in.ExcludedInstanceTypes) > 0 {
		return invalid("AllowedInstanceTypes and ExcludedInstanceTypes cannot be specified together.")
	}
	p.Allowed, p.Excluded = in.AllowedInstanceTypes, in.ExcludedInstanceTypes
	return nil
}

// scale sets how the capacity is scaled; what is absent is left as it is.
func (p *capacityProvider) scale(in *api.CapacityProviderScalingConfig) error {
	if in == nil {
		return nil
	}
	if in.MaxVCpuCount != nil {
		p.MaxVCPUs = *in.MaxVCpuCount
	}
	if in.ScalingMode != "" {
		p.Mode = in.ScalingMode
	}
	if in.ScalingPolicies != nil {
		p.Targets = nil
		for _, policy := range in.ScalingPolicies {
			p.Targets = append(p.Targets, policy.TargetValue)
		}
	}
	switch manual := p.Mode == api.CapacityProviderScalingModeManual; {
	case manual && len(p.Targets) == 0:
		return invalid("ScalingPolicies must be specified when ScalingMode is Manual.")
	case !manual && len(in.ScalingPolicies) > 0:
		return invalid("ScalingPolicies can only be specified when ScalingMode is Manual.")
	case !manual:
		p.Targets = nil
	}
	return nil
}

func (l *Lambda) createCapacityProvider(ctx context.Context, in *api.CreateCapacityProviderInput) (*api.CreateCapacityProviderOutput, error) {
	s, name := parseCapacity(ctx, in.CapacityProviderName)
	if name == "" {
		return nil, invalid("A capacity provider is made in the account and the region of the call; %s is elsewhere.", in.CapacityProviderName)
	}
	p := capacityProvider{
		Name: name, Subnets: in.VpcConfig.SubnetIds, SecurityGroups: in.VpcConfig.SecurityGroupIds, Role: in.PermissionsConfig.CapacityProviderOperatorRoleArn,
		MaxVCPUs: defaultMaxVCPUs, Mode: api.CapacityProviderScalingModeAuto, Key: orZero(in.KmsKeyArn), Tags: in.Tags, Modified: l.deps.Clock.Now().UTC(),
	}
	if p.Key != "" {
		return nil, unsupported("CreateCapacityProvider", "KmsKeyArn")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if err := p.require(in.InstanceRequirements); err != nil {
		return nil, err
	}
	if err := p.scale(in.CapacityProviderScalingConfig); err != nil {
		return nil, err
	}
	if err := l.checkRole(ctx, p.Role); err != nil {
		return nil, err
	}
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		n := 0
		for other, err := range record.Range[capacityProvider](tx, s.capacityProviders().Span()) {
			if err != nil {
				return err
			}
			if other.Value.Name == name {
				return conflict("Capacity provider already exist: %s", name)
			}
			n++
		}
		if n >= maxCapacityProviders {
			return service.Errorf("CapacityProviderLimitExceededException", "An account has at most %d capacity providers in a region. Delete one first.", maxCapacityProviders).WithStatus(400)
		}
		return record.Set(tx, s.capacityProvider(name), p)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	// As on AWS, the answer is about what is still to be done; the next call finds it done.
	return &api.CreateCapacityProviderOutput{CapacityProvider: p.shown(s, api.CapacityProviderStatePending)}, nil
}

func (l *Lambda) getCapacityProvider(ctx context.Context, in *api.GetCapacityProviderInput) (*api.GetCapacityProviderOutput, error) {
	out := &api.GetCapacityProviderOutput{}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		s, p, err := loadCapacity(ctx, rd, in.CapacityProviderName)
		out.CapacityProvider = p.shown(s, api.CapacityProviderStateActive)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Lambda) updateCapacityProvider(ctx context.Context, in *api.UpdateCapacityProviderInput) (*api.UpdateCapacityProviderOutput, error) {
	out := &api.UpdateCapacityProviderOutput{}
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		s, p, err := loadCapacity(ctx, tx, in.CapacityProviderName)
		if err != nil {
			return err
		}
		if err := p.scale(in.CapacityProviderScalingConfig); err != nil {
			return err
		}
		p.Modified = l.deps.Clock.Now().UTC()
		out.CapacityProvider = p.shown(s, api.CapacityProviderStateActive)
		return record.Set(tx, s.capacityProvider(p.Name), p)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	l.fleets.poke()
	return out, nil
}

func (l *Lambda) deleteCapacityProvider(ctx context.Context, in *api.DeleteCapacityProviderInput) (*api.DeleteCapacityProviderOutput, error) {
	out := &api.DeleteCapacityProviderOutput{}
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		s, p, err := loadCapacity(ctx, tx, in.CapacityProviderName)
		if err != nil {
			return err
		}
		if err := checkUnused(tx, s, s.capacityARN(p.Name)); err != nil {
			return err
		}
		out.CapacityProvider = p.shown(s, api.CapacityProviderStateDeleting)
		tx.Delete(s.capacityProvider(p.Name))
		return nil
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// checkUnused fails for a capacity provider that a function or one of its versions has.
func checkUnused(rd store.Reader, s scope, arn string) error {
	for f, err := range record.Range[function](rd, s.functions().Span()) {
		if err != nil {
			return err
		}
		if c := f.Value.Latest.Capacity; c != nil && c.Provider == arn {
			return conflict("The capacity provider %s is used by the function %s. Delete the function first.", arn, f.Value.Name)
		}
	}
	for m, err := range record.Range[managed](rd, s.allManaged().Span()) {
		if err != nil {
			return err
		}
		if m.Value.Provider == arn {
			return conflict("The capacity provider %s is used by the function version %s. Delete the version first.", arn, managedRef(s, m.Key).arn())
		}
	}
	return nil
}

func (l *Lambda) listCapacityProviders(ctx context.Context, in *api.ListCapacityProvidersInput) (*api.ListCapacityProvidersOutput, error) {
	s := scopeOf(ctx)
	span := s.capacityProviders().Span()
	if in.Marker != nil {
		span.Lo = append(s.capacityProvider(*in.Marker), 0)
	}
	limit := pageSize(in.MaxItems, capacityPage)
	out := &api.ListCapacityProvidersOutput{CapacityProviders: []api.CapacityProvider{}}
	if in.State != "" && in.State != api.CapacityProviderStateActive {
		return out, nil
	}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		last := ""
		for p, err := range record.Range[capacityProvider](rd, span) {
			if err != nil {
				return err
			}
			if len(out.CapacityProviders) == limit {
				out.NextMarker = &last
				return nil
			}
			last = p.Value.Name
			out.CapacityProviders = append(out.CapacityProviders, *p.Value.shown(s, api.CapacityProviderStateActive))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Lambda) listFunctionVersionsByCapacityProvider(ctx context.Context, in *api.ListFunctionVersionsByCapacityProviderInput) (*api.ListFunctionVersionsByCapacityProviderOutput, error) {
	limit := pageSize(in.MaxItems, capacityPage)
	out := &api.ListFunctionVersionsByCapacityProviderOutput{FunctionVersions: []api.FunctionVersionsByCapacityProviderListItem{}}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		s, p, err := loadCapacity(ctx, rd, in.CapacityProviderName)
		if err != nil {
			return err
		}
		out.CapacityProviderArn = s.capacityARN(p.Name)
		span := s.allManaged().Span()
		if name, number, ok := strings.Cut(orZero(in.Marker), ":"); ok {
			span.Lo = append(s.managed(name).Str(number), 0)
		}
		last := ""
		for m, err := range record.Range[managed](rd, span) {
			if err != nil {
				return err
			}
			if m.Value.Provider != out.CapacityProviderArn {
				continue
			}
			if len(out.FunctionVersions) == limit {
				out.NextMarker = &last
				return nil
			}
			r := managedRef(s, m.Key)
			_, v, err := resolve(rd, r)
			if err != nil {
				return err
			}
			last = r.name + ":" + r.qualifier
			out.FunctionVersions = append(out.FunctionVersions, api.FunctionVersionsByCapacityProviderListItem{FunctionArn: r.arn(), State: v.state()})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func taggedCapacity(ctx context.Context, arn string) tagged {
	return tagged{
		load: func(rd store.Reader) (map[string]string, error) {
			_, p, err := loadCapacity(ctx, rd, arn)
			return p.Tags, err
		},
		save: func(tx store.Txn, tags map[string]string) error {
			s, p, err := loadCapacity(ctx, tx, arn)
			if err != nil {
				return err
			}
			p.Tags = tags
			return record.Set(tx, s.capacityProvider(p.Name), p)
		},
	}
}

// managedRuntimes are those that AWS runs on managed instances, https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-runtimes.html, with how
// many invocations an environment takes at a time for each of its processors unless the function says otherwise; 0 for those that are not among them.
func managedRuntimes(id string) int32 {
	switch {
	case slices.Contains([]string{"nodejs22.x", "nodejs24.x"}, id):
		return 64
	case slices.Contains([]string{"java21", "java25", "dotnet8", "dotnet10"}, id):
		return 32
	case slices.Contains([]string{"python3.13", "python3.14"}, id):
		return 16
	case id == "provided.al2023":
		return 8
	}
	return 0
}
