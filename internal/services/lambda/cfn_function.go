package lambda

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// codeProperties are where a template takes code from. ZipFile is the text of one source file.
type codeProperties struct {
	ZipFile         *string `cfn:"ZipFile"`
	S3Bucket        *string `cfn:"S3Bucket"`
	S3Key           *string `cfn:"S3Key"`
	S3ObjectVersion *string `cfn:"S3ObjectVersion"`
	ImageUri        *string `cfn:"ImageUri"`
	SourceKMSKeyArn *string `cfn:"SourceKMSKeyArn"`
}

type environmentProperties struct {
	Variables map[string]string `cfn:"Variables"`
}

type storageProperties struct {
	Size int32 `cfn:"Size,required"`
}

type tracingProperties struct {
	Mode string `cfn:"Mode"`
}

type loggingProperties struct {
	ApplicationLogLevel *string `cfn:"ApplicationLogLevel"`
	LogFormat           *string `cfn:"LogFormat"`
	LogGroup            *string `cfn:"LogGroup"`
	SystemLogLevel      *string `cfn:"SystemLogLevel"`
}

type deadLetterProperties struct {
	TargetArn *string `cfn:"TargetArn"`
}

type snapStartProperties struct {
	ApplyOn string `cfn:"ApplyOn"`
}

type vpcProperties struct {
	Ipv6AllowedForDualStack *bool    `cfn:"Ipv6AllowedForDualStack"`
	SecurityGroupIds        []string `cfn:"SecurityGroupIds,unordered"`
	SubnetIds               []string `cfn:"SubnetIds,unordered"`
}

type imageProperties struct {
	Command          []string `cfn:"Command"`
	EntryPoint       []string `cfn:"EntryPoint"`
	WorkingDirectory *string  `cfn:"WorkingDirectory"`
}

type fileSystemProperties struct {
	Arn            string `cfn:"Arn,required"`
	LocalMountPath string `cfn:"LocalMountPath,required"`
}

type durableProperties struct {
	ExecutionTimeout      *int32 `cfn:"ExecutionTimeout"`
	RetentionPeriodInDays *int32 `cfn:"RetentionPeriodInDays"`
}

type tenancyProperties struct {
	TenantIsolationMode string `cfn:"TenantIsolationMode,required"`
}

// functionProperties are the properties of AWS::Lambda::Function. Those that the service refuses are here so that the refusal is the service's own.
type functionProperties struct {
	Architectures                []string                   `cfn:"Architectures"`
	CapacityProviderConfig       *capacityUseProperties     `cfn:"CapacityProviderConfig"`
	Code                         codeProperties             `cfn:"Code,required,writeOnly"`
	CodeSigningConfigArn         *string                    `cfn:"CodeSigningConfigArn"`
	DeadLetterConfig             *deadLetterProperties      `cfn:"DeadLetterConfig"`
	Description                  *string                    `cfn:"Description"`
	DurableConfig                *durableProperties         `cfn:"DurableConfig"`
	Environment                  *environmentProperties     `cfn:"Environment"`
	EphemeralStorage             *storageProperties         `cfn:"EphemeralStorage"`
	FileSystemConfigs            []fileSystemProperties     `cfn:"FileSystemConfigs"`
	FunctionName                 *string                    `cfn:"FunctionName,createOnly"`
	FunctionScalingConfig        *functionScalingProperties `cfn:"FunctionScalingConfig"`
	Handler                      *string                    `cfn:"Handler"`
	ImageConfig                  *imageProperties           `cfn:"ImageConfig"`
	KmsKeyArn                    *string                    `cfn:"KmsKeyArn"`
	Layers                       []string                   `cfn:"Layers"`
	LoggingConfig                *loggingProperties         `cfn:"LoggingConfig"`
	MemorySize                   *int32                     `cfn:"MemorySize"`
	PackageType                  *string                    `cfn:"PackageType,createOnly"`
	PublishToLatestPublished     *bool                      `cfn:"PublishToLatestPublished,writeOnly"`
	RecursiveLoop                *string                    `cfn:"RecursiveLoop"`
	ReservedConcurrentExecutions *int32                     `cfn:"ReservedConcurrentExecutions"`
	Role                         string                     `cfn:"Role,required"`
	Runtime                      *string                    `cfn:"Runtime"`
	RuntimeManagementConfig      *runtimePolicyProperties   `cfn:"RuntimeManagementConfig"`
	SnapStart                    *snapStartProperties       `cfn:"SnapStart,writeOnly"`
	Tags                         []tag                      `cfn:"Tags"`
	TenancyConfig                *tenancyProperties         `cfn:"TenancyConfig,createOnly"`
	Timeout                      *int32                     `cfn:"Timeout"`
	TracingConfig                *tracingProperties         `cfn:"TracingConfig"`
	VpcConfig                    *vpcProperties             `cfn:"VpcConfig"`
}

