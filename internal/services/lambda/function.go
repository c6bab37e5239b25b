package lambda

import (
	"context"
	"errors"
	"net/http"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/lambda/durable"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// function is the record of a function.
type function struct {
	Name     string
	Latest   version
	Versions uint64            // the number of the version that was published last
	Reserved *int32            `json:",omitempty"`
	Tags     map[string]string `json:",omitempty"`
	// SigningConfig is the ARN of the function's code signing configuration.
	SigningConfig string `json:",omitempty"`
	// Recursion is what is done with the function's recursive loops: api.RecursiveLoopAllow, or empty, which ends them.
	Recursion string `json:",omitempty"`
	// Next is the unpublished version that an update has made, while its image is being taken. Latest is used until then.
	Next *version `json:",omitempty"`
}

// version is the code and the configuration that an invocation runs with.
type version struct {
	// Number is latest, latestPublished or a decimal.
	Number string
	// Revision is new with every change; execution environments belong to one. OuterRevision is that of what was changed after it and does not
	// concern them: a policy, tags, the publication of a version.
	Revision      string
	OuterRevision string `json:",omitempty"`
	Modified      time.Time

	Runtime, Handler, Role, Description string
	Architecture                        string
	Timeout, Memory, Tmp                int32             // seconds, MB, MB
	Env                                 map[string]string // nil where none was ever set
	Log                                 logConfig
	Layers                              []layerUse `json:",omitempty"` // in the order in which they are laid over each other
	VPC                                 *vpc       `json:",omitempty"`
	DeadLetter                          string     `json:",omitempty"` // the ARN of a queue or topic
	Traced                              bool       `json:",omitempty"` // every invocation is sampled
	SnapStart                           bool       `json:",omitempty"` // the environments of published versions are restored from snapshots
	// Capacity is set where the environments of published versions run on a capacity provider, and take several invocations at a time.
	Capacity *capacityUse `json:",omitempty"`
	// State is that of a version that is not active; nil for an active one.
	State *versionState `json:",omitempty"`
	// Update is how far the last update is, where it takes time, or has failed; nil for one that is done.
	Update *versionState `json:",omitempty"`
	// Tenants tells that every environment serves one tenant alone.
	Tenants bool `json:",omitempty"`
	// Durable is the configuration of a durable function.
	Durable *durable.Config `json:",omitempty"`

	Code archive
	// Image is the container image of a version whose code is not in a zip file.
	Image *image `json:",omitempty"`
}

// logConfig is where and how a function's log is written.
type logConfig struct {
	Format, Group                 string
	ApplicationLevel, SystemLevel string `json:",omitempty"`
}

// The formats of a log.
const (
	logText = "Text"
	logJSON = "JSON"
)

// lastModified is the layout in which Lambda shows times, in UTC.
const lastModified = "2006-01-02T15:04:05.000-0700"

// configuration is what the API shows of a version.
func (v *version) configuration(r ref) *api.FunctionConfiguration {
	c := &api.FunctionConfiguration{
		FunctionName: ptr(r.name), FunctionArn: ptr(r.arn()), Version: ptr(v.Number), RevisionId: ptr(v.revision()), Role: ptr(v.Role), Description: ptr(v.Description),
		Timeout: ptr(v.Timeout), MemorySize: ptr(v.Memory), EphemeralStorage: &api.EphemeralStorage{Size: v.Tmp},
		CodeSha256: ptr(v.Code.Hash), CodeSize: ptr(v.Code.Size), LastModified: ptr(v.Modified.UTC().Format(lastModified)),
		PackageType: api.PackageTypeZip, Architectures: []string{v.Architecture},
		TracingConfig: &api.TracingConfigResponse{Mode: v.tracing()},
		SnapStart:     v.snapStart(),
		LoggingConfig: &api.LoggingConfig{
			LogFormat: v.Log.Format, LogGroup: ptr(v.Log.Group), ApplicationLogLevel: v.Log.ApplicationLevel, SystemLogLevel: v.Log.SystemLevel,
		},
		CapacityProviderConfig: v.Capacity.shown(), TenancyConfig: v.tenancy(),
		State: v.state(), LastUpdateStatus: api.LastUpdateStatusSuccessful,
	}
	if v.Image != nil {
		c.PackageType, c.ImageConfigResponse = api.PackageTypeImage, v.Image.response()
	} else {
		c.Runtime, c.Handler = v.Runtime, ptr(v.Handler)
		c.RuntimeVersionConfig = &api.RuntimeVersionConfig{RuntimeVersionArn: ptr(runtimeVersion(r.scope, v.Runtime))}
	}
	if v.Env != nil {
		c.Environment = &api.EnvironmentResponse{Variables: v.Env}
	}
	for i := range v.Layers {
		c.Layers = append(c.Layers, api.Layer{Arn: ptr(v.Layers[i].ARN), CodeSize: ptr(v.Layers[i].Content.Size)})
	}
	if v.VPC != nil {
		c.VpcConfig = v.VPC.response()
	}
	c.DurableConfig = v.durableConfig()
	if v.DeadLetter != "" {
		c.DeadLetterConfig = &api.DeadLetterConfig{TargetArn: ptr(v.DeadLetter)}
	}
	if u := v.Update; u != nil {
		c.LastUpdateStatus, c.LastUpdateStatusReason, c.LastUpdateStatusReasonCode = u.State, &u.Reason, u.Code
	}
	v.State.show(c)
	return c
}

// revision is what the API shows.
func (v *version) revision() string {
	if v.OuterRevision != "" {
		return v.OuterRevision
	}
	return v.Revision
}

func (v *version) tracing() string {
	if v.Traced {
		return api.TracingModeActive
	}
	return api.TracingModePassThrough
}

// created is what CreateFunction answers: on AWS the function is still being prepared, and clients wait for what they see next.
func created(c *api.FunctionConfiguration) *api.FunctionConfiguration {
	c.State, c.StateReason, c.StateReasonCode = api.StatePending, ptr("The function is being created."), "Creating"
	c.LastUpdateStatus = ""
	c.RevisionId = ptr(passing(*c.RevisionId))
	return c
}

// updating is what the update operations answer.
func updating(c *api.FunctionConfiguration) *api.FunctionConfiguration {
	c.LastUpdateStatus, c.LastUpdateStatusReason, c.LastUpdateStatusReasonCode = api.LastUpdateStatusInProgress, ptr("The function is being created."), "Creating"
	c.RevisionId = ptr(passing(*c.RevisionId))
	return c
}

// passing is the revision id of a version that is still being prepared; as on AWS, it is another one than that of the finished version.
func passing(revision string) string { return uuid.Of("passing", revision) }

// newID returns a random UUID.
func (l *Lambda) newID() (string, error) { return uuid.New(l.deps.Random) }

// touch gives a version a new revision.
func (l *Lambda) touch(v *version) error {
	id, err := l.newID()
	v.Revision, v.Modified = id, l.deps.Clock.Now().UTC().Truncate(time.Millisecond)
	return err
}

func (l *Lambda) createFunction(ctx context.Context, in *api.CreateFunctionInput) (*api.CreateFunctionOutput, error) {
	r, err := newName(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	f, err := l.newFunction(ctx, r, in)
	if err != nil {
		return nil, err
	}
	shown := f.Latest
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if exists, err := record.Has(tx, r.scope.function(r.name)); err != nil || exists {
			return orConflict(err, r)
		}
		shown = f.Latest
		saved := f
		if l.imageMissing(&saved.Latest) {
			saved.Latest.State = pending()
			if err := orderImage(tx, r, &saved.Latest); err != nil {
				return err
			}
		}
		if orZero(in.Publish) || in.PublishTo != "" {
			published, err := l.publish(ctx, tx, r, &saved, "", in.PublishTo)
			if err != nil {
				return err
			}
			shown = published
		}
		saved.Latest.keepAll(tx, r)
		return record.Set(tx, r.scope.function(r.name), saved)
	})
	if err != nil {
		l.dropBlobs(ctx, f.Latest.Code.Blob)
		return nil, unavailable(err)
	}
	return created(shown.configuration(r)), nil
}

