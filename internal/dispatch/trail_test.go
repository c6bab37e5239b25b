package dispatch_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"testing"

	"lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/dispatch"
	"lambent.dev/lambent/internal/service"
)

// trail keeps what it is told.
type trail struct{ told []string }

func (t *trail) Note(_ context.Context, n *service.CallNote) {
	line := n.Service + " " + n.Request.Operation
	if n.ReadOnly {
		line += " read-only"
	}
	if n.Err != nil {
		line += " " + service.Code(n.Err)
	}
	t.told = append(t.told, line)
}

// judge refuses operations by name.
type judge struct{ refused string }

func (j judge) Authorize(_ context.Context, r *service.Request, _ []service.Target) error {
	if r.Operation == j.refused {
		return service.Errorf("AccessDenied", "no")
	}
	return nil
}

func TestTrailIsToldOfControlPlaneCalls(t *testing.T) {
	s := service.Service{API: sts.API, DataOperations: []string{"GetFederationToken"}, Access: map[string]service.Access{}}
	h := &sts.Handlers{
		GetAccessKeyInfo: func(context.Context, *sts.GetAccessKeyInfoInput) (*sts.GetAccessKeyInfoOutput, error) {
			return nil, errDisk
		},
		GetFederationToken: func(context.Context, *sts.GetFederationTokenInput) (*sts.GetFederationTokenOutput, error) {
			return &sts.GetFederationTokenOutput{}, nil
		},
		GetWebIdentityToken: func(context.Context, *sts.GetWebIdentityTokenInput) (*sts.GetWebIdentityTokenOutput, error) {
			return &sts.GetWebIdentityTokenOutput{}, nil
		},
	}
	s.Operations = h.Bindings()
	for _, name := range []string{"GetAccessKeyInfo", "GetFederationToken", "GetWebIdentityToken"} {
		s.Access[name] = service.OnAny("sts:" + name)
	}
	registry, err := dispatch.NewRegistry([]service.Service{s}, nil)
	if err != nil {
		t.Fatal(err)
	}
	told := &trail{}
	door := dispatch.NewDoor(clock.NewFake(start), rand.Reader, slog.New(slog.DiscardHandler))
	door.Open(registry, judge{refused: "GetWebIdentityToken"})
	door.Watch(told)
	key := &sts.GetAccessKeyInfoInput{AccessKeyId: "AKIAIOSFODNN7EXAMPLE"}
	delivery := service.RequestFrom(as(t, rootPrincipal()))
	delivery.Delivery = true
	for _, call := range []struct {
		ctx       context.Context
		operation string
		in        any
	}{
		{as(t, rootPrincipal()), "GetAccessKeyInfo", key},
		{as(t, rootPrincipal()), "GetFederationToken", &sts.GetFederationTokenInput{Name: "name"}},
		{as(t, rootPrincipal()), "GetWebIdentityToken", &sts.GetWebIdentityTokenInput{Audience: []string{"a"}, SigningAlgorithm: "RS256"}},
		{service.WithRequest(t.Context(), delivery), "GetAccessKeyInfo", key},
	} {
		_, _ = door.Call(call.ctx, "sts", call.operation, call.in)
	}
	want := []string{"sts GetAccessKeyInfo read-only InternalFailure", "sts GetWebIdentityToken read-only AccessDenied"}
	if !slices.Equal(told.told, want) {
		t.Errorf("told %q, want %q", told.told, want)
	}
}
