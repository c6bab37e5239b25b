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
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxMemory is the most memory that a function has that runs on demand, in MB.
const maxMemory = 10240

// settings are the configuration members of an input; what is absent is left as it is.
type settings struct {
	runtime         string
	role, handler   *string
	description     *string
	timeout, memory *int32
	tmp             *api.EphemeralStorage
	env             *api.Environment
	log             *api.LoggingConfig
	layers          []string
	vpc             *api.VpcConfig
	deadLetter      *api.DeadLetterConfig
	tracing         *api.TracingConfig
	image           *api.ImageConfig
	snap            *api.SnapStart
	capacity        *api.CapacityProviderConfig
	durable         *api.DurableConfig // of an update
}

func createSettings(in *api.CreateFunctionInput) settings {
	return settings{
		runtime: in.Runtime, role: &in.Role, handler: in.Handler, description: in.Description, timeout: in.Timeout, memory: in.MemorySize, tmp: in.EphemeralStorage,
		env: in.Environment, log: in.LoggingConfig, layers: in.Layers, vpc: in.VpcConfig, deadLetter: in.DeadLetterConfig, tracing: in.TracingConfig, image: in.ImageConfig, snap: in.SnapStart, capacity: in.CapacityProviderConfig,
	}
}

func updateSettings(in *api.UpdateFunctionConfigurationInput) settings {
	return settings{
		runtime: in.Runtime, role: in.Role, handler: in.Handler, description: in.Description, timeout: in.Timeout, memory: in.MemorySize, tmp: in.EphemeralStorage,
		env: in.Environment, log: in.LoggingConfig, layers: in.Layers, vpc: in.VpcConfig, deadLetter: in.DeadLetterConfig, tracing: in.TracingConfig, image: in.ImageConfig, snap: in.SnapStart, capacity: in.CapacityProviderConfig, durable: in.DurableConfig,
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
	return refuse("CreateFunction", append(refuseShared(in.KMSKeyArn, in.FileSystemConfigs),
		refused{"Code.SourceKMSKeyArn", in.Code != nil && in.Code.SourceKMSKeyArn != nil}))
}

func refuseUpdate(in *api.UpdateFunctionConfigurationInput) error {
	return refuse("UpdateFunctionConfiguration", refuseShared(in.KMSKeyArn, in.FileSystemConfigs))
}

// refuseShared lists what neither operation supports. Values that mean "none" are accepted.
func refuseShared(kms *string, files []api.FileSystemConfig) []refused {
	return []refused{
		{"KMSKeyArn", orZero(kms) != ""},
		{"FileSystemConfigs", len(files) > 0},
	}
}

// change checks the settings, asking other services where that is needed, and returns what sets them in a version. The function that it
// returns checks what depends on the rest of the version; it may run several times.
func (l *Lambda) change(ctx context.Context, r ref, s settings) (func(v *version) error, error) {
	if s.runtime != "" {
		if err := l.checkRuntime(ctx, s.runtime); err != nil {
			return nil, err
		}
	}
	if s.role != nil {
		if err := l.checkRole(ctx, *s.role); err != nil {
			return nil, err
		}
	}
	if s.env != nil {
		if err := checkEnvironment(s.env.Variables); err != nil {
			return nil, err
		}
	}
	attached, err := l.findVPC(ctx, s.vpc)
	if err != nil {
		return nil, err
	}
	if err := checkDeadLetter(s.deadLetter); err != nil {
		return nil, err
	}
	layers, err := l.findLayers(ctx, r, s.layers)
	if err != nil {
		return nil, err
	}
	capacity, err := l.takeCapacity(ctx, s.capacity)
	if err != nil {
		return nil, err
	}
	return func(v *version) error {
		if v.Image != nil && (s.runtime != "" || s.handler != nil || len(s.layers) > 0) {
			return invalid(notForImages)
		}
		s.values(v)
		if s.vpc != nil {
			v.VPC = attached
		}
		if s.layers != nil {
			v.Layers = layers
		}
		if s.image != nil {
			if v.Image == nil {
				return invalid("ImageConfig is only supported for functions with packageType Image.")
			}
			v.Image.configure(s.image)
		}
		if capacity != nil {
			if err := v.manage(capacity, &s); err != nil {
				return err
			}
		}
		if err := v.changeDurable(s.durable); err != nil {
			return err
		}
		if err := configureLog(v, s.log); err != nil {
			return err
		}
		for _, check := range []func() error{v.checkSize, v.checkSnapStart, v.checkManaged, v.checkTenancy} {
			if err := check(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// values sets what is a plain value, which the API's model has checked.
func (s *settings) values(v *version) {
	if s.runtime != "" {
		v.Runtime = s.runtime
	}
	for _, m := range []struct{ given, to *string }{
		{s.role, &v.Role}, {s.handler, &v.Handler}, {s.description, &v.Description},
	} {
		if m.given != nil {
			*m.to = *m.given
		}
	}
	for _, m := range []struct{ given, to *int32 }{{s.timeout, &v.Timeout}, {s.memory, &v.Memory}} {
		if m.given != nil {
			*m.to = *m.given
		}
	}
	if s.tmp != nil {
		v.Tmp = s.tmp.Size
	}
	if s.env != nil {
		if v.Env = s.env.Variables; v.Env == nil {
			v.Env = map[string]string{}
		}
	}
	if s.deadLetter != nil {
		v.DeadLetter = orZero(s.deadLetter.TargetArn)
	}
	if s.snap != nil && s.snap.ApplyOn != "" {
		v.SnapStart = s.snap.ApplyOn == api.SnapStartApplyOnPublishedVersions
	}
	if s.tracing != nil {
		v.Traced = s.tracing.Mode == api.TracingModeActive
	}
}

// hostArchitecture is the architecture of this machine in Lambda's words.
func hostArchitecture() string {
	if runtime.GOARCH == "arm64" {
		return api.ArchitectureArm64
	}
	return api.ArchitectureX8664
}

// portable tells whether the code of a runtime runs on any instruction set: it is interpreted, or compiled when it runs. A native library in such a package may still
// be for another one; the language says so when it loads it.
func portable(runtime string) bool {
	return slices.ContainsFunc([]string{"python", "nodejs", "ruby", "java", "dotnet"}, func(language string) bool { return strings.HasPrefix(runtime, language) })
}

// setArchitecture sets the instruction set of the code, which must be this machine's unless the code is portable.
func (v *version) setArchitecture(list []string, portable bool) error {
	if len(list) == 0 {
		return nil
	}
	if list[0] != hostArchitecture() && !portable {
		return invalid("This machine runs %s code; %s cannot be run here. Build the function for %[1]s and set Architectures to it.", hostArchitecture(), list[0])
	}
	v.Architecture = list[0]
	return nil
}

// setNumber sets a number within its bounds.
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
	var missing *runtimes.MissingError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unknown):
		if retired(id) {
			return withdrawn(id)
		}
		return invalid("Value %s at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [%s] or be a valid ARN", id, strings.Join(runtimes.Identifiers(), ", "))
	case errors.As(err, &missing) && missing.Withdrawn:
		return withdrawn(id)
	case errors.As(err, &missing):
		return invalid("%v", err)
	}
	return err
}

// withdrawn says in AWS's words that there are no new functions with a runtime.
func withdrawn(id string) error {
	return invalid("The runtime parameter of %s is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions.", id)
}

// retired tells whether a runtime that is unknown here was one of Lambda's: the API's model still names it.
func retired(id string) bool {
	schema, err := api.API.Schema()
	if err != nil {
		return false
	}
	s := schema.Shapes["Runtime"]
	return s != nil && slices.Contains(s.Enum, id)
}

// checkRole makes sure that the caller may hand the role to Lambda, and that Lambda may assume it.
func (l *Lambda) checkRole(ctx context.Context, role string) error {
	if l.o.Roles == nil {
		return nil
	}
	return l.o.Roles.CheckPassRole(ctx, role, servicePrincipal)
}

// servicePrincipal is who Lambda is when it calls other services.
const servicePrincipal = "lambda.amazonaws.com"

// vpc is where a function is attached, as it was given. There is no such network on this machine: a function's way to the platform and to the
// internet is the same with it and without it.
type vpc struct {
	ID             string
	Subnets        []string
	SecurityGroups []string
	IPv6           bool `json:",omitempty"`
}

// findVPC checks a VPC configuration, and returns the record of it: of one without subnets for a function that is in no network.
func (l *Lambda) findVPC(ctx context.Context, in *api.VpcConfig) (*vpc, error) {
	if in == nil {
		return nil, nil
	}
	if (len(in.SubnetIds) == 0) != (len(in.SecurityGroupIds) == 0) {
		return nil, invalid("SubnetIds and SecurityIds must coexist or be both empty list.")
	}
	for _, err := range []error{checkIDs("subnetIds", "subnet-[0-9a-z]*", in.SubnetIds), checkIDs("securityGroupIds", "sg-[0-9a-zA-Z]*", in.SecurityGroupIds)} {
		if err != nil {
			return nil, err
		}
	}
	v := &vpc{Subnets: in.SubnetIds, SecurityGroups: in.SecurityGroupIds, IPv6: orZero(in.Ipv6AllowedForDualStack)}
	if len(in.SubnetIds) == 0 {
		return v, nil
	}
	if l.o.Networks == nil {
		return nil, invalid("There are no networks here that a function can be in.")
	}
	var err error
	if v.ID, err = l.o.Networks.Find(ctx, in.SubnetIds, in.SecurityGroupIds); err != nil {
		return nil, networkError(err)
	}
	return v, nil
}

// checkIDs checks ids of a VPC configuration, as the API's own model does.
func checkIDs(member, form string, ids []string) error {
	for _, id := range ids {
		if len(id) > 1024 || !regexp.MustCompile("^"+form+"$").MatchString(id) {
			return validation("Value '[%s]' at 'vpcConfig.%s' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 1024, "+
				"Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: %s]", strings.Join(ids, ", "), member, form)
		}
	}
	return nil
}

// networkError is what Lambda makes of an error of EC2.
func networkError(err error) error {
	var e *service.Error
	if !errors.As(err, &e) {
		return err
	}
	operation := "DescribeSubnets"
	if strings.HasPrefix(e.Code, "InvalidGroup") {
		operation = "DescribeSecurityGroups"
	}
	return invalid("Error occurred while %s. EC2 Error Code: %s. EC2 Error Message: %s", operation, e.Code, e.Message)
}

// hexOf is a UUID without its hyphens.
func hexOf(id string) string { return strings.ReplaceAll(id, "-", "") }

func (v *vpc) response() *api.VpcConfigResponse {
	return &api.VpcConfigResponse{
		VpcId: ptr(v.ID), SubnetIds: append([]string{}, v.Subnets...), SecurityGroupIds: append([]string{}, v.SecurityGroups...), Ipv6AllowedForDualStack: ptr(v.IPv6),
	}
}

var validDeadLetter = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:(sqs|sns):[a-z0-9-]+:\d{12}:[a-zA-Z0-9-_.]+$`)

func checkDeadLetter(in *api.DeadLetterConfig) error {
	if in == nil || orZero(in.TargetArn) == "" || validDeadLetter.MatchString(*in.TargetArn) {
		return nil
	}
	return invalid("The provided target ARN %s is not a queue of SQS or a topic of SNS. Give the ARN of one of these.", *in.TargetArn)
}

// reservedVariables are set by Lambda and cannot be set by a function's configuration,
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime.
func reservedVariables() []string {
	return []string{
		"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
		"AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
	}
}

const maxEnvironment = 4096 // bytes, https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html

func checkEnvironment(vars map[string]string) error {
	var taken []string
	for name, value := range vars {
		if slices.Contains(reservedVariables(), name) {
			taken = append(taken, name)
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

// defaultLogGroup is where a function's log goes unless it says otherwise.
func defaultLogGroup(name string) string { return "/aws/lambda/" + name }

// configureLog sets where the log goes. The levels are for the JSON format only.
func configureLog(v *version, in *api.LoggingConfig) error {
	if in == nil {
		return nil
	}
	c := v.Log
	if in.LogFormat != "" {
		c.Format = in.LogFormat
	}
	if in.LogGroup != nil {
		c.Group = *in.LogGroup
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
	// The checks may call other services, so they run before the transaction; inside of it only values are set.
	change, err := l.change(ctx, r, updateSettings(in))
	if err != nil {
		return nil, err
	}
	v, unused, err := l.changeLatest(ctx, r, in.RevisionId, func(_ store.Txn, f *function) error { return change(&f.Latest) })
	if err != nil {
		return nil, err
	}
	l.dropBlobs(ctx, unused...)
	return updating(v.configuration(r)), nil
}

// changeLatest changes a function's unpublished version in one transaction, and ends the idle environments of the old one. It returns the new
// one, and the zip files that nothing uses any more.
func (l *Lambda) changeLatest(ctx context.Context, r ref, revision *string, change func(tx store.Txn, f *function) error) (v version, unused unusedBlobs, err error) {
	id, err := l.newID()
	if err != nil {
		return v, nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		unused = nil
		f, err := loadFunction(tx, r)
		if err != nil {
			return err
		}
		if err := errors.Join(f.changeable(r), checkRevision(revision, f.Latest.revision())); err != nil {
			return err
		}
		f.Latest.Update = nil
		// What both have is released and kept again.
		if err := f.Latest.releaseAll(tx, r, &unused); err != nil {
			return err
		}
		f.Latest.Revision, f.Latest.OuterRevision, f.Latest.Modified = id, "", l.deps.Clock.Now().UTC()
		if err := change(tx, &f); err != nil {
			return err
		}
		f.Latest.keepAll(tx, r)
		unused = f.Latest.without(unused)
		v = f.Latest
		return record.Set(tx, r.scope.function(r.name), f)
	})
	if err != nil {
		return v, nil, unavailable(err)
	}
	l.pools.retire(r, v.Revision)
	return v, unused, nil
}
