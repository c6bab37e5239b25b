package apigateway

import (
	"context"
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/gateway/throttle"
	"lambent.dev/lambent/internal/gateway/vpcendpoint"
	"lambent.dev/lambent/internal/lib/tokenbucket"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

var start = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// harness is the service on a store in memory.
type harness struct {
	*Gateway

	ctx     context.Context //nolint:containedctx // the context of the test
	service service.Service
	clock   *clock.Fake
	store   store.Store
}

// networks has one VPC endpoint in every account.
type networks struct{ port.Networks }

func (networks) Endpoint(_ context.Context, id, name string) (vpc string, err error) {
	if id != "vpce-0abc" || name != "execute-api" {
		return "", service.Errorf("InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '%s' does not exist", id)
	}
	return "vpc-0abc", nil
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	h := &harness{clock: clock.NewFake(start), store: mem.New(), ctx: fake.Root(t.Context(), "000000000000", "us-east-1")}
	deps := service.Deps{Store: h.store, Door: &fake.Door{}, Clock: h.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), BaseURL: "http://127.0.0.1:4566"}
	h.Gateway = &Gateway{deps: deps, options: Options{Keys: fake.Keys{}, Domains: domain.New(deps, domain.Options{Endpoints: &vpcendpoint.Endpoints{Networks: networks{}, Heard: true}}), Rates: throttle.New(tokenbucket.Limit{Rate: 10_000, Burst: 5_000})}}
	h.service = h.describe()
	t.Cleanup(func() {
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}
