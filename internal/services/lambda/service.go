package lambda

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/lru"
	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/runtimes/code"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/lambda/durable"
)

// Options are the collaborators and settings of the service beside those that every service has.
type Options struct {
	// Launcher starts the execution environments, Runtimes finds the language runtimes, Code keeps the unpacked code.
	Launcher *runtimes.Launcher
	Runtimes *runtimes.Catalog
	Code     *code.Store
	// Debuggers is a folder with debuggers, see [runtimes.DebuggerOptions]; empty for none.
	Debuggers string
	// Objects reads code from buckets, Logs takes the functions' logs, Roles gives them credentials. A nil Objects refuses code from buckets; nil Logs
	// drops lines; nil Roles starts functions without credentials.
	Objects port.Objects
	Logs    port.LogSink
	Roles   port.Roles
	// Networks has the subnets and security groups that functions name; nil refuses functions that name any.
	Networks port.Networks
	// Arrivals tells the event source mappings of new messages and records; nil means that there are no sources.
	Arrivals port.Arrivals
	// Deployments waits for the deployments by which templates move aliases; nil refuses those.
	Deployments port.Deployments
	// Serve answers the calls that functions make to the platform, on a listener inside of their sandbox, until that is closed. Nil leaves
	// functions without the platform.
	Serve func(l net.Listener)
	// Images finds container images; nil refuses functions of them.
	Images Images
	// Caller proves who has signed a request to a function URL, whose whole body is given; an unsigned one is by the anonymous principal. Nil
	// admits nobody to URLs that want to know.
	Caller func(r *http.Request, body []byte) (service.Principal, error)
	// Egress is the functions' way to the internet; nil means that there is none.
	Egress *sandbox.Egress
	// Concurrency is how many invocations run at a time in an account and region; 0 means 1,000.
	Concurrency int
	// InvocationRate is how many invocations a second an account and region take of callers who wait for the answer; 0 for any number.
	InvocationRate int
	// Stopping is closed when the platform begins to stop, which ends debugging; nil never is.
	Stopping <-chan struct{}
	// RecordedEvents is how many bytes the events of past invocations may take in memory; 0 keeps none.
	RecordedEvents int
	// SnapshotMemory is how many bytes the environments may take together that wait to be restored, for versions with SnapStart; 0 keeps none: a version's
	// function is initialised when it is published, to find out whether it can be, and again when it is needed.
	SnapshotMemory int64
	// FreezeIdle has environments that wait for an invocation stopped, as on AWS: what their functions have left for later does not happen meanwhile.
	FreezeIdle bool
	// MaxEnvironments is how many environments this machine holds at most; 0 means 256.
	MaxEnvironments int
	// IdleTimeout is how long an environment is kept without work; 0 means 5 minutes.
	IdleTimeout time.Duration
}

// Lambda is the service. What it keeps in memory are its execution environments and their counters.
type Lambda struct {
	deps  service.Deps
	o     Options
	slots *slots
	pools *pools
	// meters are those of the functions that were used last.
	meters *lru.Cache[metered, *meters]
	// snapshots are what the store says about functions that are invoked.
	snapshots snapshots
	runner    *runner
	ramp      *ramp
	recorder  *recorder
	// durable keeps and drives the executions of durable functions.
	durable   *durable.Engine
	debugging debugSessions
	// provisioner keeps the environments of provisioned concurrency, snapshotter those that wait to be restored.
	provisioner *provisioner
	snapshotter *snapshotter
	// states tells of versions that have been prepared.
	states news
	// imagePuller takes the images of functions.
	imagePuller *imagePuller
	// fleets are the environments on capacity providers.
	fleets *fleets
	// execute carries an invocation out: run, unless a test stands in for the sandboxes.
	execute func(ctx context.Context, c *call) (outcome, error)
	// sender calls other services on behalf of functions; destinations are the deliveries that are on their way.
	sender       *deliver.Sender
	destinations *deliver.Queue
	// endpoint is the platform's address inside of sandboxes, endpointURL what functions are told.
	endpoint    netip.AddrPort
	endpointURL string
}

var (
	_ port.Functions       = (*Lambda)(nil)
	_ port.FunctionStreams = (*Lambda)(nil)
)

