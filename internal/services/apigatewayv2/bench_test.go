package apigatewayv2

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/gateway/domain"
)

// BenchmarkServe measures the plane without the network: a request to a function that answers at once, with an access log, rates and a trace; open, and with a
// token that was seen before.
func BenchmarkServe(b *testing.B) {
	from := newIssuer(b)
	s := newSite(b, from)
	z := s.authorizer(&api.CreateAuthorizerInput{
		Name: "jwt", AuthorizerType: authorizerJWT, IdentitySource: []string{"$request.header.Authorization"}, JwtConfiguration: &api.JWTConfiguration{Issuer: ptr(issuerURL), Audience: []string{"app"}},
	})
	s.route(&api.CreateRouteInput{RouteKey: "GET /open/{id}"}, proxy("f", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: "GET /one/{id}"}, proxy("f", "1.0"))
	s.route(&api.CreateRouteInput{RouteKey: "GET /jwt/{id}", AuthorizationType: authJWT, AuthorizerId: &z}, proxy("f", "2.0"))
	if _, err := s.gateway.updateStage(s.ctx, &api.UpdateStageInput{
		ApiId: s.id, StageName: defaultStage,
		AccessLogSettings: &api.AccessLogSettings{DestinationArn: ptr("arn:aws:logs:us-east-1:000000000000:log-group:/apis"), Format: ptr("$context.requestId $context.status $context.routeKey $context.responseLatency")},
	}); err != nil {
		b.Fatal(err)
	}
	t, err := s.gateway.table(b.Context(), s.id, defaultStage)
	if err != nil {
		b.Fatal(err)
	}
	token := "Bearer " + from.token(b, map[string]any{"iss": issuerURL, "aud": "app", "sub": "alice", "exp": s.clock.Now().Add(time.Hour).Unix()})
	for name, path := range map[string]string{"open": "/open/1", "one": "/one/1", "jwt": "/jwt/1"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "http://127.0.0.1:4566"+path+"?q=1", http.NoBody)
				r.RequestURI = path + "?q=1"
				r.Header["Authorization"] = []string{token}
				w := httptest.NewRecorder()
				s.gateway.serveHTTP(w, r, t, domain.Target{Path: path})
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
				s.events["f"], s.lines = nil, nil
				s.clock.Advance(time.Millisecond) // the rates have to flow in again
			}
		})
	}
}
