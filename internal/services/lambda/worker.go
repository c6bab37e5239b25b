package lambda

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/runtimes/telemetry"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// worker is one execution environment of one version.
type worker struct {
	key      poolKey
	env      *runtimes.Environment
	log      *logWriter
	boot     boot      // reported by the first invocation
	bytes    int64     // of memory that it takes as a snapshot
	taken    bool      // is no snapshot any more; snapshotter.mu guards it
	running  int       // invocations, on a capacity provider
	since    time.Time // when it became idle
	idle     bool      // waits in the pools for work; pools.mu guards it
	uses     uint64    // how often it has become idle; pools.mu guards it
	expires  time.Time // of the role's credentials; zero without any
	clock    clock.Clock
	deadline time.Time // of its last invocation
	limit    *limit    // of what it does now
	peak     int64     // the most memory used, in bytes, when it was read last
	peakRead time.Time // when that was; zero before the first invocation has ended
	allotted bool      // belongs to the provisioned concurrency of its version
	debugged bool      // belongs to a debugSession, which keeps it, and has no limits of time
	gone     bool      // has been ended
}

// boot is what an environment has taken before its first invocation: to be initialised, or to be restored.
type boot struct{ init, restore time.Duration }

// The kinds of initialisation, in Lambda's words: what functions find in AWS_LAMBDA_INITIALIZATION_TYPE.
const (
	onDemand               = "on-demand"
	provisionedConcurrency = "provisioned-concurrency"
	snapStart              = "snap-start"
	managedInstances       = "lambda-managed-instances"
)

// Times of an environment.
const (
	// initLimit bounds the initialisation before the first invocation, https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html.
	initLimit = 10 * time.Second
	// credentialLife is how long the credentials of an environment are valid, credentialReserve how much of that a new invocation needs.
	credentialLife    = 12 * time.Hour
	credentialReserve = 20 * time.Minute
	// readyGrace is how long an environment has at least, from when it is needed, to ask for an invocation.
	readyGrace = 2 * time.Second
	// peakInterval is how long a reading of the peak memory is used.
	peakInterval = time.Second
)

// usable tells whether the environment can take another invocation.
func (w *worker) usable() bool {
	select {
	case <-w.env.Done():
		return false
	default:
	}
	return w.expires.IsZero() || w.clock.Now().Add(credentialReserve).Before(w.expires)
}

// errSilent ends an environment whose process has answered, and then does not ask for another invocation.
var errSilent = errors.New("the process does not ask for another invocation")

// ready returns when the environment can take an invocation. What a function does between an answer and its next request counts as part of the invocation that was
// answered, so it has until that one's deadline; after that, the environment is of no use any more.
func (w *worker) ready(ctx context.Context) error {
	if err := w.env.Thaw(); err != nil {
		return err
	}
	w.limit.begin(max(w.deadline.Sub(w.clock.Now()), readyGrace), errSilent)
	err := w.env.WaitReady(ctx)
	if !w.limit.over() && err == nil {
		err = errSilent
	}
	return err
}

// peakBytes is the most memory that the environment has used. It is read from the kernel at the end of the first invocation, of failed ones, and of
// the first one of each second; in between, reports show what was read last.
func (w *worker) peakBytes(now time.Time) int64 {
	if now.Sub(w.peakRead) >= peakInterval {
		w.peak, w.peakRead = w.env.PeakBytes(), now
	}
	return w.peak
}

// close ends the environment and waits until it is gone.
func (w *worker) close() {
	w.env.Shutdown("spindown")
	w.limit.close()
	w.log.flush()
}

// launch says how an environment is started.
type launch struct {
	kind     string             // of initialisation
	debugger *runtimes.Debugger // nil for none
	tenant   string             // empty for none
}

// startWorker starts an environment, whose initialisation is still going on then.
func (l *Lambda) startWorker(ctx context.Context, r ref, v *version, how launch) (*worker, error) {
	rt, err := l.runtime(ctx, v)
	if err != nil {
		return nil, err
	}
	if rt.Warning != "" {
		l.deps.Log.WarnContext(ctx, "another runtime version is used", slog.String("function", r.function()), slog.String("warning", rt.Warning))
	}
	folder, err := l.ensureCode(ctx, v)
	if err != nil {
		return nil, serviceError("The function's code cannot be read", err)
	}
	layers, err := l.ensureLayers(ctx, v)
	if err != nil {
		return nil, serviceError("The function's layers cannot be read", err)
	}
	credentials, err := l.credentials(ctx, r, v.Role)
	if err != nil {
		return nil, err
	}
	stream, err := l.newStream(v)
	if err != nil {
		return nil, err
	}
	k := keyOf(r, v)
	k.tenant = how.tenant
	w := &worker{key: k, clock: l.deps.Clock, expires: credentials.Expires, log: &logWriter{l: l, ref: r, config: v.Log, stream: stream, shared: how.kind == managedInstances, tenant: how.tenant}, allotted: how.kind == provisionedConcurrency, debugged: how.debugger != nil}
	if rt.Warning != "" {
		w.log.warn(rt.Warning)
	}
	var hub *telemetry.Hub
	if layers != "" || v.Image != nil {
		hub = telemetry.NewHub(l.deps.Clock)
		w.log.telemetry = hub
		w.log.initialising(v, how.kind)
	}
	failures := l.pools.failures(r.function())
	spec := runtimes.Spec{
		Name: r.name, Account: r.account, Runtime: rt, Code: folder, Layers: layers, Env: l.environment(r, v, stream, how.kind), Output: w.log, Egress: l.o.Egress,
		Limits:   sandbox.Limits{MemoryMB: int(v.Memory), TmpMB: int(v.Tmp), Yields: failures > 0},
		Fresh:    failures > forgiven,
		Debugger: how.debugger, ExtensionOutput: extensionLog{w.log}, Telemetry: hub,
	}
	if how.kind == managedInstances {
		spec.Concurrency, spec.WorkerIdle = v.concurrency(), l.fleets.news.announce
	}
	if err := l.giveCredentials(w, &spec, r, v, credentials, how.kind); err != nil {
		return nil, err
	}
	if l.o.Serve != nil {
		spec.Listen = l.doors(rt)
	}
	if w.env, err = l.o.Launcher.Start(ctx, spec); err != nil {
		return nil, serviceError("The function's sandbox could not be started", err)
	}
	w.limit = newLimit(l.deps.Clock, w.env.End)
	for _, door := range spec.Listen {
		if listener := w.env.Listener(door.Name); listener != nil {
			go l.o.Serve(listener)
		}
	}
	return w, nil
}

