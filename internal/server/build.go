package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/datakey"
	"lambent.dev/lambent/internal/auth/keycheck"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/gateway/vpcendpoint"
	"lambent.dev/lambent/internal/image"
	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/runtimes/code"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/apigateway"
	"lambent.dev/lambent/internal/services/cloudcontrol"
	"lambent.dev/lambent/internal/services/cloudformation"
	"lambent.dev/lambent/internal/services/cloudwatch"
	"lambent.dev/lambent/internal/services/codedeploy"
	"lambent.dev/lambent/internal/services/dynamodb"
	"lambent.dev/lambent/internal/services/ec2"
	"lambent.dev/lambent/internal/services/ecr"
	"lambent.dev/lambent/internal/services/eventbridge"
	"lambent.dev/lambent/internal/services/firehose"
	"lambent.dev/lambent/internal/services/iam"
	"lambent.dev/lambent/internal/services/kinesis"
	"lambent.dev/lambent/internal/services/kms"
	"lambent.dev/lambent/internal/services/lambda"
	"lambent.dev/lambent/internal/services/logs"
	"lambent.dev/lambent/internal/services/pipes"
	"lambent.dev/lambent/internal/services/s3"
	"lambent.dev/lambent/internal/services/scheduler"
	"lambent.dev/lambent/internal/services/schemas"
	"lambent.dev/lambent/internal/services/secretsmanager"
	"lambent.dev/lambent/internal/services/sns"
	"lambent.dev/lambent/internal/services/sqs"
	"lambent.dev/lambent/internal/services/ssm"
	"lambent.dev/lambent/internal/services/sts"
)

