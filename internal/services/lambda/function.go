package lambda

import (
	"context"
	"fmt"
	"io"
	"maps"
	"regexp"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// function is the record of a function.
type function struct {
	Name     string
	Latest   version
	Versions uint64            // the number of the version that was published last
	Reserved *int32            `json:",omitempty"`
	Tags     map[string]string `json:",omitempty"`
	// Recursion is what is done with the function's recursive loops: api.RecursiveLoopAllow, or empty, which ends them.
	Recursion string `json:",omitempty"`
}

// version is the code and the configuration that an invocation runs with.
type version struct {
	// Number is latest or a decimal.
	Number   string
	Revision string
	Modified time.Time

	Runtime, Handler, Role, Description string
	Architecture                        string
	Timeout, Memory, Tmp                int32
	Env                                 map[string]string `json:",omitempty"`
	Log                                 logConfig
	DeadLetter                          string `json:",omitempty"` // the ARN of a queue or topic

	CodeHash string // base64 of the zip's SHA-256
	CodeSize int64
	Blob     blob.ID
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
		FunctionName: ptr(r.name), FunctionArn: ptr(r.arn()), Version: ptr(v.Number), RevisionId: ptr(v.Revision),
		Runtime: v.Runtime, Role: ptr(v.Role), Handler: ptr(v.Handler), Description: ptr(v.Description),
		Timeout: ptr(v.Timeout), MemorySize: ptr(v.Memory), EphemeralStorage: &api.EphemeralStorage{Size: v.Tmp},
		CodeSha256: ptr(v.CodeHash), CodeSize: ptr(v.CodeSize), LastModified: ptr(v.Modified.UTC().Format(lastModified)),
		PackageType: "Zip", Architectures: []string{v.Architecture},
		TracingConfig: &api.TracingConfigResponse{Mode: "PassThrough"},
		SnapStart:     &api.SnapStartResponse{ApplyOn: "None", OptimizationStatus: "Off"},
		LoggingConfig: &api.LoggingConfig{
			LogFormat: v.Log.Format, LogGroup: ptr(v.Log.Group), ApplicationLogLevel: v.Log.ApplicationLevel, SystemLogLevel: v.Log.SystemLevel,
		},
		State: "Active", LastUpdateStatus: "Successful",
	}
	if v.Env != nil {
		c.Environment = &api.EnvironmentResponse{Variables: v.Env}
	}
	return c
}

// created is what CreateFunction answers: on AWS the function is still being prepared, and clients wait for what they see next.
func created(c *api.FunctionConfiguration) *api.FunctionConfiguration {
	c.State, c.StateReason, c.StateReasonCode = "Pending", ptr("The function is being created."), "Creating"
	c.LastUpdateStatus = ""
	return c
}

// updating is what the update operations answer.
func updating(c *api.FunctionConfiguration) *api.FunctionConfiguration {
	c.LastUpdateStatus, c.LastUpdateStatusReason, c.LastUpdateStatusReasonCode = "InProgress", ptr("The function is being created."), "Creating"
	return c
}