// New returns the service, and itself as the port by which other services invoke functions.
func New(deps service.Deps, o Options) (service.Service, *Lambda) {
	if o.Concurrency == 0 {
		o.Concurrency = 1000
	}
	if o.MaxEnvironments == 0 {
		o.MaxEnvironments = 256
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 5 * time.Minute
	}
	l := &Lambda{deps: deps, o: o, slots: newSlots(o.InvocationRate), meters: lru.New[metered, *meters](maxMeters), snapshots: newSnapshots(deps.Store)}
	l.pools = newPools(l)
	l.recorder = &recorder{limit: o.RecordedEvents}
	l.execute = l.run
	l.runner = newRunner(l)
	l.ramp = newRamp(deps.Clock, runtime.GOMAXPROCS(0), o.Concurrency)
	l.provisioner = newProvisioner(l)
	l.snapshotter = newSnapshotter(l)
	l.fleets = newFleets(l)
	l.imagePuller = newImagePuller(l)
	l.sender = deliver.New(deps, o.Roles)
	l.destinations = l.destinationQueue()
	l.durable = l.newEngine()
	l.endpoint, l.endpointURL = endpointOf(deps.BaseURL)
	h := api.Handlers{
		CreateFunction:              l.createFunction,
		GetFunction:                 l.getFunction,
		GetFunctionConfiguration:    l.getFunctionConfiguration,
		ListFunctions:               l.listFunctions,
		UpdateFunctionCode:          l.updateFunctionCode,
		UpdateFunctionConfiguration: l.updateFunctionConfiguration,
		DeleteFunction:              l.deleteFunction,

		PublishVersion:         l.publishVersion,
		ListVersionsByFunction: l.listVersionsByFunction,
		CreateAlias:            l.createAlias,
		GetAlias:               l.getAlias,
		ListAliases:            l.listAliases,
		UpdateAlias:            l.updateAlias,
		DeleteAlias:            l.deleteAlias,

		Invoke:                   l.invoke,
		InvokeAsync:              l.invokeAsync,
		InvokeWithResponseStream: l.invokeWithResponseStream,
		AddPermission:            l.addPermission,
		RemovePermission:         l.removePermission,
		GetPolicy:                l.getPolicy,
		PutResourcePolicy:        l.putResourcePolicy,
		GetResourcePolicy:        l.getResourcePolicy,
		DeleteResourcePolicy:     l.deleteResourcePolicy,

		PublishLayerVersion:          l.publishLayerVersion,
		GetLayerVersion:              l.getLayerVersion,
		GetLayerVersionByArn:         l.getLayerVersionByArn,
		ListLayerVersions:            l.listLayerVersions,
		ListLayers:                   l.listLayers,
		DeleteLayerVersion:           l.deleteLayerVersion,
		AddLayerVersionPermission:    l.addLayerVersionPermission,
		GetLayerVersionPolicy:        l.getLayerVersionPolicy,
		RemoveLayerVersionPermission: l.removeLayerVersionPermission,

		CreateFunctionUrlConfig: l.createFunctionUrlConfig,
		GetFunctionUrlConfig:    l.getFunctionUrlConfig,
		UpdateFunctionUrlConfig: l.updateFunctionUrlConfig,
		DeleteFunctionUrlConfig: l.deleteFunctionUrlConfig,
		ListFunctionUrlConfigs:  l.listFunctionUrlConfigs,

		CreateCodeSigningConfig:          l.createCodeSigningConfig,
		GetCodeSigningConfig:             l.getCodeSigningConfig,
		UpdateCodeSigningConfig:          l.updateCodeSigningConfig,
		DeleteCodeSigningConfig:          l.deleteCodeSigningConfig,
		ListCodeSigningConfigs:           l.listCodeSigningConfigs,
		ListFunctionsByCodeSigningConfig: l.listFunctionsByCodeSigningConfig,
		PutFunctionCodeSigningConfig:     l.putFunctionCodeSigningConfig,
		GetFunctionCodeSigningConfig:     l.getFunctionCodeSigningConfig,
		DeleteFunctionCodeSigningConfig:  l.deleteFunctionCodeSigningConfig,

		PutFunctionConcurrency:             l.putFunctionConcurrency,
		GetFunctionConcurrency:             l.getFunctionConcurrency,
		DeleteFunctionConcurrency:          l.deleteFunctionConcurrency,
		PutProvisionedConcurrencyConfig:    l.putProvisionedConcurrencyConfig,
		GetProvisionedConcurrencyConfig:    l.getProvisionedConcurrencyConfig,
		ListProvisionedConcurrencyConfigs:  l.listProvisionedConcurrencyConfigs,
		DeleteProvisionedConcurrencyConfig: l.deleteProvisionedConcurrencyConfig,
		PutFunctionEventInvokeConfig:       l.putFunctionEventInvokeConfig,
		UpdateFunctionEventInvokeConfig:    l.updateFunctionEventInvokeConfig,
		GetFunctionEventInvokeConfig:       l.getFunctionEventInvokeConfig,
		ListFunctionEventInvokeConfigs:     l.listFunctionEventInvokeConfigs,
		DeleteFunctionEventInvokeConfig:    l.deleteFunctionEventInvokeConfig,

		PutRuntimeManagementConfig: l.putRuntimeManagementConfig,
		GetRuntimeManagementConfig: l.getRuntimeManagementConfig,
		PutFunctionRecursionConfig: l.putFunctionRecursionConfig,
		GetFunctionRecursionConfig: l.getFunctionRecursionConfig,

		CreateEventSourceMapping: l.createEventSourceMapping,
		GetEventSourceMapping:    l.getEventSourceMapping,
		ListEventSourceMappings:  l.listEventSourceMappings,
		UpdateEventSourceMapping: l.updateEventSourceMapping,
		DeleteEventSourceMapping: l.deleteEventSourceMapping,

		CreateCapacityProvider:                 l.createCapacityProvider,
		GetCapacityProvider:                    l.getCapacityProvider,
		ListCapacityProviders:                  l.listCapacityProviders,
		UpdateCapacityProvider:                 l.updateCapacityProvider,
		DeleteCapacityProvider:                 l.deleteCapacityProvider,
		ListFunctionVersionsByCapacityProvider: l.listFunctionVersionsByCapacityProvider,
		GetFunctionScalingConfig:               l.getFunctionScalingConfig,
		PutFunctionScalingConfig:               l.putFunctionScalingConfig,

		CheckpointDurableExecution:            l.durable.Checkpoint,
		GetDurableExecution:                   l.durable.Get,
		GetDurableExecutionHistory:            l.durable.History,
		GetDurableExecutionState:              l.durable.State,
		ListDurableExecutionsByFunction:       l.listDurableExecutionsByFunction,
		SendDurableExecutionCallbackSuccess:   l.durable.Succeed,
		SendDurableExecutionCallbackFailure:   l.durable.Fail,
		SendDurableExecutionCallbackHeartbeat: l.durable.Heartbeat,
		StopDurableExecution:                  l.durable.Stop,

		ListTags:           l.listTags,
		TagResource:        l.tagResource,
		UntagResource:      l.untagResource,
		GetAccountSettings: l.getAccountSettings,
	}
	return service.Service{
		API:        api.API,
		Operations: h.Bindings(),
		Access:     l.access(),
		DataOperations: []string{
			"Invoke", "InvokeAsync", "InvokeWithResponseStream", "CheckpointDurableExecution", "GetDurableExecutionState",
			"SendDurableExecutionCallbackFailure", "SendDurableExecutionCallbackHeartbeat", "SendDurableExecutionCallbackSuccess",
		},
		Resources: l.resources(),
		Routes:    l.routes(),
		Jobs:      append(l.durable.Jobs(), l.asyncKind(), l.destinations.Kind()),
		Start:     l.start,
		Close:     l.close,
		HoldsBody: l.holdsBody,
	}, l
}