// code is the API's form of the source. Inline text becomes a zip file with the one file that the handler names.
func (p *functionProperties) code() (*api.FunctionCode, error) {
	c := &api.FunctionCode{S3Bucket: p.Code.S3Bucket, S3Key: p.Code.S3Key, S3ObjectVersion: p.Code.S3ObjectVersion, ImageUri: p.Code.ImageUri, SourceKMSKeyArn: p.Code.SourceKMSKeyArn}
	if p.Code.ZipFile == nil {
		return c, nil
	}
	var err error
	c.ZipFile, err = inlineArchive(orZero(p.Runtime), orZero(p.Handler), *p.Code.ZipFile)
	return c, err
}

// input is the properties as an update takes them. What a template does not have is nil.
func (p *functionProperties) input() *api.UpdateFunctionConfigurationInput {
	in := &api.UpdateFunctionConfigurationInput{
		Runtime: orZero(p.Runtime), Role: &p.Role, Handler: p.Handler, Description: p.Description, Timeout: p.Timeout, MemorySize: p.MemorySize,
		KMSKeyArn: p.KmsKeyArn, Layers: p.Layers,
	}
	if p.Environment != nil {
		in.Environment = &api.Environment{Variables: p.Environment.Variables}
	}
	if p.EphemeralStorage != nil {
		in.EphemeralStorage = &api.EphemeralStorage{Size: p.EphemeralStorage.Size}
	}
	if c := p.LoggingConfig; c != nil {
		in.LoggingConfig = &api.LoggingConfig{
			LogFormat: orZero(c.LogFormat), LogGroup: c.LogGroup, ApplicationLogLevel: orZero(c.ApplicationLogLevel), SystemLogLevel: orZero(c.SystemLogLevel),
		}
	}
	if c := p.VpcConfig; c != nil {
		in.VpcConfig = &api.VpcConfig{SubnetIds: c.SubnetIds, SecurityGroupIds: c.SecurityGroupIds, Ipv6AllowedForDualStack: c.Ipv6AllowedForDualStack}
	}
	if p.DeadLetterConfig != nil {
		in.DeadLetterConfig = &api.DeadLetterConfig{TargetArn: p.DeadLetterConfig.TargetArn}
	}
	if p.TracingConfig != nil {
		in.TracingConfig = &api.TracingConfig{Mode: p.TracingConfig.Mode}
	}
	p.rare(in)
	return in
}

// rare sets the members that few templates have.
func (p *functionProperties) rare(in *api.UpdateFunctionConfigurationInput) {
	if p.SnapStart != nil {
		in.SnapStart = &api.SnapStart{ApplyOn: p.SnapStart.ApplyOn}
	}
	in.CapacityProviderConfig = p.CapacityProviderConfig.config()
	if c := p.ImageConfig; c != nil {
		in.ImageConfig = &api.ImageConfig{Command: c.Command, EntryPoint: c.EntryPoint, WorkingDirectory: c.WorkingDirectory}
	}
	if c := p.DurableConfig; c != nil {
		in.DurableConfig = &api.DurableConfig{ExecutionTimeout: c.ExecutionTimeout, RetentionPeriodInDays: c.RetentionPeriodInDays}
	}
	for _, c := range p.FileSystemConfigs {
		in.FileSystemConfigs = append(in.FileSystemConfigs, api.FileSystemConfig(c))
	}
}

// withDefaults fills in what the template had before and has no more, so that an update takes it away.
func withDefaults(in, old *api.UpdateFunctionConfigurationInput) {
	if in.Timeout == nil {
		in.Timeout = ptr(int32(3))
	}
	memory, format := int32(128), logText
	if in.CapacityProviderConfig != nil {
		memory, format = leastManagedMemory, logJSON
	}
	if in.MemorySize == nil {
		in.MemorySize = &memory
	}
	if in.Description == nil {
		in.Description = ptr("")
	}
	if in.Layers == nil && old.Layers != nil {
		in.Layers = []string{}
	}
	unset(&in.Environment, old.Environment, &api.Environment{Variables: map[string]string{}})
	unset(&in.EphemeralStorage, old.EphemeralStorage, &api.EphemeralStorage{Size: 512})
	unset(&in.LoggingConfig, old.LoggingConfig, &api.LoggingConfig{LogFormat: format, LogGroup: ptr(defaultLogGroup(in.FunctionName))})
	unset(&in.VpcConfig, old.VpcConfig, &api.VpcConfig{})
	unset(&in.DeadLetterConfig, old.DeadLetterConfig, &api.DeadLetterConfig{TargetArn: ptr("")})
	unset(&in.TracingConfig, old.TracingConfig, &api.TracingConfig{Mode: api.TracingModePassThrough})
	unset(&in.SnapStart, old.SnapStart, &api.SnapStart{ApplyOn: api.SnapStartApplyOnNone})
	unset(&in.ImageConfig, old.ImageConfig, &api.ImageConfig{})
}

