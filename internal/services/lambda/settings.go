package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"runtime"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// settings are the configuration members of an input; what is absent is left as it is. An update leaves out the log, whose rules depend on what
// is configured already.
type settings struct {
	operation             string
	runtime               string
	role, handler         *string
	description           *string
	timeout, memory       *int32
	tmp                   *api.EphemeralStorage
	env                   *api.Environment
	log                   *api.LoggingConfig
	architectures         []string
	requireRuntimeHandler bool
}

func createSettings(in *api.CreateFunctionInput) settings {
	return settings{
		operation: "CreateFunction", runtime: in.Runtime, role: &in.Role, handler: in.Handler, description: in.Description, timeout: in.Timeout,
		memory: in.MemorySize, tmp: in.EphemeralStorage, env: in.Environment, log: in.LoggingConfig, architectures: in.Architectures, requireRuntimeHandler: true,
	}
}

func updateSettings(in *api.UpdateFunctionConfigurationInput) settings {
	return settings{
		operation: "UpdateFunctionConfiguration", runtime: in.Runtime, role: in.Role, handler: in.Handler, description: in.Description, timeout: in.Timeout,
		memory: in.MemorySize, tmp: in.EphemeralStorage, env: in.Environment,
	}
}

// refused is a parameter that this version does not honour, if it is set.
type refused struct {
	name string
	set  bool
}

func refuse(operation string, list []refused) error {
	for _, p := range list {
		if p.set {
			return unsupported(operation, p.name)
		}
	}
	return nil
}

func refuseCreate(in *api.CreateFunctionInput) error {
	return refuse("CreateFunction", append(refuseShared(in.VpcConfig, in.DeadLetterConfig, in.KMSKeyArn, in.TracingConfig, in.Layers, in.FileSystemConfigs, in.ImageConfig, in.SnapStart, in.DurableConfig, in.CapacityProviderConfig),
		refused{"PackageType " + in.PackageType, in.PackageType != "" && in.PackageType != "Zip"},
		refused{"CodeSigningConfigArn", in.CodeSigningConfigArn != nil},
		refused{"TenancyConfig", in.TenancyConfig != nil},
		refused{"PublishTo", in.PublishTo != ""},
		refused{"Code.ImageUri", in.Code != nil && in.Code.ImageUri != nil},
		refused{"Code.SourceKMSKeyArn", in.Code != nil && in.Code.SourceKMSKeyArn != nil}))
}

func refuseUpdate(in *api.UpdateFunctionConfigurationInput) error {
	return refuse("UpdateFunctionConfiguration", refuseShared(in.VpcConfig, in.DeadLetterConfig, in.KMSKeyArn, in.TracingConfig, in.Layers, in.FileSystemConfigs, in.ImageConfig, in.SnapStart, in.DurableConfig, in.CapacityProviderConfig))
}

// refuseShared lists what neither operation supports. Values that mean "none" are accepted.
func refuseShared(vpc *api.VpcConfig, dlq *api.DeadLetterConfig, kms *string, tracing *api.TracingConfig, layers []string, files []api.FileSystemConfig,
	image *api.ImageConfig, snap *api.SnapStart, durable *api.DurableConfig, capacity *api.CapacityProviderConfig,
) []refused {
	return []refused{
		{"VpcConfig", vpc != nil && (len(vpc.SubnetIds) > 0 || len(vpc.SecurityGroupIds) > 0)},
		{"DeadLetterConfig", dlq != nil && orZero(dlq.TargetArn) != ""},
		{"KMSKeyArn", orZero(kms) != ""},
		{"TracingConfig.Mode Active", tracing != nil && tracing.Mode == "Active"},
		{"Layers", len(layers) > 0},
		{"FileSystemConfigs", len(files) > 0},
		{"ImageConfig", image != nil},
		{"SnapStart.ApplyOn PublishedVersions", snap != nil && snap.ApplyOn != "" && snap.ApplyOn != "None"},
		{"DurableConfig", durable != nil},
		{"CapacityProviderConfig", capacity != nil},
	}
}