// build builds the services, in the order in which they need each other.
func (p *parts) build(ctx context.Context, s *Server) ([]service.Service, error) {
	objects, sources, ends := &late{}, arrivals{}, &lateLogs{}
	iamService, directory, err := iam.New(p.deps, p.keys.Ring)
	if err != nil {
		return nil, err
	}
	p.identities = auth.NewCache(directory)
	directory.OnChange(p.identities.Forget)
	issuers := p.issuers(s)
	stsService, roles := sts.New(p.deps, p.keys.Ring, directory, issuers)
	sender := deliver.New(p.deps, roles)
	logService, sink := logs.New(p.deps, logs.Options{Roles: roles, Sender: sender, Metrics: cloudwatch.Inbox{}, Logged: ends, Streams: ends})
	networkService, networks := ec2.New(p.deps)
	deploymentService, deployments := codedeploy.New(p.deps, codedeploy.Options{Roles: roles})
	functionService, functions, err := p.functions(ctx, s, lambda.Options{Objects: objects, Logs: sink, Roles: roles, Networks: networks, Arrivals: sources, Deployments: deployments})
	if err != nil {
		return nil, err
	}
	keyService, keys := kms.New(p.deps, kms.Options{Ring: p.keys.Ring, Platform: datakey.New(p.keys.Ring, p.deps.Random)})
	buckets := s3.New(p.deps, s3.Options{Functions: functions, Keys: keys, Roles: roles, Sender: sender, Metrics: cloudwatch.Inbox{}})
	objects.Objects = buckets
	p.vpcEndpoints = &vpcendpoint.Endpoints{Networks: networks, Heard: s.loopback}
	p.domains = domain.New(p.deps, domain.Options{Objects: buckets, Endpoints: p.vpcEndpoints})
	uses := keycheck.New(keys, p.deps.Clock)
	queueService, queues := sqs.New(p.deps, uses)
	streamService, streams := kinesis.New(p.deps, uses)
	tables := dynamodb.New(p.deps, streams)
	sources["dynamodb"], sources["sqs"], sources["kinesis"] = tables, queues, streams
	endpoints := p.outside(s)
	mails, err := mailServer(p.cfg)
	if err != nil {
		return nil, err
	}
	var services []service.Service
	types := func() (all []service.ResourceType) {
		for i := range services {
			all = append(all, services[i].Resources...)
		}
		return all
	}
	deliveryService, deliveries := firehose.New(p.deps, firehose.Options{Roles: roles, Sender: sender, Arrivals: sources, Keys: keys, Transport: endpoints})
	ends.DeliveryStreams = deliveries
	schemaService, discovery := schemas.New(p.deps)
	secretService, secrets := secretsmanager.New(p.deps, secretsmanager.Options{Keys: keys, Functions: functions})
	busService, buses := eventbridge.New(p.deps, eventbridge.Options{Schemas: discovery, Queues: queues, Functions: functions, Sender: sender, Roles: roles, Secrets: secrets, Caller: s.caller, Transport: endpoints, Logs: sink})
	ends.LoggedResources = buses
	p.door.Watch(buses)
	gate := p.gateway(s, functions, sink, sender, issuers)
	httpAPIs, connections := gate.httpAPIs(p, s, objects, endpoints)
	stackService, stacks := cloudformation.New(p.deps, cloudformation.Options{Types: types, Objects: objects, Roles: roles})
	services = []service.Service{
		iamService, stsService, keyService, logService, cloudwatch.New(p.deps, cloudwatch.Options{Sender: sender, Watchers: []port.AlarmWatcher{deployments, stacks}}), functionService, buckets.Service(), buckets.Control(), tables.Tables(), tables.Streams(),
		apigateway.New(p.deps, apigateway.Options{Keys: keys, Domains: p.domains, Objects: objects, Rates: gate.rates, Plane: gate.restAPIs(p, s, keys, httpAPIs)}), httpAPIs, connections,
		queueService, streamService, sns.New(p.deps, sns.Options{Queues: queues, Functions: functions, Deliveries: deliveries, Roles: roles, Logs: sink, Keys: uses, Mails: mails, Transport: endpoints}),
		deliveryService, ecr.New(p.deps), networkService, deploymentService,
		busService, schemaService,
		scheduler.New(p.deps, scheduler.Options{Sender: sender, Roles: roles, Operation: func(api, operation string) (string, any, bool) { return operationOf(services, api, operation) }}),
		ssm.New(p.deps, ssm.Options{Keys: keys}), secretService,
		pipes.New(p.deps, pipes.Options{Sender: sender, Roles: roles, Arrivals: sources, Endpoints: buses, Logs: sink}),
		cloudcontrol.New(p.deps, cloudcontrol.Options{Types: types, Roles: roles, Hooks: stacks}),
		stackService,
	}
	return services, nil
}

// caller proves who sent a request to a data plane, which is signed for the service named api.
func (s *Server) caller(r *http.Request, api string, body []byte) (service.Principal, error) {
	<-s.serving
	return s.plane.Caller(r, api, body)
}

// operationOf returns the name of an operation that has a handler, and a fresh input for it. operation is its name in any case.
func operationOf(services []service.Service, api, operation string) (name string, input any, ok bool) {
	for i := range services {
		if services[i].API.Name != api {
			continue
		}
		for _, b := range services[i].Operations {
			if b.Call != nil && strings.EqualFold(b.Name, operation) {
				return b.Name, b.New(), true
			}
		}
	}
	return "", nil, false
}

// sandbox starts what runs functions, with the isolation that is set.
func (p *parts) sandbox(ctx context.Context) (*sandbox.Host, error) {
	o := sandbox.Options{Logger: p.deps.Log, Plain: p.cfg.Sandbox == config.SandboxOff}
	if p.cfg.Isolation == config.IsolationGVisor {
		var err error
		if o.GVisor, err = exec.LookPath("runsc"); err != nil {
			return nil, errors.New("the setting isolation is gvisor, and gVisor's program runsc is not in PATH; install it (https://gvisor.dev/docs/user_guide/install) or set isolation to namespace")
		}
	}
	host, err := sandbox.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("start the sandbox: %w", err)
	}
	if r := host.Report; o.GVisor != "" && !r().Isolated() {
		return nil, errors.Join(errors.New(r().Layer(sandbox.LayerNamespaces).Detail), host.Close())
	}
	return host, nil
}

