package dispatch

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/observe/access"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/wire"
)

// Authenticator names the callers of HTTP requests. Package auth implements it.
type Authenticator interface {
	// Authenticate proves who sent a head. A request without a signature is by the anonymous principal.
	Authenticate(ctx context.Context, h *auth.Head) (*auth.Proof, error)
	// AuthenticateForm proves who signed the policy of an upload form; local tells that the conventional pair may be used.
	AuthenticateForm(ctx context.Context, f *sigv4.Form, local bool) (*auth.Proof, error)
}

// PlaneOptions configure a [Plane].
type PlaneOptions struct {
	Registry      *Registry
	Door          *Door
	Authenticator Authenticator
	Clock         clock.Clock
	Random        io.Reader
	Log           *slog.Logger
	// Account and Region are those of callers whose credentials name none.
	Account, Region string
	// Loopback tells that the listener is on loopback; LocalKeys, that the conventional pair test/test is accepted there.
	Loopback, LocalKeys bool
}

// Plane is the HTTP side of the door: the handler of the AWS API plane.
type Plane struct {
	PlaneOptions

	services *wire.Services
	unproven unproven
}

// NewPlane returns the handler.
func NewPlane(o PlaneOptions) *Plane {
	return &Plane{PlaneOptions: o, services: wire.NewServices(o.Registry.wireAPIs()...)}
}

// exchange is one request and what is learnt of it on its way.
type exchange struct {
	w    *front.Recorder
	http *http.Request
	wire wire.Request
	api  *wire.API
	// op is the operation, when it is known before the caller is.
	op      *wire.Operation
	request service.Request
	// recorder, seen and head are where w, request.HTTP and what authentication looks at lie: a request is one piece of memory.
	recorder front.Recorder
	seen     service.HTTPRequest
	head     auth.Head
	// release, when set, gives back the room that an unproven body took.
	release func()
	// in and out are the input and the output of the operation, as far as it came to them.
	in, out any
	// read is set when the body was read whole before authentication, because its signature covers a hash that it does not carry.
	read bool
}

// ServeHTTP answers one call.
func (p *Plane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := front.MatchOf(r)
	_, query, _ := strings.Cut(r.RequestURI, "?")
	id := NewRequestID(p.Random)
	x := &exchange{http: r, wire: wire.Request{
		Method: r.Method, RawPath: m.Rest, RawQuery: query, Host: r.Host, Header: r.Header, Body: r.Body, ContentLength: r.ContentLength,
		ID: id,
	}}
	x.request = service.Request{
		ID: id, Account: p.Account, Region: p.Region, Time: p.Clock.Now(), SourceIP: front.Peer(r), UserAgent: r.UserAgent(), Secure: front.Secure(r) || p.Loopback,
		Trace: r.Header.Get("X-Amzn-Trace-Id"),
		HTTP:  &x.seen,
	}
	x.seen = service.HTTPRequest{Method: r.Method, RawTarget: r.RequestURI, Host: r.Host, Header: r.Header.Get}
	if r.TLS != nil {
		x.seen.TLSVersion = strings.TrimPrefix(tls.VersionName(r.TLS.Version), "TLS ")
	}
	x.w = front.Record(w, &x.recorder)
	var err error
	defer func() { p.answered(x, err) }()
	err = p.serve(r.Context(), x, m)
	if m.Access != nil {
		x.note(m.Access)
		m.Access.ErrorCode = service.Code(err)
	}
	if err != nil {
		p.fail(r.Context(), x, err)
	}
}

// serve answers the request, or returns the error to answer with.
func (p *Plane) serve(ctx context.Context, x *exchange, m *front.Match) error {
	var err error
	if x.api, err = p.identify(x, m); err != nil {
		return err
	}
	entry := p.Registry.entries[x.api.Name]
	x.request.API = x.api.Name
	if entry.preflight != nil && entry.preflight(x.w, x.http, x.wire.RawPath) {
		return nil
	}
	if entry.form != nil && isUploadForm(x.http) {
		return p.serveForm(ctx, x, entry)
	}
	x.limitBody()
	err = p.authenticate(ctx, x, m)
	if x.release != nil {
		x.release()
	}
	if err != nil {
		return err
	}
	if x.op == nil {
		if x.op, err = x.api.Match(&x.wire); err != nil {
			return err
		}
	}
	return p.answer(ctx, x, entry)
}