// unset gives a member that is gone its value for "none".
func unset[T any](now **T, old, none *T) {
	if *now == nil && old != nil {
		*now = none
	}
}

func (l *Lambda) createFunctionResource(ctx context.Context, c service.ResourceCall, p *functionProperties) (service.Resource, error) {
	name := c.Name(maxName, nil)
	if p.FunctionName != nil {
		name = *p.FunctionName
	}
	source, err := p.code()
	if err != nil {
		return service.Resource{}, err
	}
	m := p.input()
	in := &api.CreateFunctionInput{
		FunctionName: name, Runtime: m.Runtime, Role: p.Role, Handler: m.Handler, Code: source, Description: m.Description, Timeout: m.Timeout, MemorySize: m.MemorySize,
		PackageType: orZero(p.PackageType), Environment: m.Environment, EphemeralStorage: m.EphemeralStorage, LoggingConfig: m.LoggingConfig, Architectures: p.Architectures,
		Layers: m.Layers, KMSKeyArn: m.KMSKeyArn, VpcConfig: m.VpcConfig, DeadLetterConfig: m.DeadLetterConfig, TracingConfig: m.TracingConfig, SnapStart: m.SnapStart,
		CapacityProviderConfig: m.CapacityProviderConfig,
		ImageConfig:            m.ImageConfig, DurableConfig: m.DurableConfig, FileSystemConfigs: m.FileSystemConfigs, CodeSigningConfigArn: p.CodeSigningConfigArn, Tags: tagsOf(c, p.Tags),
	}
	if p.TenancyConfig != nil {
		in.TenancyConfig = &api.TenancyConfig{TenantIsolationMode: p.TenancyConfig.TenantIsolationMode}
	}
	err = l.do(ctx, "CreateFunction", in)
	if c.Retry {
		err = service.Unless(err, "ResourceConflictException")
	}
	if err == nil && p.Code.ImageUri != nil {
		err = l.awaitActive(ctx, name, nil)
	}
	if err == nil {
		err = l.configureFunction(ctx, name, &functionProperties{CodeSigningConfigArn: p.CodeSigningConfigArn}, p)
	}
	if err == nil {
		err = l.publishLatest(ctx, name, &functionProperties{}, p)
	}
	if err != nil {
		return service.Resource{}, err
	}
	return functionResource(ctx, name, p), nil
}

func functionResource(ctx context.Context, name string, p *functionProperties) service.Resource {
	r := ref{scope: scopeOf(ctx), name: name}
	applyOn := api.SnapStartApplyOnNone
	if p.SnapStart != nil && p.SnapStart.ApplyOn != "" {
		applyOn = p.SnapStart.ApplyOn
	}
	return service.Resource{PhysicalID: name, Attributes: map[string]any{
		"Arn": r.function(), "SnapStartResponse.ApplyOn": applyOn, "SnapStartResponse.OptimizationStatus": "Off",
	}}
}

func (l *Lambda) updateFunctionResource(ctx context.Context, c service.ResourceCall, old, p *functionProperties) (service.Resource, error) {
	name := c.PhysicalID
	source, err := p.code()
	if err == nil {
		err = p.keeps(old)
	}
	if err != nil {
		return service.Resource{}, err
	}
	in := p.input()
	in.FunctionName = name
	withDefaults(in, old.input())
	if err := l.do(ctx, "UpdateFunctionConfiguration", in); err != nil {
		return service.Resource{}, err
	}
	// Before the code: whether unsigned code is let in is decided by the new code signing configuration.
	if err := l.configureFunction(ctx, name, old, p); err != nil {
		return service.Resource{}, err
	}
	if !sameSource(old, p) {
		if err := l.do(ctx, "UpdateFunctionCode", &api.UpdateFunctionCodeInput{
			FunctionName: name, ZipFile: source.ZipFile, S3Bucket: source.S3Bucket, S3Key: source.S3Key, S3ObjectVersion: source.S3ObjectVersion,
			ImageUri: source.ImageUri, SourceKMSKeyArn: source.SourceKMSKeyArn, Architectures: p.Architectures,
		}); err != nil {
			return service.Resource{}, err
		}
		if p.Code.ImageUri != nil {
			if err := l.awaitActive(ctx, name, nil); err != nil {
				return service.Resource{}, err
			}
		}
	}
	if err := l.publishLatest(ctx, name, old, p); err != nil {
		return service.Resource{}, err
	}
	arn := ref{scope: scopeOf(ctx), name: name}.function()
	return functionResource(ctx, name, p), l.updateTags(ctx, c, arn, old.Tags, p.Tags)
}