// newFunction is the record of a function that is about to be made. Its code is in the blob store then.
func (l *Lambda) newFunction(ctx context.Context, r ref, in *api.CreateFunctionInput) (f function, err error) {
	if err := refuseCreate(in); err != nil {
		return f, err
	}
	v := version{
		Number: latest, Timeout: 3, Memory: 128, Tmp: 512, Architecture: hostArchitecture(), Log: logConfig{Format: logText, Group: defaultLogGroup(r.name)},
	}
	src := codeSource{operation: "CreateFunction", zip: in.Code.ZipFile, bucket: in.Code.S3Bucket, key: in.Code.S3Key, version: in.Code.S3ObjectVersion, image: in.Code.ImageUri}
	if err := checkPackage(in); err != nil {
		return f, err
	}
	if err := v.setArchitecture(in.Architectures, portable(in.Runtime)); err != nil {
		return f, err
	}
	if v.Durable, err = durableConfig(in.DurableConfig); err != nil {
		return f, err
	}
	v.Tenants = in.TenancyConfig != nil && in.TenancyConfig.TenantIsolationMode == api.TenantIsolationModePerTenant
	if err := checkTags(in.Tags); err != nil {
		return f, err
	}
	change, err := l.change(ctx, r, createSettings(in))
	if err != nil {
		return f, err
	}
	if err := l.checkNew(ctx, r, in); err != nil {
		return f, err
	}
	if err := l.takeCode(ctx, &v, src); err != nil {
		return f, err
	}
	if err := change(&v); err != nil {
		l.dropBlobs(ctx, v.Code.Blob)
		return f, err
	}
	if err := l.touch(&v); err != nil {
		return f, err
	}
	return function{Name: r.name, Latest: v, Tags: in.Tags, SigningConfig: orZero(in.CodeSigningConfigArn)}, nil
}

