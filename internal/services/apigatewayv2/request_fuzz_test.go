package apigatewayv2

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/lib/httpevent"
)

// FuzzRequests holds that whatever a client sends finds one route or none, gives events that are JSON, and goes to a backend as one request.
func FuzzRequests(f *testing.F) {
	f.Add("/a/b%2Fc;d//", "x=1&x=%zz&=", "v", []byte(`{"a":{"b":"c"}}`))
	f.Add("//", "&&", "a\tb", []byte("\x00\xff"))
	f.Add("/%00/{x}", "a=b#c", "", []byte(nil))
	c := &config{}
	for i, key := range []string{"GET /a/{x}", "ANY /a/{p+}", "GET /{x}/b", "$default"} {
		id := string(rune('a' + i))
		c.Routes = append(c.Routes, route{Route: api.Route{RouteKey: key, RouteId: ptr(id), AuthorizationType: authNone, Target: ptr("integrations/i")}})
	}
	c.Integrations = []integration{{Integration: api.Integration{
		IntegrationId: ptr("i"), IntegrationType: kindHTTPProxy, IntegrationMethod: ptr("ANY"), IntegrationUri: ptr("http://backend.example/base/{x}?own=1"), TimeoutInMillis: ptr(int32(1000)),
		RequestParameters: map[string]string{
			"append:header.X-A": "$request.querystring.x", "overwrite:header.X-B": "$request.body.a.b", "append:querystring.q": "$request.path.x", "overwrite:path": "/${request.header.X-In}/${request.path.p}",
		},
	}}}
	t := &table{scope: scope{"000000000000", "us-east-1"}, api: "api1", stage: defaultStage, routes: compile(c, nil)}
	f.Fuzz(func(ft *testing.T, path, query, header string, body []byte) {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path+query, " ?\r\n\x00\x7f") || !httpevent.ValidHeader("X-In", header) {
			ft.Skip("no client can send this")
		}
		r := &http.Request{Method: http.MethodGet, RequestURI: path + "?" + query, Host: "h", Proto: "HTTP/1.1", Header: http.Header{"X-In": {header}, "X-Amzn-Trace-Id": {"t"}}, RemoteAddr: "192.0.2.1:1"}
		x := &exchange{table: t, gateway: &Gateway{}, request: r.WithContext(ft.Context()), to: domain.Target{Path: path}, id: "id", body: body}
		if refused := x.find(); refused != nil {
			if refused.status != http.StatusBadRequest || !strings.Contains(path, "%") {
				ft.Fatalf("%q is refused with %d, and there is $default", path, refused.status)
			}
			return
		}
		plain := &outgoing{request: x.request, path: path, query: query}
		for _, event := range [][]byte{x.event(nil, plain), x.eventOne(nil, plain)} {
			if !json.Valid(event) {
				ft.Errorf("the event is no JSON: %s", event)
			}
		}
		out, refused := x.prepare()
		if refused != nil {
			return
		}
		sent, err := x.backendRequest(out)
		if err != nil {
			ft.Fatal(err)
		}
		if sent.URL.Host != "backend.example" || !strings.HasPrefix(sent.URL.Opaque, "/") || strings.ContainsAny(sent.URL.Opaque, " \r\n\x00") {
			ft.Errorf("the request goes to %q with %q", sent.URL.Host, sent.URL.Opaque)
		}
		for name, values := range sent.Header {
			for _, v := range values {
				if !httpevent.ValidHeader(name, v) {
					ft.Errorf("the header %q has %q", name, v)
				}
			}
		}
	})
}