// newID returns a random UUID.
func (l *Lambda) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(l.deps.Random, b[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// touch gives a version a new revision.
func (l *Lambda) touch(v *version) error {
	id, err := l.newID()
	v.Revision, v.Modified = id, l.deps.Clock.Now().UTC().Truncate(time.Millisecond)
	return err
}

var validName = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,64}$`)

func (l *Lambda) createFunction(ctx context.Context, in *api.CreateFunctionInput) (*api.CreateFunctionOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if !validName.MatchString(r.name) {
		return nil, validation("Value '%s' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+", r.name)
	}
	if err := refuseCreate(in); err != nil {
		return nil, err
	}
	v := version{Number: latest, Timeout: 3, Memory: 128, Tmp: 512, Architecture: hostArchitecture(), Log: logConfig{Format: logText, Group: "/aws/lambda/" + r.name}}
	if err := l.configure(ctx, r, &v, createSettings(in)); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if exists, err := l.exists(ctx, r); err != nil || exists {
		return nil, orConflict(err, r)
	}
	if err := l.takeCode(ctx, &v, codeSource{in.Code.ZipFile, in.Code.S3Bucket, in.Code.S3Key, in.Code.S3ObjectVersion}); err != nil {
		return nil, err
	}
	if err := l.touch(&v); err != nil {
		return nil, err
	}
	f := function{Name: r.name, Latest: v, Tags: in.Tags}
	shown := v
	shownRef := r
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if exists, err := record.Has(tx, r.scope.function(r.name)); err != nil || exists {
			return orConflict(err, r)
		}
		shown, shownRef = v, r
		saved := f
		if orZero(in.Publish) {
			published, err := l.publish(tx, r, &saved, "")
			if err != nil {
				return err
			}
			shown, shownRef = published, r.with(published.Number)
		}
		tx.Set(blobRef(string(v.Blob)), nil)
		return record.Set(tx, r.scope.function(r.name), saved)
	})
	if err != nil {
		l.dropBlob(ctx, v.Blob)
		return nil, unavailable(err)
	}
	return created(shown.configuration(shownRef)), nil
}

func orConflict(err error, r ref) error {
	if err != nil {
		return err
	}
	return conflict("Function already exist: %s", r.name)
}

func (l *Lambda) exists(ctx context.Context, r ref) (ok bool, err error) {
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		ok, err = record.Has(rd, r.scope.function(r.name))
		return err
	})
	return ok, err
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
	if q != "" && q != latest && !isNumber(q) {
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
		return err
	})
	return r, f, v, err
}

func (l *Lambda) getFunction(ctx context.Context, in *api.GetFunctionInput) (*api.GetFunctionOutput, error) {
	r, f, v, err := l.find(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	out := &api.GetFunctionOutput{Configuration: v.configuration(r), Code: &api.FunctionCodeLocation{RepositoryType: ptr("S3")}}
	if len(f.Tags) > 0 {
		out.Tags = f.Tags
	}
	if f.Reserved != nil {
		out.Concurrency = &api.Concurrency{ReservedConcurrentExecutions: f.Reserved}
	}
	return out, nil
}

func (l *Lambda) getFunctionConfiguration(ctx context.Context, in *api.GetFunctionConfigurationInput) (*api.GetFunctionConfigurationOutput, error) {
	r, _, v, err := l.find(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return v.configuration(r), nil
}

func (l *Lambda) listFunctions(ctx context.Context, in *api.ListFunctionsInput) (*api.ListFunctionsOutput, error) {
	if in.MasterRegion != nil {
		return nil, unsupported("ListFunctions", "MasterRegion")
	}
	s := scopeOf(ctx)
	limit := pageSize(in.MaxItems, 50)
	span := s.functions().Span()
	if in.Marker != nil {
		span.Lo = append(s.function(*in.Marker), 0)
	}
	out := &api.ListFunctionsOutput{Functions: []api.FunctionConfiguration{}}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		for row, err := range record.Range[function](rd, span) {
			if err != nil {
				return err
			}
			f := row.Value
			if len(out.Functions) >= limit {
				out.NextMarker = out.Functions[len(out.Functions)-1].FunctionName
				return nil
			}
			r := ref{scope: s, name: f.Name}
			if in.FunctionVersion != "ALL" {
				out.Functions = append(out.Functions, listed(f.Latest.configuration(r)))
				continue
			}
			out.Functions = append(out.Functions, listed(f.Latest.configuration(r.with(latest))))
			for v, err := range record.Range[version](rd, s.versions(f.Name).Span()) {
				if err != nil {
					return err
				}
				out.Functions = append(out.Functions, listed(v.Value.configuration(r.with(v.Value.Number))))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// listed is a configuration as lists show it: without the state.
func listed(c *api.FunctionConfiguration) api.FunctionConfiguration {
	c.State, c.LastUpdateStatus = "", ""
	return *c
}

func pageSize(n *int32, most int) int {
	if n == nil || int(*n) > most || *n < 1 {
		return most
	}
	return int(*n)
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
	var blobs []blob.ID
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		f, err := loadFunction(tx, r)
		if err != nil {
			return err
		}
		unused := map[blob.ID]bool{f.Latest.Blob: true}
		for v, err := range record.Range[version](tx, r.versions(r.name).Span()) {
			if err != nil {
				return err
			}
			unused[v.Value.Blob] = true
		}
		blobs = nil
		for id := range maps.Keys(unused) {
			tx.Delete(blobRef(string(id)))
			blobs = append(blobs, id)
		}
		tx.Delete(r.scope.function(r.name))
		for _, k := range [][2][]byte{
			{r.versions(r.name), r.versions(r.name).End()},
			{r.aliases(r.name), r.aliases(r.name).End()},
			{r.policies(r.name), r.policies(r.name).End()},
			{r.asyncs(r.name), r.asyncs(r.name).End()},
		} {
			tx.DeleteRange(k[0], k[1])
		}
		return addReserved(tx, r.scope, -orZero(f.Reserved))
	})
	if err != nil {
		return nil, unavailable(err)
	}
	for _, id := range blobs {
		l.dropBlob(ctx, id)
	}
	l.pools.retire(r, "")
	return &api.DeleteFunctionOutput{StatusCode: ptr(int32(204))}, nil
}

func (l *Lambda) getAccountSettings(ctx context.Context, _ *api.GetAccountSettingsInput) (*api.GetAccountSettingsOutput, error) {
	s := scopeOf(ctx)
	var size, count int64
	var reserved int32
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		var err error
		if reserved, _, err = record.Get[int32](rd, s.reserved()); err != nil {
			return err
		}
		for f, err := range record.Range[function](rd, s.functions().Span()) {
			if err != nil {
				return err
			}
			count++
			size += f.Value.Latest.CodeSize
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	const totalCode, unzipped, zipped = 80530636800, 262144000, 52428800 // https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	return &api.GetAccountSettingsOutput{
		AccountLimit: &api.AccountLimit{
			TotalCodeSize: ptr(int64(totalCode)), CodeSizeUnzipped: ptr(int64(unzipped)), CodeSizeZipped: ptr(int64(zipped)),
			ConcurrentExecutions: ptr(int32(l.o.Concurrency)), UnreservedConcurrentExecutions: ptr(int32(l.o.Concurrency) - reserved),
		},
		AccountUsage: &api.AccountUsage{TotalCodeSize: ptr(size), FunctionCount: ptr(count)},
	}, nil
}
