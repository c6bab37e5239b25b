// Package port holds the small interfaces by which services call each other past the door: where a call must join
// the caller's transaction, or carries a stream that has no place in an API input.
//
// An interface lives here when two services would otherwise import each other. The serving side checks permissions itself,
// through [service.Door.Allow], with the caller's principal that it is handed.
package port

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// Source names the service and the resource on whose behalf a call is made.
type Source struct {
	// Service is the calling service, such as "s3.amazonaws.com".
	Service string
	// ARN and Account name the resource that caused the call.
	ARN, Account string
}

// Functions invokes functions for other services. Implemented by services/lambda.
type Functions interface {
	// Invoke runs a function and waits for its answer. function is an ARN, with or without a qualifier; payload is valid JSON, which is not
	// checked again, and must not be changed any more, since the event is kept. It fails with an access denial when the function's policy does not allow the source. When ctx ends first the caller gets its error,
	// and the invocation goes on, as on AWS.
	Invoke(ctx context.Context, from Source, function string, payload []byte) (Invocation, error)
	// CheckInvoke tells whether from may invoke function: nil, or the denial, or that the function does not exist.
	CheckInvoke(ctx context.Context, from Source, function string) error
	// EnqueueAsync adds an asynchronous invocation to the caller's transaction: it happens if and only if that commits.
	EnqueueAsync(ctx context.Context, tx store.Txn, from Source, function string, payload []byte) error
}

// FunctionStreams invokes functions for services that pass an answer on while it arrives. Implemented by services/lambda.
type FunctionStreams interface {
	// InvokeStream runs a function and returns when its answer begins. function, payload and the denial are those of [Functions.Invoke]. When ctx ends, or Body is
	// closed, the function goes on, as on AWS, and what it still answers is dropped.
	InvokeStream(ctx context.Context, from Source, function string, payload []byte) (*Streamed, error)
}

// Streamed is the answer of a function while it arrives.
type Streamed struct {
	// ContentType is what a function that answers in parts says that its answer is; empty for one that answers in one piece.
	ContentType string
	// Body is the answer. It ends with io.EOF when the function did its work, and with a [*FunctionError] when it failed, which may be before the first byte. The caller closes it.
	Body io.ReadCloser
}

// FunctionError is the failure of a function that was to answer in a stream.
type FunctionError struct {
	// Kind is "Handled" or "Unhandled".
	Kind string
	// Document is the function's error document.
	Document []byte
}

// Error tells what the function said.
func (f *FunctionError) Error() string { return "the function failed: " + string(f.Document) }

// Deployments lets the makers of deployments wait for them. Implemented by services/codedeploy.
type Deployments interface {
	// Await waits until the deployment has ended, and with it the one that rolls it back, and returns nil or why it did not succeed.
	Await(ctx context.Context, deployment string) error
}

// AlarmWatcher is told of alarms that go off. Implemented by services/codedeploy and services/cloudformation.
type AlarmWatcher interface {
	// AlarmEntered joins the transaction in which the alarm of a name, an account and a region comes into the state ALARM.
	AlarmEntered(tx store.Txn, account, region, name string) error
}

// MetricDatum is what a metric saw in one minute.
type MetricDatum struct {
	Namespace, Name string
	Dimensions      []meter.Dimension
	// Unit is one of CloudWatch's units, "" for none.
	Unit    string
	At      time.Time
	Samples meter.Samples
	// StandIn tells that the samples stand in for none: they count when the minute is over and the metric has nothing else in it.
	StandIn bool
}

// MetricSink keeps what other services count for their users. Implemented by services/cloudwatch.
type MetricSink interface {
	// PutMetrics joins the transaction in which something was counted in an account and a region; every read of metrics after its commit sees it.
	PutMetrics(tx store.Txn, account, region string, data []MetricDatum) error
}

// Arrivals tells the readers of a table's stream, a data stream or a queue that there is something new to read, so that nobody has to ask
// again and again. Implemented by each service that functions and pipes read from.
type Arrivals interface {
	// Arrivals returns a channel of capacity one that holds a value after each durable commit that added something to source, an ARN.
	// It may hold one without a reason, and several commits may share one. stop ends the notifications; the channel is never closed.
	Arrivals(source string) (arrived <-chan struct{}, stop func())
}