// answer decodes a call whose caller and operation are known, has it run, and writes what it returns.
func (p *Plane) answer(ctx context.Context, x *exchange, e *entry) error {
	op := x.op
	x.request.Operation = op.Name
	if !op.Implemented() {
		return op.NotImplemented()
	}
	in := op.Binding.New()
	if err := op.Decode(&x.wire, in); err != nil {
		return err
	}
	if err := op.Validate(&x.wire, in); err != nil {
		return err
	}
	ctx = service.WithRequest(ctx, &x.request)
	x.in = in
	out, err := p.Door.run(ctx, e.operations[op.Name], &x.request, in)
	if err != nil {
		return err
	}
	x.out = out
	return op.WriteResponse(ctx, x.w, &x.wire, out)
}

// identify finds the API: by the route's host, by the request's target or signature, and for a request without
// any of these by elimination: only S3 serves plain paths to callers without credentials.
func (p *Plane) identify(x *exchange, m *front.Match) (*wire.API, error) {
	if m.Route != nil {
		if a := p.services.API(m.Route.API); a != nil {
			return a, nil
		}
	}
	signing := signingName(x.http, x.wire.RawQuery)
	if signing == objectLambda || signing == directoryBuckets {
		signing = "s3"
	}
	if signing == "" && x.http.Header.Get("X-Amz-Target") == "" && x.http.Header.Get("Smithy-Protocol") == "" && !isForm(x.http) {
		signing = "s3"
	}
	if signing == "s3" && strings.HasPrefix(x.wire.RawPath, controlPath) && x.http.Header.Get("X-Amz-Account-Id") != "" {
		return p.services.API("s3control"), nil
	}
	return p.services.Identify(signing, &x.wire)
}

// controlPath begins the paths of S3's control API, which is signed for S3 too and told from it by this and by its header with the account.
const controlPath = "/v20180820/"

// The signing names of the operations of S3 that are not signed for S3.
const (
	objectLambda     = "s3-object-lambda"
	directoryBuckets = "s3express"
)

func isForm(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") || strings.Contains(r.RequestURI, "Action=")
}

// signingName returns the service in the scope of a request's signature, unproven, or "".
func signingName(r *http.Request, query string) string {
	if header := r.Header.Get("Authorization"); header != "" {
		_, credential, _ := strings.Cut(header, "Credential=")
		credential, _, _ = strings.Cut(credential, ",")
		return scopeService(credential, "/")
	}
	for part := range strings.SplitSeq(query, "&") {
		if credential, ok := strings.CutPrefix(part, "X-Amz-Credential="); ok {
			if strings.Contains(credential, "/") {
				return scopeService(credential, "/")
			}
			return scopeService(strings.ToUpper(credential), "%2F")
		}
		if strings.HasPrefix(part, "AWSAccessKeyId=") {
			return "s3"
		}
	}
	return ""
}

// scopeService returns the last element but one of a credential: KEY/DATE/REGION/SERVICE/aws4_request, or for
// SigV4a KEY/DATE/SERVICE/aws4_request.
func scopeService(credential, separator string) string {
	if strings.Count(credential, separator) < 3 {
		return ""
	}
	credential = credential[:strings.LastIndex(credential, separator)]
	return strings.ToLower(credential[strings.LastIndex(credential, separator)+len(separator):])
}

// authenticate proves the caller, and puts the verifying reader in the place of the body.
func (p *Plane) authenticate(ctx context.Context, x *exchange, m *front.Match) error {
	_, forgeable := front.Forgeable(x.http)
	x.head = auth.Head{
		Request: sigv4.FromHTTP(x.http),
		Options: sigv4.Options{S3: x.api.SigningName == "s3", Services: p.Registry.entries[x.api.Name].signing, Bucket: m.Var("bucket")},
		Family:  auth.FamilyOf(x.api.Name),
		Local:   p.local(x.http, forgeable),
		Body:    func() (string, error) { return p.hashBody(x) },
	}
	proof, err := p.Authenticator.Authenticate(ctx, &x.head)
	if err != nil {
		return err
	}
	if region := m.Var("region"); region != "" {
		x.request.Region = region
	}
	x.identified(proof)
	x.request.HTTP.Presigned = proof.Presigned
	if proof.Presigned && x.head.Options.S3 {
		headersOfQuery(x.http.Header, x.wire.RawQuery)
	}
	if proof.Payload == nil || x.read {
		return nil
	}
	x.wire.Body = &verified{Reader: proof.Payload.Reader(p.patiently(x)), family: x.head.Family}
	if proof.Payload.Length >= 0 {
		x.wire.ContentLength = proof.Payload.Length
	}
	return nil
}