// start begins to keep environments, and to read the sources of functions.
func (l *Lambda) start(ctx context.Context) error {
	l.runner.Start(ctx)
	if err := l.pools.start(ctx); err != nil {
		return err
	}
	l.provisioner.start(ctx)
	l.snapshotter.start(ctx)
	l.fleets.start(ctx)
	l.imagePuller.start(ctx)
	return nil
}

// close stops reading, ends every environment and lets go of what is kept in memory.
func (l *Lambda) close(context.Context) error {
	l.runner.Close()
	l.imagePuller.close()
	l.provisioner.close()
	l.snapshotter.close()
	l.fleets.close()
	l.pools.close()
	l.snapshots.close()
	return nil
}

// endpointOf is where a function finds the platform: the platform's own address if that is on the loopback device, so that URLs made by a function
// are valid outside of it, else the same port there. Inside of a sandbox it is plain HTTP; nobody else can listen.
func endpointOf(base string) (netip.AddrPort, string) {
	addr := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	port := uint16(4566)
	if u, err := url.Parse(base); err == nil {
		if ap, err := netip.ParseAddrPort(u.Host); err == nil {
			port = ap.Port()
			if ap.Addr().Is4() && ap.Addr().IsLoopback() {
				addr = ap.Addr()
			}
		} else if u.Port() != "" {
			if p, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", u.Port()); err == nil {
				port = uint16(p)
			}
		}
	}
	ap := netip.AddrPortFrom(addr, port)
	return ap, "http://" + ap.String()
}