// notForImages refuses what container images say themselves.
const notForImages = "Please don't provide Handler or Runtime or Layer when the intent is to create a function with packageType Image."

// checkPackage checks that the members of an input fit the kind of its package.
func checkPackage(in *api.CreateFunctionInput) error {
	image := in.PackageType == api.PackageTypeImage
	switch {
	case image && in.Code.ImageUri == nil:
		return invalid("Please provide ImageUri when creating a function with packageType Image.")
	case image && (in.Runtime != "" || in.Handler != nil || len(in.Layers) > 0):
		return invalid(notForImages)
	case !image && in.Code.ImageUri != nil:
		return invalid("Please don't provide ImageUri when creating a function with packageType Zip.")
	case !image && in.ImageConfig != nil:
		return invalid("ImageConfig is only supported for functions with packageType Image.")
	case !image && (in.Runtime == "" || orZero(in.Handler) == ""):
		return invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	return nil
}

// checkNew makes sure that the name is free, and that the code signing configuration lets unsigned code in.
func (l *Lambda) checkNew(ctx context.Context, r ref, in *api.CreateFunctionInput) error {
	return l.deps.Store.View(ctx, func(rd store.Reader) error {
		if exists, err := record.Has(rd, r.scope.function(r.name)); err != nil || exists {
			return orConflict(err, r)
		}
		return l.checkSignature(ctx, rd, r, orZero(in.CodeSigningConfigArn))
	})
}

func orConflict(err error, r ref) error {
	if err != nil {
		return err
	}
	return conflict("Function already exist: %s", r.name)
}

// loadFunction returns the record of a function.
func loadFunction(rd store.Reader, r ref) (function, error) {
	f, ok, err := record.Get[function](rd, r.scope.function(r.name))
	if err == nil && !ok {
		err = functionNotFound(r)
	}
	return f, err
}

// resolve returns a function and the version that the qualifier of r names, directly or by an alias.
func resolve(rd store.Reader, r ref) (function, version, error) {
	f, err := loadFunction(rd, r)
	if err != nil {
		return f, version{}, err
	}
	q := r.qualifier
	if isAlias(q) {
		a, ok, err := record.Get[alias](rd, r.scope.alias(r.name, q))
		if err != nil || !ok {
			return f, version{}, orNotFound(err, r)
		}
		q = a.Version
	}
	if q == "" || q == latest {
		return f, f.Latest, nil
	}
	v, ok, err := record.Get[version](rd, r.scope.version(r.name, q))
	if err != nil || !ok {
		return f, v, orNotFound(err, r)
	}
	return f, v, nil
}

func orNotFound(err error, r ref) error {
	if err != nil {
		return err
	}
	return functionNotFound(r)
}

func (l *Lambda) find(ctx context.Context, name string, qualifier *string) (r ref, f function, v version, err error) {
	if r, err = parseRef(ctx, name, qualifier); err != nil {
		return r, f, v, err
	}
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		f, v, err = resolve(rd, r)
		if err == nil && v.Number == latest {
			v = *f.shown()
		}
		return err
	})
	return r, f, v, err
}

