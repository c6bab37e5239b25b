package apigatewayv2

import (
	"context"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/test/recorded"
)

// replayed is a gateway on which cases run.
type replayed struct {
	ctx     context.Context //nolint:containedctx // of the case's calls
	service service.Service
}

// Call implements [recorded.Platform].
func (r *replayed) Call(_, operation, input string) (string, *recorded.Failure, error) {
	return recorded.Invoke(r.ctx, &r.service, operation, input, nil)
}

// Advance implements [recorded.Platform].
func (r *replayed) Advance(time.Duration) {}

// TestControlPlane runs cases of our own, after AWS's documentation, in the language of recorded ones.
func TestControlPlane(t *testing.T) {
	recorded.ReplayLive(t, "testdata/control.txtar", "testdata/control_expected.txt", func(t *testing.T) recorded.Platform {
		t.Helper()
		b := newBench(t)
		gateway, _ := New(b.gateway.deps, b.gateway.options)
		return &replayed{ctx: b.ctx, service: gateway}
	})
}

// TestNothingThatIsGivenGetsLost holds the pairs of structs whose members are copied by name: what an input has, its record has, and what an output
// shows comes from there.
func TestNothingThatIsGivenGetsLost(t *testing.T) {
	for _, c := range []struct {
		dst, src any
		missing  string
	}{
		{&api.Route{}, &api.CreateRouteInput{}, "ApiId"},
		{&api.Route{}, &api.UpdateRouteInput{}, "ApiId"},
		{&api.CreateRouteOutput{}, &api.Route{}, ""},
		{&api.RouteResponse{}, &api.CreateRouteResponseInput{}, "ApiId RouteId"},
		{&api.RouteResponse{}, &api.UpdateRouteResponseInput{}, "ApiId RouteId"},
		{&api.CreateRouteResponseOutput{}, &api.RouteResponse{}, ""},
		{&api.Integration{}, &api.CreateIntegrationInput{}, "ApiId"},
		{&api.Integration{}, &api.UpdateIntegrationInput{}, "ApiId"},
		{&api.CreateIntegrationOutput{}, &api.Integration{}, ""},
		{&api.IntegrationResponse{}, &api.CreateIntegrationResponseInput{}, "ApiId IntegrationId"},
		{&api.IntegrationResponse{}, &api.UpdateIntegrationResponseInput{}, "ApiId IntegrationId"},
		{&api.CreateIntegrationResponseOutput{}, &api.IntegrationResponse{}, ""},
		{&api.Authorizer{}, &api.CreateAuthorizerInput{}, "ApiId"},
		{&api.Authorizer{}, &api.UpdateAuthorizerInput{}, "ApiId"},
		{&api.CreateAuthorizerOutput{}, &api.Authorizer{}, ""},
		{&api.Model{}, &api.CreateModelInput{}, "ApiId"},
		{&api.Model{}, &api.UpdateModelInput{}, "ApiId"},
		{&api.CreateModelOutput{}, &api.Model{}, ""},
		{&api.Stage{}, &api.CreateStageInput{}, "ApiId"},
		{&api.Stage{}, &api.UpdateStageInput{}, "ApiId"},
		{&api.CreateStageOutput{}, &api.Stage{}, ""},
		{&api.Api{}, &api.CreateApiOutput{}, ""},
		{&api.CreateVpcLinkOutput{}, &api.VpcLink{}, ""},
		{&api.CreateDomainNameOutput{}, &api.DomainName{}, ""},
		{&api.CreateApiMappingOutput{}, &api.ApiMapping{}, ""},
		{&api.CreateRoutingRuleOutput{}, &api.RoutingRule{}, ""},
	} {
		got := ""
		for _, name := range members.Missing(c.dst, c.src) {
			if got != "" {
				got += " "
			}
			got += name
		}
		if got != c.missing {
			t.Errorf("%T into %T loses %q, want %q", c.src, c.dst, got, c.missing)
		}
	}
}