// Queues takes messages for queues into transactions of their senders, so that one commit reaches many queues. Implemented by services/sqs.
type Queues interface {
	// CheckSend tells whether from may send to the queue with the ARN queue: nil, or the denial, or that there is no such queue. It must not be called within a
	// transaction.
	CheckSend(ctx context.Context, from Source, queue string) error
	// Send runs fn in a transaction. The function that fn is given adds a message to a queue, without asking for permission; it fails when the
	// queue is gone or does not take such a message, and the message is then left out.
	Send(ctx context.Context, fn func(tx store.Txn, send func(queue string, m *QueueMessage) error) error) error
}

// QueueMessage is a message that a service sends to a queue.
type QueueMessage struct {
	Body string
	// Attributes are the message attributes by name.
	Attributes map[string]QueueAttribute
	// Group and Deduplication are the ids that FIFO queues ask for; empty means none.
	Group, Deduplication string
	// Sender is what the queue shows as the SenderId, Trace its AWSTraceHeader.
	Sender, Trace string
}

// QueueAttribute is a message attribute: Text, or Binary where Type begins with Binary.
type QueueAttribute struct {
	Type, Text string
	Binary     []byte
}

// DataStreams puts records into data streams within the transactions of their senders: a record is there if and only if what caused it is. Implemented
// by services/kinesis.
type DataStreams interface {
	// CheckPut tells whether from may put records into the stream with the ARN stream: nil, or the denial, or that there is no such stream. It must not be
	// called within a transaction.
	CheckPut(ctx context.Context, from Source, stream string) error
	// Put adds a record to tx, without asking for permission. Records of one partition key stay in the order of their transactions. It fails when the
	// stream is gone (ResourceNotFoundException) or does not take a record of that size (InvalidArgumentException), and nothing is added then.
	Put(tx store.Txn, stream, partition string, data []byte) error
}

// DeliveryStreams takes records for delivery streams into the transactions of their senders. Implemented by services/firehose.
type DeliveryStreams interface {
	// CheckPut tells whether from.Service, with a session of role on behalf of from, may put records into the delivery stream with the ARN stream: nil, or
	// the denial, or that there is no such stream. It must not be called within a transaction.
	CheckPut(ctx context.Context, from Source, role, stream string) error
	// Put adds a record to tx, without asking for permission. It fails when the stream is gone (ResourceNotFoundException), reads a data stream or does not take
	// a record of that size (InvalidArgumentException), and nothing is added then.
	Put(tx store.Txn, stream string, data []byte) error
}

// Discovery learns schemas from the events of buses. Implemented by services/schemas.
type Discovery interface {
	// Discover is shown an event, as rules see it, when it comes to a bus. What it learns is durable when it returns; it costs next to nothing on a bus that nobody
	// wants to learn from. It must not be called within a transaction.
	Discover(ctx context.Context, account, region, bus string, event []byte)
}

// Endpoints calls what answers over HTTP: API destinations and stages of API Gateway. Implemented by services/eventbridge.
type Endpoints interface {
	// CallEndpoint makes one call with a session of role for from.Service, and returns the body of a success, of which it reads 256 KiB at most. A refusal of the endpoint
	// is an error with its status; other errors may be mended by another try.
	CallEndpoint(ctx context.Context, from Source, role string, c EndpointCall) ([]byte, error)
}

// EndpointCall is a call of an endpoint.
type EndpointCall struct {
	// Target is the ARN of an API destination, or of a method of a stage: arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH.
	Target string
	// ID is the request id of the calls that authorise it.
	ID string
	// Trace is the tracing header that goes with it.
	Trace string
	// Path are the values for the wildcards of the path, Header and Query what is added to the request.
	Path          []string
	Header, Query map[string]string
	// Body is the body, JSON as a rule.
	Body []byte
}

// Invocation is the answer of a function.
type Invocation struct {
	// Payload is the function's response, or its error document when Error is set.
	Payload []byte
	// Error is "Handled" or "Unhandled" when the function failed (the X-Amz-Function-Error header), else empty.
	Error string
	// Version is the version that ran.
	Version string
	// RequestID is the id of the invocation.
	RequestID string
}

// Objects reads objects for other services (function code, templates). Implemented by services/s3.
type Objects interface {
	// OpenObject returns the object's body and size with the permissions of the principal of ctx. The caller closes it.
	// version may be empty.
	OpenObject(ctx context.Context, bucket, key, version string) (io.ReadCloser, int64, error)
}