func (l *Lambda) getFunction(ctx context.Context, in *api.GetFunctionInput) (*api.GetFunctionOutput, error) {
	r, f, v, err := l.find(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	out := &api.GetFunctionOutput{Configuration: v.configuration(r)}
	if out.Code, err = l.codeLocation(ctx, &v); err != nil {
		return nil, err
	}
	if len(f.Tags) > 0 && v.Number == latest { // versions have no tags
		if out.TagsError, err = l.hidesTags(ctx, r); err != nil {
			return nil, err
		}
		if out.TagsError == nil {
			out.Tags = f.Tags
		}
	}
	if f.Reserved != nil {
		out.Concurrency = &api.Concurrency{ReservedConcurrentExecutions: f.Reserved}
	}
	return out, nil
}

// hidesTags tells why the caller is not shown a function's tags: without the right to list them, GetFunction answers without them. It is nil where they are shown.
// See https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html.
func (l *Lambda) hidesTags(ctx context.Context, r ref) (*api.TagsError, error) {
	t, err := l.target(ctx, "lambda:ListTags", r.with(""))
	if err != nil {
		return nil, err
	}
	denied := l.deps.Door.Allow(ctx, t)
	var e *service.Error
	if errors.As(denied, &e) && e.Status == http.StatusForbidden {
		return &api.TagsError{ErrorCode: e.Code, Message: e.Message}, nil
	}
	return nil, denied
}

func (l *Lambda) getFunctionConfiguration(ctx context.Context, in *api.GetFunctionConfigurationInput) (*api.GetFunctionConfigurationOutput, error) {
	r, _, v, err := l.find(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return v.configuration(r), nil
}

func (l *Lambda) deleteFunction(ctx context.Context, in *api.DeleteFunctionInput) (*api.DeleteFunctionOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if r.qualifier == latest {
		return nil, invalid("$LATEST version cannot be deleted without deleting the function.")
	}
	if r.qualifier != "" {
		return &api.DeleteFunctionOutput{StatusCode: ptr(int32(204))}, l.deleteVersion(ctx, r)
	}
	var unused unusedBlobs
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		unused = nil
		return l.removeFunction(tx, r, &unused)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	l.dropBlobs(ctx, unused...)
	l.pools.retire(r, "")
	l.imagePuller.unused()
	return &api.DeleteFunctionOutput{StatusCode: ptr(int32(204))}, nil
}

// removeFunction removes a function and everything that belongs to it.
func (l *Lambda) removeFunction(tx store.Txn, r ref, unused *unusedBlobs) error {
	f, err := loadFunction(tx, r)
	if err != nil {
		return err
	}
	if err := f.Latest.releaseAll(tx, r, unused); err != nil {
		return err
	}
	for v, err := range record.Range[version](tx, r.versions(r.name).Span()) {
		if err != nil {
			return err
		}
		if err := v.Value.releaseAll(tx, r, unused); err != nil {
			return err
		}
	}
	for u, err := range record.Range[urlConfig](tx, r.urls(r.name).Span()) {
		if err != nil {
			return err
		}
		tx.Delete(urlID(u.Value.ID))
	}
	tx.Delete(r.scope.function(r.name))
	for _, k := range []key.Key{
		r.versions(r.name), r.aliases(r.name), r.policies(r.name), r.asyncs(r.name), r.urls(r.name), r.provisions(r.name), r.runtimeSettings(r.name), r.snapStarts(r.name), r.managed(r.name), r.imageOrders(r.name),
	} {
		tx.DeleteRange(k, k.End())
	}
	return addReserved(tx, r.scope, -orZero(f.Reserved))
}