// httpsPort is where clients that know of no other port look for a server.
const httpsPort = 443

// doors are where functions of a runtime find the platform: at its own address, and those in Node.js at the same host's port 443 too, because AWS's cfn-response module and the
// functions that CDK brings along use nothing of the URL that custom resources answer to but host and path. Functions in other languages use the whole URL.
func (l *Lambda) doors(rt *runtimes.Runtime) []sandbox.Listen {
	doors := []sandbox.Listen{{Name: "platform", Addr: l.endpoint, Shared: true}}
	if rt.Family == runtimes.FamilyNode && l.endpoint.Port() != httpsPort {
		doors = append(doors, sandbox.Listen{Name: "platform-https", Addr: netip.AddrPortFrom(l.endpoint.Addr(), httpsPort), Shared: true})
	}
	return doors
}

func keyOf(r ref, v *version) poolKey {
	return poolKey{function: r.function(), version: v.Number, revision: v.Revision}
}

// sessionName names a function's session of its role: by the function, and longer for one of a single letter, since names of sessions have two characters at least.
func sessionName(function string) string {
	if len(function) == 1 {
		return function + "@lambda_function"
	}
	return function
}

// credentials are those of a function's role.
func (l *Lambda) credentials(ctx context.Context, r ref, role string) (port.Credentials, error) {
	if l.o.Roles == nil {
		return port.Credentials{}, nil
	}
	ctx = service.As(ctx, service.ServiceCaller(servicePrincipal, r.function(), r.account))
	c, err := l.o.Roles.AssumeForService(ctx, servicePrincipal, role, sessionName(r.name), credentialLife)
	if err != nil {
		var e *service.Error
		if errors.As(err, &e) {
			return c, service.Errorf("AccessDeniedException", "The role defined for the function cannot be assumed by Lambda: %s", e.Message).WithStatus(403)
		}
		return c, err
	}
	return c, nil
}

// giveCredentials lets the programs of an environment find their credentials: in their variables, or, where the environment may be restored long
// after its start, by asking for them.
func (l *Lambda) giveCredentials(w *worker, spec *runtimes.Spec, r ref, v *version, c port.Credentials, kind string) error {
	if kind != snapStart {
		if c.AccessKeyID != "" {
			spec.Env = append([]string{"AWS_ACCESS_KEY_ID=" + c.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey, "AWS_SESSION_TOKEN=" + c.SessionToken}, spec.Env...)
		}
		return nil
	}
	spec.Snapshot, w.expires = true, time.Time{}
	role, err := l.roleCredentials(r, v, c)
	if err == nil && role != nil {
		spec.Env, spec.Credentials = append(role.environ(), spec.Env...), role.document
	}
	return err
}

// newStream is the name of a new log stream.
func (l *Lambda) newStream(v *version) (string, error) {
	var id [16]byte
	if _, err := io.ReadFull(l.deps.Random, id[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return fmt.Sprintf("%s/[%s]%s", l.deps.Clock.Now().UTC().Format("2006/01/02"), v.Number, hex.EncodeToString(id[:])), nil
}

// environment lists the variables of a version: Lambda's, and the function's own, which win where they may be set.
// See https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html.
func (l *Lambda) environment(r ref, v *version, stream, kind string) []string {
	env := []string{
		"AWS_REGION=" + r.region, "AWS_DEFAULT_REGION=" + r.region,
		"AWS_LAMBDA_FUNCTION_NAME=" + r.name, "AWS_LAMBDA_FUNCTION_VERSION=" + v.Number, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(int(v.Memory)),
		"AWS_LAMBDA_LOG_FORMAT=" + v.Log.Format,
		"AWS_LAMBDA_INITIALIZATION_TYPE=" + kind,
		// The SDKs look for a tracing daemon and for instance metadata, of which there are none.
		"AWS_XRAY_CONTEXT_MISSING=LOG_ERROR", "AWS_EC2_METADATA_DISABLED=true",
	}
	if v.Image == nil {
		env = append(env, "_HANDLER="+v.Handler)
	}
	if v.Log.ApplicationLevel != "" {
		env = append(env, "AWS_LAMBDA_LOG_LEVEL="+v.Log.ApplicationLevel)
	}
	if kind == managedInstances {
		env = append(env, "AWS_LAMBDA_MAX_CONCURRENCY="+strconv.Itoa(v.concurrency()))
	}
	if l.o.Serve != nil {
		env = append(env, "AWS_ENDPOINT_URL="+l.endpointURL)
	}
	if kind != snapStart { // a restored one has another stream
		env = append(env, "AWS_LAMBDA_LOG_GROUP_NAME="+v.Log.Group, "AWS_LAMBDA_LOG_STREAM_NAME="+stream)
	}
	for _, name := range slices.Sorted(maps.Keys(v.Env)) {
		env = append(env, name+"="+v.Env[name])
	}
	return env
}
