package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// tag is an element of a Tags property.
type tag struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

// codeProperties are where a template takes code from. ZipFile is the text of one source file.
type codeProperties struct {
	ZipFile         *string `cfn:"ZipFile"`
	S3Bucket        *string `cfn:"S3Bucket"`
	S3Key           *string `cfn:"S3Key"`
	S3ObjectVersion *string `cfn:"S3ObjectVersion"`
	ImageUri        *string `cfn:"ImageUri"`
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
	SecurityGroupIds []string `cfn:"SecurityGroupIds"`
	SubnetIds        []string `cfn:"SubnetIds"`
}

// functionProperties are the properties of AWS::Lambda::Function. Those that the service refuses are here so that the refusal is the service's own.
type functionProperties struct {
	Architectures                []string               `cfn:"Architectures"`
	Code                         codeProperties         `cfn:"Code,required,writeOnly"`
	DeadLetterConfig             *deadLetterProperties  `cfn:"DeadLetterConfig"`
	Description                  *string                `cfn:"Description"`
	Environment                  *environmentProperties `cfn:"Environment"`
	EphemeralStorage             *storageProperties     `cfn:"EphemeralStorage"`
	FunctionName                 *string                `cfn:"FunctionName,createOnly"`
	Handler                      *string                `cfn:"Handler"`
	KmsKeyArn                    *string                `cfn:"KmsKeyArn"`
	Layers                       []string               `cfn:"Layers"`
	LoggingConfig                *loggingProperties     `cfn:"LoggingConfig"`
	MemorySize                   *int32                 `cfn:"MemorySize"`
	PackageType                  *string                `cfn:"PackageType,createOnly"`
	ReservedConcurrentExecutions *int32                 `cfn:"ReservedConcurrentExecutions"`
	Role                         string                 `cfn:"Role,required"`
	Runtime                      *string                `cfn:"Runtime"`
	SnapStart                    *snapStartProperties   `cfn:"SnapStart"`
	Tags                         []tag                  `cfn:"Tags"`
	Timeout                      *int32                 `cfn:"Timeout"`
	TracingConfig                *tracingProperties     `cfn:"TracingConfig"`
	VpcConfig                    *vpcProperties         `cfn:"VpcConfig"`
}

// permissionProperties are the properties of AWS::Lambda::Permission.
type permissionProperties struct {
	Action                string  `cfn:"Action,required,createOnly"`
	EventSourceToken      *string `cfn:"EventSourceToken,createOnly"`
	FunctionName          string  `cfn:"FunctionName,required,createOnly"`
	FunctionUrlAuthType   *string `cfn:"FunctionUrlAuthType,createOnly"`
	InvokedViaFunctionUrl *bool   `cfn:"InvokedViaFunctionUrl,createOnly"`
	Principal             string  `cfn:"Principal,required,createOnly"`
	PrincipalOrgID        *string `cfn:"PrincipalOrgID,createOnly"`
	SourceAccount         *string `cfn:"SourceAccount,createOnly"`
	SourceArn             *string `cfn:"SourceArn,createOnly"`
}

// versionProperties are the properties of AWS::Lambda::Version.
type versionProperties struct {
	CodeSha256   *string `cfn:"CodeSha256,createOnly"`
	Description  *string `cfn:"Description,createOnly"`
	FunctionName string  `cfn:"FunctionName,required,createOnly"`
}

// aliasProperties are the properties of AWS::Lambda::Alias.
type aliasProperties struct {
	Description     *string `cfn:"Description"`
	FunctionName    string  `cfn:"FunctionName,required,createOnly"`
	FunctionVersion string  `cfn:"FunctionVersion,required"`
	Name            string  `cfn:"Name,required,createOnly"`
}

