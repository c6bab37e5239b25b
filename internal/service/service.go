package service

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/store"
)

// Service is one AWS service: what a service package's New returns. It is a value to be read, not changed.
type Service struct {
	// API is the generated descriptor of the service's API.
	API *awsapi.API
	// Operations are the generated bindings of the service's handlers: Handlers.Bindings().
	Operations []awsapi.Binding
	// Access holds the rule of every operation that has a handler, by operation name. The server refuses to start when one is missing.
	Access map[string]Access
	// DataOperations are the operations that work on what resources hold (objects, items, messages): a trail is not told of them, as CloudTrail tells of
	// them only when it is asked.
	DataOperations []string
	// Resources are the service's CloudFormation resource types.
	Resources []ResourceType
	// Routes are the hosts and paths of the service's data planes and virtual hosts.
	Routes []Route
	// Jobs are the kinds of durable work that the service runs.
	Jobs []events.Kind
	// HoldsBody, when set, tells whether something of the service refers to a body in Deps.Blobs. Every service that keeps bodies sets it:
	// bodies that no service holds are deleted by the sweep.
	HoldsBody func(ctx context.Context, id blob.ID) (bool, error)
	// Preflight, when set, sees every HTTP request of the API before it is authenticated. rawPath has the bucket of a virtual
	// host in front. It may add response headers (CORS), and reports true when it answered the request itself.
	Preflight func(w http.ResponseWriter, r *http.Request, rawPath string) bool
	// Form, when set, serves uploads by HTML forms (multipart/form-data), which carry their signature in their fields. It
	// writes the answer itself unless it returns an error.
	Form func(ctx context.Context, w http.ResponseWriter, f *FormUpload) error
	// Answered, when set, is told of every HTTP request of the API when its answer has ended, also of those that were refused. It must not block.
	Answered func(e *Exchange)
	// Start, when set, runs after all services are built and before the listener opens. It must not wait for anything slow.
	Start func(ctx context.Context) error
	// Close, when set, stops what Start began, in the reverse order of the services.
	Close func(ctx context.Context) error
}

// Deps is what a service may use. Ports to other services are fields of the service package's own options.
type Deps struct {
	Store store.Store
	Blobs blob.Store
	// Door authorises and runs calls to other services, and decides for data planes.
	Door  Door
	Clock clock.Clock
	// Random is a source of cryptographic randomness.
	Random io.Reader
	Log    *slog.Logger
	// BaseURL is the platform's own URL as clients on this machine reach it, without a trailing slash: "http://127.0.0.1:4566".
	BaseURL string
	// Account is the default account.
	Account string
	// Region is the default region.
	Region string
	// Meters count what services do, for the metrics of CloudWatch; nil counts nothing.
	Meters *meter.Registry
}
