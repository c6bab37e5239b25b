package apigatewayv2

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/front"
	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/reach"
)

// callBackend sends the request to an HTTP backend, and puts the headers of its answer into header. Redirects are answers like others.
func (x *exchange) callBackend(ctx context.Context, out *outgoing, header http.Header) (*reply, *refusal) {
	r, err := x.backendRequest(out)
	if err != nil {
		return nil, misconfigured(err)
	}
	step := x.trace.StepText("integration", x.outcome(nil, func() trace.Text {
		return trace.Text{Line: r.Method + " " + r.URL.Scheme + "://" + r.URL.Host + r.URL.Opaque, Head: trace.Map(r.Header), Body: x.body}
	}))
	got, err := x.fetch(r.WithContext(ctx))
	var refused *refusal
	switch {
	case errors.Is(err, backend.ErrAnswerTooLarge), errors.Is(err, reach.ErrBlocked):
		refused = misconfigured(err)
	case err != nil:
		refused = &refusal{status: http.StatusServiceUnavailable, message: "Service Unavailable", err: fmt.Errorf("the backend %s://%s gave no answer: %w", r.URL.Scheme, r.URL.Host, err)}
	}
	step.EndText(x.outcome(refused, func() trace.Text { return messageText(got.Status, trace.Map(got.Header), got.Body) }))
	if refused != nil {
		return nil, refused
	}
	for name, values := range got.Header {
		if x.keeps(name) {
			header[name] = values
		}
	}
	if length := got.Header["Content-Length"]; x.request.Method == http.MethodHead && len(length) == 1 {
		header["Content-Length"] = length
	}
	x.cors.Allow(header, x.request)
	return &reply{status: got.Status, header: header, body: got.Body}, nil
}

// way is how a backend is reached: the name that its certificate must have, "" for that of its URL, and the network that it is in.
type way struct {
	serverName string
	network    reach.Network
}

// transport returns the HTTP client for a way.
func (g *Gateway) transport(to way) (*backend.Transport, error) {
	return g.transports.Get(to, func() (backend.TransportOptions, error) {
		o := backend.TransportOptions{Dial: g.options.Reach.Dialer(to.network)}
		if to.serverName != "" {
			o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: to.serverName}
		}
		return o, nil
	})
}

// fetch sends a request to the backend of the integration.
func (x *exchange) fetch(r *http.Request) (*backend.Answer, error) {
	t, err := x.gateway.transport(x.route.integration.way)
	if err != nil {
		return nil, err
	}
	return t.Fetch(r)
}

// backendRequest makes the request to an HTTP backend.
func (x *exchange) backendRequest(out *outgoing) (*http.Request, error) {
	i := x.route.integration
	target, err := backendURL(i.uri.text(func(name string) string { return x.param(name).raw }), out)
	if err != nil {
		return nil, err
	}
	method := i.method
	if method == "" || method == "ANY" {
		method = x.request.Method
	}
	r := &http.Request{Method: method, URL: target, Header: x.backendHeader(out.request), ContentLength: int64(len(x.body)), ProtoMajor: 1, ProtoMinor: 1}
	if len(x.body) > 0 {
		r.Body = backend.NewWhole(x.body)
		r.GetBody = func() (io.ReadCloser, error) { return backend.NewWhole(x.body), nil }
	}
	return r, nil
}

// backendURL is the URL of a backend for a request: that of the integration, with the path of the request in place of its own where a mapping says so, and
// the query of the request behind its own. Paths go out as they are written.
func backendURL(text string, out *outgoing) (*url.URL, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	host, path := rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if !ok || host == "" || strings.ContainsAny(host, "@ ") {
		return nil, fmt.Errorf("the URI %q of the integration is no URL of a backend", text)
	}
	path, query, _ := strings.Cut(path, "?")
	if out.overwritten {
		path = out.path
	}
	if path == "" {
		path = "/"
	}
	switch {
	case out.query == "":
	case query == "":
		query = out.query
	default:
		query += "&" + out.query
	}
	if query != "" {
		path += "?" + query
	}
	return &url.URL{Scheme: scheme, Host: host, Opaque: path}, nil
}

// backendHeader are the headers for an HTTP backend: those of the request without what is between the client and the gateway alone (RFC 9110, section 7.6.1).
// What the X-Forwarded headers said goes into Forwarded (RFC 7239;
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-http.html).
func (x *exchange) backendHeader(from *http.Request) http.Header {
	h := make(http.Header, len(from.Header)+2)
	named := strings.Split(strings.Join(from.Header["Connection"], ","), ",")
	for name, values := range from.Header {
		switch name {
		case "Connection", "Content-Length", "Expect", "Forwarded", "Host", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding",
			"Upgrade", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto":
			continue
		}
		if !slices.ContainsFunc(named, func(n string) bool { return strings.EqualFold(strings.TrimSpace(n), name) }) {
			h[name] = values
		}
	}
	h["Forwarded"] = []string{x.forwarded(from)}
	h["Via"] = append(slices.Clip(from.Header["Via"]), "HTTP/1.1 AmazonAPIGateway")
	return h
}

// forwarded is the value of Forwarded: who the request came from, by way of whom.
func (x *exchange) forwarded(from *http.Request) string {
	elements := slices.Clone(from.Header["Forwarded"])
	for part := range strings.SplitSeq(strings.Join(from.Header["X-Forwarded-For"], ","), ",") {
		if part = strings.TrimSpace(part); part != "" {
			elements = append(elements, "for="+forwardedNode(part))
		}
	}
	scheme := "http"
	if front.Secure(x.request) {
		scheme = "https"
	}
	own := "for=" + forwardedNode(httpevent.ClientIP(x.request)) + ";host=" + quoted(x.request.Host) + ";proto=" + scheme
	return strings.Join(append(elements, own), ", ")
}

// forwardedNode is an address as Forwarded has it (RFC 7239, section 6).
func forwardedNode(address string) string {
	if strings.Contains(address, ":") && !strings.HasPrefix(address, "[") && strings.Count(address, ":") > 1 {
		address = "[" + address + "]"
	}
	return quoted(address)
}

// quoted is a value of a parameter of Forwarded: a token, or a quoted string.
func quoted(value string) string {
	if strings.ContainsAny(value, ":[]\"\\;,= ") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
	}
	return value
}