// functions builds the service of functions with the machine's sandbox, the installed runtimes and the store of unpacked code. o has the ports.
func (p *parts) functions(ctx context.Context, s *Server, o lambda.Options) (service.Service, *lambda.Lambda, error) {
	dir := p.cfg.DataDir
	if p.cfg.Ephemeral {
		var err error
		if dir, err = os.MkdirTemp("", "lambent-"); err != nil {
			return service.Service{}, nil, err
		}
		s.onClose(func(context.Context) error { return os.RemoveAll(dir) })
	}
	host, err := p.sandbox(ctx)
	if err != nil {
		return service.Service{}, nil, err
	}
	s.onClose(func(context.Context) error { return host.Close() })
	if p.cfg.Sandbox == config.SandboxRequire && !host.Report().Isolated() {
		return service.Service{}, nil, errors.New("the setting sandbox is \"require\", and this machine cannot isolate functions; `lambent doctor` says what is missing")
	}
	parked, err := config.PercentOfMemory(p.cfg.ParkedMemory)
	if err != nil {
		return service.Service{}, nil, err
	}
	snapshots, err := config.PercentOfMemory(p.cfg.SnapshotMemory)
	if err != nil {
		return service.Service{}, nil, err
	}
	o.FreezeIdle = p.cfg.IdleFunctions == config.IdleFrozen
	o.SnapshotMemory = runtimes.PartOfMemory(snapshots)
	if o.Concurrency, err = p.cfg.ConcurrencyLimit(runtimes.PartOfMemory(100)); err != nil {
		return service.Service{}, nil, err
	}
	if o.InvocationRate, err = p.cfg.InvocationsASecond(o.Concurrency); err != nil {
		return service.Service{}, nil, err
	}
	o.MaxEnvironments = o.Concurrency
	o.Stopping = s.stopping
	if p.cfg.Debuggers != "" {
		if o.Debuggers, err = filepath.Abs(p.cfg.Debuggers); err != nil {
			return service.Service{}, nil, err
		}
	}
	if o.RecordedEvents, err = p.cfg.RecordedEventBytes(); err != nil {
		return service.Service{}, nil, err
	}
	o.Launcher = runtimes.NewLauncher(runtimes.LauncherOptions{Host: host, Clock: p.deps.Clock, Log: p.deps.Log, MaxParked: runtimes.PartOfMemory(parked)})
	s.onClose(func(context.Context) error { o.Launcher.Close(); return nil })
	images, err := image.Open(image.Options{Dir: filepath.Join(dir, "images"), Registries: p.cfg.RegistryList(), Credentials: p.cfg.RegistryConfig, Clock: p.deps.Clock})
	if err != nil {
		return service.Service{}, nil, err
	}
	s.onClose(func(context.Context) error { images.Close(); return nil })
	o.Images = images
	if o.Runtimes, err = runtimes.NewCatalog(runtimes.Options{Dir: filepath.Join(dir, "runtimes"), Images: images, Strict: p.cfg.StrictRuntimes, Clock: p.deps.Clock, Authority: p.authority.RootPath()}); err != nil {
		return service.Service{}, nil, err
	}
	if o.Code, err = code.Open(filepath.Join(dir, "code")); err != nil {
		return service.Service{}, nil, err
	}
	o.Serve = func(l net.Listener) {
		<-s.serving
		s.front.ServeSandbox(l)
	}
	o.Caller = func(r *http.Request, body []byte) (service.Principal, error) { return s.caller(r, "lambda", body) }
	if p.cfg.Egress {
		o.Egress = &sandbox.Egress{}
	}
	made, functions := lambda.New(p.deps, o)
	return made, functions, nil
}