func (l *Lambda) resources() []service.ResourceType {
	return []service.ResourceType{
		l.eventSourceResource(), l.invokeConfigResource(),
		service.NewResourceType("AWS::Lambda::Function", service.ResourceSpec[functionProperties]{
			Attributes: []string{"Arn"}, Create: l.createFunctionResource, Update: l.updateFunctionResource, Delete: l.deleteFunctionResource,
		}),
		service.NewResourceType("AWS::Lambda::Permission", service.ResourceSpec[permissionProperties]{
			Attributes: []string{"Id"}, Create: l.createPermissionResource, Delete: l.deletePermissionResource,
		}),
		service.NewResourceType("AWS::Lambda::Version", service.ResourceSpec[versionProperties]{
			Attributes: []string{"Version", "FunctionArn"}, Create: l.createVersionResource, Delete: l.deleteVersionResource,
		}),
		service.NewResourceType("AWS::Lambda::Alias", service.ResourceSpec[aliasProperties]{
			Attributes: []string{"AliasArn"}, Create: l.createAliasResource, Update: l.updateAliasResource, Delete: l.deleteAliasResource,
		}),
	}
}

func (l *Lambda) do(ctx context.Context, operation string, in any) error {
	_, err := l.deps.Door.Call(ctx, "lambda", operation, in)
	return err
}

// unless returns nil for an error with the given code.
func unless(err error, code string) error {
	if service.Code(err) == code {
		return nil
	}
	return err
}

// code is the API's form of the source. Inline text becomes a zip file with the one file that the handler names.
func (p *functionProperties) code() (*api.FunctionCode, error) {
	c := &api.FunctionCode{S3Bucket: p.Code.S3Bucket, S3Key: p.Code.S3Key, S3ObjectVersion: p.Code.S3ObjectVersion, ImageUri: p.Code.ImageUri}
	if p.Code.ZipFile == nil {
		return c, nil
	}
	ext := ".js"
	if strings.HasPrefix(orZero(p.Runtime), "python") {
		ext = ".py"
	}
	name, _, _ := strings.Cut(orZero(p.Handler), ".")
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name + ext)
	if err != nil {
		return nil, fmt.Errorf("pack inline code: %w", err)
	}
	if _, err := w.Write([]byte(*p.Code.ZipFile)); err != nil {
		return nil, fmt.Errorf("pack inline code: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack inline code: %w", err)
	}
	c.ZipFile = b.Bytes()
	return c, nil
}

func (p *functionProperties) environment() *api.Environment {
	if p.Environment == nil {
		return nil
	}
	return &api.Environment{Variables: p.Environment.Variables}
}

func (p *functionProperties) logging() *api.LoggingConfig {
	if p.LoggingConfig == nil {
		return nil
	}
	return &api.LoggingConfig{
		LogFormat: orZero(p.LoggingConfig.LogFormat), LogGroup: p.LoggingConfig.LogGroup,
		ApplicationLogLevel: orZero(p.LoggingConfig.ApplicationLogLevel), SystemLogLevel: orZero(p.LoggingConfig.SystemLogLevel),
	}
}

// refusable are the properties that the service accepts only with values that mean "none".
func (p *functionProperties) refusable() (vpc *api.VpcConfig, dlq *api.DeadLetterConfig, tracing *api.TracingConfig, snap *api.SnapStart) {
	if p.VpcConfig != nil {
		vpc = &api.VpcConfig{SubnetIds: p.VpcConfig.SubnetIds, SecurityGroupIds: p.VpcConfig.SecurityGroupIds}
	}
	if p.DeadLetterConfig != nil {
		dlq = &api.DeadLetterConfig{TargetArn: p.DeadLetterConfig.TargetArn}
	}
	if p.TracingConfig != nil {
		tracing = &api.TracingConfig{Mode: p.TracingConfig.Mode}
	}
	if p.SnapStart != nil {
		snap = &api.SnapStart{ApplyOn: p.SnapStart.ApplyOn}
	}
	return vpc, dlq, tracing, snap
}

func (p *functionProperties) storage() *api.EphemeralStorage {
	if p.EphemeralStorage == nil {
		return nil
	}
	return &api.EphemeralStorage{Size: p.EphemeralStorage.Size}
}

