package dispatch

import (
	"context"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/wire"
)

// ServeRequest implements [port.Requests]: the request is decoded, authorised and answered as one that came over the network and was signed by
// the principal of c.
func (p *Plane) ServeRequest(w http.ResponseWriter, r *http.Request, c *port.ServiceRequest) {
	path, query, _ := strings.Cut(r.URL.RequestURI(), "?")
	x := &exchange{http: r, wire: wire.Request{
		Method: r.Method, RawPath: path, RawQuery: query, Host: r.Host, Header: r.Header, Body: r.Body, ContentLength: r.ContentLength,
		ID: c.Caller.ID,
	}}
	x.request = c.Caller
	x.request.Time, x.request.Secure, x.request.HTTP = p.Clock.Now(), true, &x.seen
	x.seen = service.HTTPRequest{Method: r.Method, RawTarget: r.URL.RequestURI(), Host: r.Host, Header: r.Header.Get}
	x.w = front.Record(w, &x.recorder)
	var err error
	defer func() { p.answered(x, err) }()
	if err = p.serveFor(r.Context(), x, c); err != nil {
		p.fail(r.Context(), x, err)
	}
}

// serveFor answers a request whose caller is known.
func (p *Plane) serveFor(ctx context.Context, x *exchange, c *port.ServiceRequest) error {
	var err error
	if c.Action != "" {
		x.api, err = p.act(x, c.Service, c.Action)
	} else {
		x.api, err = p.services.Identify(c.Service, &x.wire)
	}
	if err != nil {
		return err
	}
	x.request.API = x.api.Name
	x.limitBody()
	if x.op, err = x.api.Match(&x.wire); err != nil {
		return err
	}
	return p.answer(ctx, x, p.Registry.entries[x.api.Name])
}

// act makes the request one of an operation by its name, in the protocol that API Gateway speaks to the service: JSON where that is the API's only
// one, and forms otherwise.
func (p *Plane) act(x *exchange, name, action string) (*wire.API, error) {
	a, err := p.services.Identify(name, &x.wire)
	if err != nil {
		return nil, err
	}
	switch {
	case a.Has(awsapi.Query):
		if x.wire.RawQuery != "" {
			x.wire.RawQuery += "&"
		}
		x.wire.RawQuery += "Action=" + action + "&Version=" + a.Version
		x.wire.Header = x.wire.Header.Clone()
		if t := x.wire.Header.Get("Content-Type"); !strings.HasPrefix(t, "application/x-www-form-urlencoded") {
			x.wire.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if t != "" && x.wire.ContentLength > 0 { // what is not a form is no parameter
				x.wire.Body, x.wire.ContentLength = http.NoBody, 0
			}
		}
	case a.Has(awsapi.JSON):
		x.wire.Header = x.wire.Header.Clone()
		x.wire.Header.Set("X-Amz-Target", a.TargetPrefix+"."+action)
		x.wire.Header.Set("Content-Type", "application/x-amz-json-"+a.JSONVersion)
	default:
		return nil, &service.Error{
			Code: "UnknownOperationException", Status: http.StatusBadRequest,
			Message: "The service " + name + " is called by paths. Give the integration a URI of the form arn:aws:apigateway:REGION:" + name + ":path/PATH instead of action/" + action + ".",
		}
	}
	return a, nil
}

var _ port.Requests = (*Plane)(nil)