// keeps fails for properties that a template has taken away from a function that cannot do without them.
func (p *functionProperties) keeps(old *functionProperties) error {
	switch {
	case old.DurableConfig != nil && p.DurableConfig == nil:
		return invalid("DurableConfig cannot be taken away from a function. Give the function another name, which makes a new one.")
	case old.CapacityProviderConfig != nil && p.CapacityProviderConfig == nil:
		return invalid("CapacityProviderConfig cannot be taken away from a function. Give the function another name, which makes a new one.")
	}
	return nil
}

// publishLatest publishes a function on a capacity provider to $LATEST.PUBLISHED, unless the template does not want that, sets how that scales, and waits for it.
func (l *Lambda) publishLatest(ctx context.Context, name string, old, p *functionProperties) error {
	wanted := p.CapacityProviderConfig != nil
	if p.PublishToLatestPublished != nil {
		wanted = *p.PublishToLatestPublished
	}
	if !wanted {
		if p.FunctionScalingConfig != nil {
			return invalid("FunctionScalingConfig is that of $LATEST.PUBLISHED: set CapacityProviderConfig, and leave PublishToLatestPublished out.")
		}
		return nil
	}
	if err := l.do(ctx, "PublishVersion", &api.PublishVersionInput{FunctionName: name, PublishTo: api.FunctionVersionLatestPublishedLatestPublished}); err != nil {
		return err
	}
	if err := l.awaitActive(ctx, name, ptr(latestPublished)); err != nil {
		return err
	}
	return l.scale(ctx, ref{scope: scopeOf(ctx), name: name, qualifier: latestPublished}, old.FunctionScalingConfig, p.FunctionScalingConfig)
}

// configureFunction changes what has an operation of its own.
func (l *Lambda) configureFunction(ctx context.Context, name string, old, p *functionProperties) error {
	if err := l.updateConcurrency(ctx, name, old, p); err != nil {
		return err
	}
	if now := orZero(p.CodeSigningConfigArn); now != orZero(old.CodeSigningConfigArn) {
		var err error
		if now == "" {
			err = l.do(ctx, "DeleteFunctionCodeSigningConfig", &api.DeleteFunctionCodeSigningConfigInput{FunctionName: name})
		} else {
			err = l.do(ctx, "PutFunctionCodeSigningConfig", &api.PutFunctionCodeSigningConfigInput{FunctionName: name, CodeSigningConfigArn: now})
		}
		if err != nil {
			return err
		}
	}
	if p.RecursiveLoop != nil || old.RecursiveLoop != nil {
		mode := api.RecursiveLoopTerminate
		if p.RecursiveLoop != nil {
			mode = *p.RecursiveLoop
		}
		if err := l.do(ctx, "PutFunctionRecursionConfig", &api.PutFunctionRecursionConfigInput{FunctionName: name, RecursiveLoop: mode}); err != nil {
			return err
		}
	}
	return l.runtimePolicy(ctx, name, nil, old.RuntimeManagementConfig, p.RuntimeManagementConfig)
}

// sameSource tells whether the code comes from where it came from before; then environments that are warm stay.
func sameSource(old, p *functionProperties) bool {
	if p.Code.ZipFile != nil && (orZero(old.Handler) != orZero(p.Handler) || orZero(old.Runtime) != orZero(p.Runtime)) {
		return false // the name of the one file depends on them
	}
	return slices.Equal(old.Architectures, p.Architectures) && orZero(old.Code.ZipFile) == orZero(p.Code.ZipFile) && orZero(old.Code.S3Bucket) == orZero(p.Code.S3Bucket) &&
		orZero(old.Code.S3Key) == orZero(p.Code.S3Key) && orZero(old.Code.S3ObjectVersion) == orZero(p.Code.S3ObjectVersion) && orZero(old.Code.ImageUri) == orZero(p.Code.ImageUri)
}

func (l *Lambda) updateConcurrency(ctx context.Context, name string, old, p *functionProperties) error {
	switch {
	case p.ReservedConcurrentExecutions != nil:
		return l.do(ctx, "PutFunctionConcurrency", &api.PutFunctionConcurrencyInput{FunctionName: name, ReservedConcurrentExecutions: *p.ReservedConcurrentExecutions})
	case old.ReservedConcurrentExecutions != nil:
		return l.do(ctx, "DeleteFunctionConcurrency", &api.DeleteFunctionConcurrencyInput{FunctionName: name})
	}
	return nil
}

func (l *Lambda) deleteFunctionResource(ctx context.Context, c service.ResourceCall, _ *functionProperties) error {
	return service.Unless(l.do(ctx, "DeleteFunction", &api.DeleteFunctionInput{FunctionName: c.PhysicalID}), "ResourceNotFoundException")
}