// Caller proves who sent a request to a data plane of the API named api that its service serves itself, and whose whole body is given. A request
// without a signature is by the anonymous principal.
func (p *Plane) Caller(r *http.Request, api string, body []byte) (service.Principal, error) {
	_, forgeable := front.Forgeable(r)
	proof, err := p.Authenticator.Authenticate(r.Context(), &auth.Head{
		Request: sigv4.FromHTTP(r), Options: sigv4.Options{Services: []string{api}}, Family: auth.FamilyOf(api), Local: p.local(r, forgeable),
		Body: func() (string, error) { return sigv4.Hash(body), nil },
	})
	if err != nil {
		return service.Principal{}, err
	}
	if proof.Payload != nil {
		whole := &verified{Reader: proof.Payload.Reader(bytes.NewReader(body)), family: auth.FamilyOf(api)}
		if _, err := io.Copy(io.Discard, whole); err != nil {
			return service.Principal{}, err
		}
	}
	return proof.Principal, nil
}

// local reports whether the conventional pair may be used for a request.
func (p *Plane) local(r *http.Request, forgeable bool) bool {
	return auth.LocalAllowed(auth.LocalFacts{
		Enabled: p.LocalKeys, LoopbackListener: p.Loopback, LoopbackPeer: front.Peer(r).IsLoopback() && !front.Sandboxed(r), Forgeable: forgeable,
	})
}

// verified is a body under verification whose errors are those that a client may see.
type verified struct {
	*sigv4.Reader

	family sigv4.Family
}

// Read reads proven bytes; see [sigv4.Reader.Read].
func (v *verified) Read(b []byte) (int, error) {
	n, err := v.Reader.Read(b)
	var e *sigv4.Error
	if errors.As(err, &e) {
		err = auth.Refusal(e, v.family)
	}
	return n, err
}

// fail answers with an error, and logs it when the client is not told its text.
func (p *Plane) fail(ctx context.Context, x *exchange, err error) {
	var known *service.Error
	if !errors.As(err, &known) && ctx.Err() == nil {
		p.Log.ErrorContext(ctx, "call failed", slog.String("request_id", x.request.ID), slog.String("service", x.request.API),
			slog.String("operation", x.request.Operation), slog.Any("error", err))
	}
	if x.w.Status != 0 {
		// The answer has begun; ending the connection is the only way left to say that it is not whole.
		panic(http.ErrAbortHandler)
	}
	api := x.api
	if api == nil {
		api = p.services.API("sts") // its errors are XML that every SDK reads
	}
	if e := api.WriteError(x.w, &x.wire, err); e != nil && ctx.Err() == nil {
		p.Log.ErrorContext(ctx, "error could not be sent", slog.String("request_id", x.request.ID), slog.Any("error", e))
		if x.w.Status == 0 {
			x.w.WriteHeader(http.StatusInternalServerError) // whatever happens, a refusal is never told as a success
		}
	}
}

// note fills in what the door knows of a request in the access log.
func (x *exchange) note(e *access.Entry) {
	e.RequestID, e.Service, e.Operation = x.request.ID, x.request.API, x.request.Operation
	e.Principal, e.Region = x.request.Principal.ARN, x.request.Region
}

// answered tells the service of the API of an exchange that has ended.
func (p *Plane) answered(x *exchange, err error) {
	if x.api == nil {
		return
	}
	tell := p.Registry.entries[x.api.Name].answered
	if tell == nil {
		return
	}
	tell(&service.Exchange{
		Request: &x.request, RawPath: x.wire.RawPath, Protocol: x.http.Proto, TLS: x.http.TLS, In: x.in, Out: x.out,
		Status: x.w.Status, Code: service.Code(err), Bytes: x.w.Written, Duration: p.Clock.Now().Sub(x.request.Time),
	})
}