var validRole = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$`)

// configure checks the settings and writes them into v.
func (l *Lambda) configure(ctx context.Context, r ref, v *version, s settings) error {
	if s.requireRuntimeHandler && (s.runtime == "" || orZero(s.handler) == "") {
		return invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	if s.runtime != "" {
		if err := l.checkRuntime(ctx, s.runtime); err != nil {
			return err
		}
		v.Runtime = s.runtime
	}
	if s.role != nil {
		if err := l.checkRole(ctx, *s.role); err != nil {
			return err
		}
		v.Role = *s.role
	}
	if s.handler != nil {
		v.Handler = *s.handler
	}
	if s.description != nil {
		v.Description = *s.description
	}
	if err := setNumber(&v.Timeout, s.timeout, 1, 900, "timeout"); err != nil {
		return err
	}
	if err := setNumber(&v.Memory, s.memory, 128, 10240, "memorySize"); err != nil {
		return err
	}
	if s.tmp != nil {
		if err := setNumber(&v.Tmp, &s.tmp.Size, 512, 10240, "ephemeralStorage.size"); err != nil {
			return err
		}
	}
	if len(s.architectures) > 0 {
		if s.architectures[0] != hostArchitecture() {
			return invalid("This machine runs %s code; %s cannot be run here. Build the function for %[1]s and set Architectures to it.", hostArchitecture(), s.architectures[0])
		}
		v.Architecture = s.architectures[0]
	}
	if s.env != nil {
		if err := checkEnvironment(s.env.Variables); err != nil {
			return err
		}
		if v.Env = s.env.Variables; v.Env == nil {
			v.Env = map[string]string{}
		}
	}
	return configureLog(r, v, s.log)
}

// hostArchitecture is the architecture of this machine in Lambda's words.
func hostArchitecture() string {
	if runtime.GOARCH == "arm64" {
		return api.ArchitectureArm64
	}
	return api.ArchitectureX8664
}

func setNumber(field, value *int32, least, most int32, name string) error {
	switch {
	case value == nil:
		return nil
	case *value < least:
		return validation("Value '%d' at '%s' failed to satisfy constraint: Member must have value greater than or equal to %d", *value, name, least)
	case *value > most:
		return validation("Value '%d' at '%s' failed to satisfy constraint: Member must have value less than or equal to %d", *value, name, most)
	}
	*field = *value
	return nil
}

// checkRuntime fails for a runtime that does not exist, or that this machine cannot run.
func (l *Lambda) checkRuntime(ctx context.Context, id string) error {
	_, err := l.o.Runtimes.Lookup(ctx, id)
	var unknown *runtimes.UnknownError
	var unsupportedRuntime *runtimes.UnsupportedError
	var missing *runtimes.MissingError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unknown):
		return invalid("Value %s at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [%s] or be a valid ARN", id, strings.Join(runtimes.Identifiers(), ", "))
	case errors.As(err, &unsupportedRuntime), errors.As(err, &missing):
		return invalid("%v", err)
	}
	return err
}

// checkRole makes sure that the caller may hand the role to Lambda, and that Lambda may assume it.
func (l *Lambda) checkRole(ctx context.Context, role string) error {
	if !validRole.MatchString(role) {
		return validation("Value '%s' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+", role)
	}
	if l.o.Roles == nil {
		return nil
	}
	return l.o.Roles.CheckPassRole(ctx, role, servicePrincipal)
}

// servicePrincipal is who Lambda is when it calls other services.
const servicePrincipal = "lambda.amazonaws.com"

// reservedVariables are set by Lambda and cannot be set by a function's configuration,
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime.
func reservedVariables() []string {
	return []string{
		"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
		"AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
	}
}

var validVariable = regexp.MustCompile(`^[a-zA-Z]([a-zA-Z0-9_])+$`)

const maxEnvironment = 4096 // bytes, https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html

func checkEnvironment(vars map[string]string) error {
	var taken []string
	for name, value := range vars {
		if slices.Contains(reservedVariables(), name) {
			taken = append(taken, name)
		} else if !validVariable.MatchString(name) {
			return validation("Value '{%s=...}' at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]", name)
		}
		if strings.IndexByte(value, 0) >= 0 {
			return invalid("The value of the environment variable %s contains a NUL character.", name)
		}
	}
	if taken != nil {
		slices.Sort(taken)
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", strings.Join(taken, ", "))
	}
	measured, err := json.Marshal(vars)
	if err != nil {
		return err
	}
	if len(vars) > 0 && len(measured) > maxEnvironment {
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: %s", measured)
	}
	return nil
}

// configureLog sets where the log goes. The levels are for the JSON format only.
func configureLog(r ref, v *version, in *api.LoggingConfig) error {
	if in == nil {
		return nil
	}
	c := v.Log
	if in.LogFormat != "" {
		c.Format = in.LogFormat
	}
	if in.LogGroup != nil {
		if c.Group = *in.LogGroup; c.Group == "" {
			c.Group = "/aws/lambda/" + r.name
		}
	}
	if in.ApplicationLogLevel != "" {
		c.ApplicationLevel = in.ApplicationLogLevel
	}
	if in.SystemLogLevel != "" {
		c.SystemLevel = in.SystemLogLevel
	}
	if c.Format != logJSON {
		if in.ApplicationLogLevel != "" || in.SystemLogLevel != "" {
			return invalid("To change log levels, set LogFormat to JSON.")
		}
		c.ApplicationLevel, c.SystemLevel = "", ""
	} else {
		if c.ApplicationLevel == "" {
			c.ApplicationLevel = "INFO"
		}
		if c.SystemLevel == "" {
			c.SystemLevel = "INFO"
		}
	}
	v.Log = c
	return nil
}

func (l *Lambda) updateFunctionConfiguration(ctx context.Context, in *api.UpdateFunctionConfigurationInput) (*api.UpdateFunctionConfigurationOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := refuseUpdate(in); err != nil {
		return nil, err
	}
	// The checks may call other services, so they run before the transaction, on a copy; inside it only values are set.
	var checked version
	if err := l.configure(ctx, r, &checked, updateSettings(in)); err != nil {
		return nil, err
	}
	v, err := l.changeLatest(ctx, r, in.RevisionId, func(_ store.Txn, f *function) error {
		merge(&f.Latest, &checked, in)
		return configureLog(r, &f.Latest, in.LoggingConfig)
	})
	if err != nil {
		return nil, err
	}
	return updating(v.configuration(r)), nil
}

// merge sets in v what the input has, as configure has checked it.
func merge(v, checked *version, in *api.UpdateFunctionConfigurationInput) {
	if in.Runtime != "" {
		v.Runtime = checked.Runtime
	}
	for _, m := range []struct {
		given *string
		to    *string
	}{{in.Role, &v.Role}, {in.Handler, &v.Handler}, {in.Description, &v.Description}} {
		if m.given != nil {
			*m.to = *m.given
		}
	}
	if in.Timeout != nil {
		v.Timeout = *in.Timeout
	}
	if in.MemorySize != nil {
		v.Memory = *in.MemorySize
	}
	if in.EphemeralStorage != nil {
		v.Tmp = in.EphemeralStorage.Size
	}
	if in.Environment != nil {
		v.Env = checked.Env
	}
}

// changeLatest changes a function's unpublished version in one transaction, and ends the idle environments of the old one.
func (l *Lambda) changeLatest(ctx context.Context, r ref, revision *string, change func(tx store.Txn, f *function) error) (version, error) {
	id, err := l.newID()
	if err != nil {
		return version{}, err
	}
	var v version
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		f, err := loadFunction(tx, r)
		if err != nil {
			return err
		}
		if err := checkRevision(revision, f.Latest.Revision); err != nil {
			return err
		}
		if err := change(tx, &f); err != nil {
			return err
		}
		f.Latest.Revision, f.Latest.Modified = id, l.deps.Clock.Now().UTC()
		v = f.Latest
		return record.Set(tx, r.scope.function(r.name), f)
	})
	if err != nil {
		return v, unavailable(err)
	}
	l.pools.retire(r, v.Revision)
	return v, nil
}