// Hooks asks CloudFormation's hooks about resources that change outside of stacks. Implemented by services/cloudformation.
type Hooks interface {
	// AskHooks asks the hooks of the account and region of ctx that want to know, one after the other, and returns what they said; nothing without any. It blocks until they have answered. The
	// same token asks the same again.
	AskHooks(ctx context.Context, q HookQuestion) ([]HookAnswer, error)
}

// HookQuestion is what hooks are asked about: a request to CREATE, UPDATE or DELETE a resource.
type HookQuestion struct {
	Action, Type, LogicalID, Token string
	// Properties are those that the request aims at, nil for a delete.
	Properties map[string]any
	// Previous returns the properties that the resource has, nil for a create. It is called when there is a hook to ask.
	Previous func(ctx context.Context) (map[string]any, error)
}

// HookAnswer is what one hook said.
type HookAnswer struct {
	Hook, ARN, Version string
	// Mode is FAIL or WARN, Status such as HOOK_COMPLETE_FAILED.
	Mode, Status, Reason string
	Time                 time.Time
	// Forbids tells that the request must not be carried out.
	Forbids bool
}

// Requests answers requests in the wire protocols of this Lambent's own APIs, for services that pass on what their clients sent. Implemented by dispatch.
type Requests interface {
	// ServeRequest authorises, runs and answers r as the principal of c. r is not authenticated; its path, query, headers and body are those of
	// the API's protocol. w sees what a client would.
	ServeRequest(w http.ResponseWriter, r *http.Request, c *ServiceRequest)
}

// ServiceRequest says which API a request of [Requests] is for, and who makes it.
type ServiceRequest struct {
	// Service is the name of the API in signatures and integrations, such as "dynamodb" or "sqs".
	Service string
	// Action names the operation. Empty means that the request tells, as in REST APIs by its path.
	Action string
	// Caller has the ID, Account, Region, Principal and Trace of the call.
	Caller service.Request
}

// LogSink takes log lines. Implemented by services/logs.
type LogSink interface {
	// PutLog appends events to a stream, making group and stream when they are missing. It returns when the lines are
	// accepted into a bounded buffer; lines are durable within a second and on Flush. A full buffer blocks.
	PutLog(ctx context.Context, account, region, group, stream string, lines []LogLine) error
	// Flush makes every accepted line durable.
	Flush(ctx context.Context) error
}

// LogLine is one log event.
type LogLine struct {
	Time    time.Time
	Message string
}

// VendedLogs takes the log records that services write about resources of their users, for the deliveries that these made. Implemented by services/logs.
type VendedLogs interface {
	// Vend joins the transaction in which something happened to a resource, an ARN. It costs one read when nobody wants logs of the type. Fields are those of the
	// record, in their order.
	Vend(tx store.Txn, account, region, resource, logType string, at time.Time, fields []LogField) error
}

// LogField is a field of a log record, with its value in JSON.
type LogField struct {
	Name  string
	Value json.RawMessage
}

// LoggedResources tells of the resources that write logs for deliveries. Implemented by services/eventbridge.
type LoggedResources interface {
	// Exists tells whether there is a resource, an ARN. It must not be called within a transaction.
	Exists(ctx context.Context, resource string) (bool, error)
}

// ErrUntrusted is in the errors of [Roles] about a role that is not there, or whose trust policy does not let the service assume it.
var ErrUntrusted = errors.New("the service cannot assume the role")

// Roles hands out credentials of roles to services. Implemented by services/sts.
type Roles interface {
	// AssumeForService returns session credentials of role for service (such as "lambda.amazonaws.com"), when the role's trust policy allows it.
	AssumeForService(ctx context.Context, service, role, session string, lifetime time.Duration) (Credentials, error)
	// SessionForService returns the principal of a session of role for service, for calls inside the process, when the role's trust policy allows it.
	SessionForService(ctx context.Context, service, role, session string) (service.Principal, error)
	// SessionForPrincipal returns the principal of a session of role, which the principal of ctx assumes: what he may do and the role's trust policy must allow it.
	SessionForPrincipal(ctx context.Context, role, session string) (service.Principal, error)
	// AssumeForGrant returns the credentials of the session that g describes, for the service access-grants.s3.amazonaws.com with the source of the principal of ctx: the
	// role's trust policy must allow it sts:AssumeRole and sts:SetSourceIdentity. Its errors have the codes of STS.
	AssumeForGrant(ctx context.Context, g GrantedSession) (Credentials, error)
	// CheckPassRole tells whether the principal of ctx may pass role to service, and whether the role's trust policy lets the service assume it.
	CheckPassRole(ctx context.Context, role, service string) error
}