func (l *Lambda) createFunctionResource(ctx context.Context, c service.ResourceCall, p *functionProperties) (service.Resource, error) {
	name := c.Name(64, nil)
	if p.FunctionName != nil {
		name = *p.FunctionName
	}
	source, err := p.code()
	if err != nil {
		return service.Resource{}, err
	}
	vpc, dlq, tracing, snap := p.refusable()
	err = l.do(ctx, "CreateFunction", &api.CreateFunctionInput{
		FunctionName: name, Runtime: orZero(p.Runtime), Role: p.Role, Handler: p.Handler, Code: source, Description: p.Description, Timeout: p.Timeout,
		MemorySize: p.MemorySize, PackageType: orZero(p.PackageType), Environment: p.environment(), EphemeralStorage: p.storage(), LoggingConfig: p.logging(),
		Architectures: p.Architectures, Layers: p.Layers, KMSKeyArn: p.KmsKeyArn, VpcConfig: vpc, DeadLetterConfig: dlq, TracingConfig: tracing, SnapStart: snap, Tags: tagsOf(c, p.Tags),
	})
	if c.Retry {
		err = unless(err, "ResourceConflictException")
	}
	if err == nil && p.ReservedConcurrentExecutions != nil {
		err = l.do(ctx, "PutFunctionConcurrency", &api.PutFunctionConcurrencyInput{FunctionName: name, ReservedConcurrentExecutions: *p.ReservedConcurrentExecutions})
	}
	if err != nil {
		return service.Resource{}, err
	}
	return functionResource(ctx, name), nil
}

func functionResource(ctx context.Context, name string) service.Resource {
	r := ref{scope: scopeOf(ctx), name: name}
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": r.function()}}
}

func tagsOf(c service.ResourceCall, own []tag) map[string]string {
	out := maps.Clone(c.Tags)
	if out == nil {
		out = map[string]string{}
	}
	for _, t := range own {
		out[t.Key] = t.Value
	}
	return out
}