// GrantedSession is a session of a role that S3 Access Grants makes for somebody to whom data is granted.
type GrantedSession struct {
	// Role is the ARN of the role, and Name that of the session.
	Role, Name string
	// Lifetime is how long the session lasts; the role's own maximum is the limit.
	Lifetime time.Duration
	// Policy is the session policy, which narrows what the role may do to what is granted.
	Policy string
	// SourceIdentity tells for whom the session is.
	SourceIdentity string
	// Instance is the ARN of the S3 Access Grants instance, which the session's calls have as s3:AccessGrantsInstanceArn.
	Instance string
}

// Credentials are temporary credentials.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

// Networks knows the networks of an account. Implemented by services/ec2.
type Networks interface {
	// Find returns the id of the network that subnets and security groups are in: all of them must be there, and in one network. The error says which is not,
	// with the code and the message of EC2.
	Find(ctx context.Context, subnets, groups []string) (vpc string, err error)
	// Endpoint returns the id of the network of an interface endpoint for a service, such as "execute-api". The error is EC2's for one that is not there, or is
	// for another service.
	Endpoint(ctx context.Context, id, service string) (vpc string, err error)
}

// Keys makes and opens the data keys under which services encrypt what they keep. A data key is stored wrapped, beside what it
// encrypts, and is in the clear in memory only. Implemented by services/kms.
//
// A key that is named is used with the right of the principal of ctx: its policy is asked, with the service as kms:ViaService. Errors are ones that a
// client may see; the codes of the key service have "KMS." in front.
type Keys interface {
	// CheckKey returns the ARN of the key that use names, or the error of one that does not exist, is of another kind or is not enabled. Nobody is asked for
	// permission.
	CheckKey(ctx context.Context, use KeyUse) (arn string, err error)
	// GenerateDataKey returns a new data key of 32 bytes.
	GenerateDataKey(ctx context.Context, use KeyUse) (DataKey, error)
	// Decrypt returns the data key in the clear. use must name the same context as when it was made; the key is the one that wrapped it.
	Decrypt(ctx context.Context, use KeyUse, wrapped []byte) ([]byte, error)
}

// KeyUse says which key encrypts what.
type KeyUse struct {
	// Service is the service that keeps the data, such as "s3". It has a key of its own in every account and region, with the alias "alias/aws/s3".
	Service string
	// Key is an id, ARN or alias. Empty means a key of the platform, which nobody sees and for which no permission is needed.
	Key string
	// Account and Region are those of the data.
	Account, Region string
	// Context is the encryption context, which binds a data key to what it encrypts.
	Context map[string]string
	// Granted tells that the service was given the use of the key when it was named, and now works by itself: nobody is asked for permission.
	Granted bool
}

// Secrets keeps what services hide for an account as secrets of Secrets Manager that the service owns: users see and read them, and only the owner changes them.
// Values are encrypted outside of transactions, with the right of the principal of ctx when a key is named, and written in the owner's own. Implemented by services/secretsmanager.
type Secrets interface {
	// NewSecret returns the ARN of a new secret, and what makes it in a transaction.
	NewSecret(ctx context.Context, secret OwnedSecret, value string) (arn string, create func(tx store.Txn) error, err error)
	// ChangeSecret returns what gives a secret a new value in a transaction, under a key as in [OwnedSecret].
	ChangeSecret(ctx context.Context, arn, key, value string) (change func(tx store.Txn) error, err error)
	// ReadSecret returns the value of a secret; nobody is asked for permission.
	ReadSecret(ctx context.Context, arn string) (string, error)
	// DeleteSecret deletes a secret, if it is there.
	DeleteSecret(tx store.Txn, arn string) error
}

// OwnedSecret is a secret that a service owns.
type OwnedSecret struct {
	// Owner is the service, such as "events".
	Owner           string
	Account, Region string
	Name            string
	Description     string
	// Key is the id, ARN or alias of a key; empty means that of Secrets Manager.
	Key string
}

// DataKey is a new data key.
type DataKey struct {
	// Key is the ARN of the key that wrapped it.
	Key string
	// Plain is the data key; Wrapped is what to keep of it.
	Plain, Wrapped []byte
}