func (l *Lambda) updateFunctionResource(ctx context.Context, c service.ResourceCall, old, p *functionProperties) (service.Resource, error) {
	name := c.PhysicalID
	source, err := p.code()
	if err != nil {
		return service.Resource{}, err
	}
	vpc, dlq, tracing, snap := p.refusable()
	env := p.environment()
	if env == nil && old.Environment != nil {
		env = &api.Environment{Variables: map[string]string{}}
	}
	timeout, memory, description := p.Timeout, p.MemorySize, p.Description
	for _, d := range []struct {
		given **int32
		value int32
	}{{&timeout, 3}, {&memory, 128}} {
		if *d.given == nil {
			*d.given = ptr(d.value)
		}
	}
	if description == nil {
		description = ptr("")
	}
	if err := l.do(ctx, "UpdateFunctionConfiguration", &api.UpdateFunctionConfigurationInput{
		FunctionName: name, Runtime: orZero(p.Runtime), Role: &p.Role, Handler: p.Handler, Description: description, Timeout: timeout, MemorySize: memory,
		Environment: env, EphemeralStorage: p.storage(), LoggingConfig: p.logging(), Layers: p.Layers, KMSKeyArn: p.KmsKeyArn,
		VpcConfig: vpc, DeadLetterConfig: dlq, TracingConfig: tracing, SnapStart: snap,
	}); err != nil {
		return service.Resource{}, err
	}
	if !sameSource(old, p) {
		if err := l.do(ctx, "UpdateFunctionCode", &api.UpdateFunctionCodeInput{
			FunctionName: name, ZipFile: source.ZipFile, S3Bucket: source.S3Bucket, S3Key: source.S3Key, S3ObjectVersion: source.S3ObjectVersion,
			ImageUri: source.ImageUri, Architectures: p.Architectures,
		}); err != nil {
			return service.Resource{}, err
		}
	}
	if err := l.updateConcurrency(ctx, name, old, p); err != nil {
		return service.Resource{}, err
	}
	return functionResource(ctx, name), l.updateTags(ctx, c, ref{scope: scopeOf(ctx), name: name}.function(), old.Tags, p.Tags)
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

// updateTags changes the tags of a resource to those that a template has now.
func (l *Lambda) updateTags(ctx context.Context, c service.ResourceCall, arn string, old, own []tag) error {
	now := tagsOf(c, own)
	var gone []string
	for k := range tagsOf(c, old) {
		if _, ok := now[k]; !ok {
			gone = append(gone, k)
		}
	}
	if gone != nil {
		if err := l.do(ctx, "UntagResource", &api.UntagResourceInput{Resource: arn, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(now) == 0 {
		return nil
	}
	return l.do(ctx, "TagResource", &api.TagResourceInput{Resource: arn, Tags: now})
}

func (l *Lambda) deleteFunctionResource(ctx context.Context, c service.ResourceCall, _ *functionProperties) error {
	return unless(l.do(ctx, "DeleteFunction", &api.DeleteFunctionInput{FunctionName: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Lambda) createPermissionResource(ctx context.Context, c service.ResourceCall, p *permissionProperties) (service.Resource, error) {
	id := c.Name(100, nil)
	err := l.do(ctx, "AddPermission", &api.AddPermissionInput{
		FunctionName: p.FunctionName, StatementId: id, Action: p.Action, Principal: p.Principal, SourceArn: p.SourceArn, SourceAccount: p.SourceAccount,
		EventSourceToken: p.EventSourceToken, PrincipalOrgID: p.PrincipalOrgID, FunctionUrlAuthType: orZero(p.FunctionUrlAuthType), InvokedViaFunctionUrl: p.InvokedViaFunctionUrl,
	})
	// The id is new for every resource: a statement that has it was made by an earlier try of this step.
	return service.Resource{PhysicalID: id, Attributes: map[string]any{"Id": id}}, unless(err, "ResourceConflictException")
}

func (l *Lambda) deletePermissionResource(ctx context.Context, c service.ResourceCall, p *permissionProperties) error {
	return unless(l.do(ctx, "RemovePermission", &api.RemovePermissionInput{FunctionName: p.FunctionName, StatementId: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Lambda) createVersionResource(ctx context.Context, _ service.ResourceCall, p *versionProperties) (service.Resource, error) {
	out, err := service.Call[api.PublishVersionOutput](ctx, l.deps.Door, "lambda", "PublishVersion", &api.PublishVersionInput{
		FunctionName: p.FunctionName, CodeSha256: p.CodeSha256, Description: p.Description,
	})
	if err != nil {
		return service.Resource{}, err
	}
	arn := orZero(out.FunctionArn)
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"Version": orZero(out.Version), "FunctionArn": arn}}, nil
}

func (l *Lambda) deleteVersionResource(ctx context.Context, c service.ResourceCall, _ *versionProperties) error {
	return unless(l.do(ctx, "DeleteFunction", &api.DeleteFunctionInput{FunctionName: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Lambda) createAliasResource(ctx context.Context, c service.ResourceCall, p *aliasProperties) (service.Resource, error) {
	err := l.do(ctx, "CreateAlias", &api.CreateAliasInput{FunctionName: p.FunctionName, Name: p.Name, FunctionVersion: p.FunctionVersion, Description: p.Description})
	if c.Retry && service.Code(err) == "ResourceConflictException" {
		return l.updateAliasResource(ctx, c, p, p)
	}
	return aliasResource(ctx, p), err
}

func aliasResource(ctx context.Context, p *aliasProperties) service.Resource {
	r, err := parseRef(ctx, p.FunctionName, nil)
	if err != nil {
		return service.Resource{}
	}
	arn := r.with(p.Name).arn()
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"AliasArn": arn}}
}

func (l *Lambda) updateAliasResource(ctx context.Context, _ service.ResourceCall, _, p *aliasProperties) (service.Resource, error) {
	err := l.do(ctx, "UpdateAlias", &api.UpdateAliasInput{FunctionName: p.FunctionName, Name: p.Name, FunctionVersion: &p.FunctionVersion, Description: p.Description})
	return aliasResource(ctx, p), err
}

func (l *Lambda) deleteAliasResource(ctx context.Context, _ service.ResourceCall, p *aliasProperties) error {
	return unless(l.do(ctx, "DeleteAlias", &api.DeleteAliasInput{FunctionName: p.FunctionName, Name: p.Name}), "ResourceNotFoundException")
}
