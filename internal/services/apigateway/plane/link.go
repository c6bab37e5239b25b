package plane

import (
	"context"
	"fmt"

	"lambent.dev/lambent/internal/lib/reach"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// A private integration reaches what its URI names through the network of this machine, and may go where other integrations may not: to private networks
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-private-integration.html). The load balancer that the link names is not looked at.

// network is what an integration's backend is in.
func (c *call) network() reach.Network {
	if c.link != nil {
		return reach.PrivateNetwork
	}
	return reach.Internet
}

// checkLink fails when the VPC link of the integration does not exist.
func (x *exchange) checkLink(ctx context.Context) *failed {
	link := x.method.call.link
	if link == nil {
		return nil
	}
	id, exists := link.fill(nil, x.variables), false
	err := x.plane.o.Store.View(ctx, func(r store.Reader) (err error) {
		exists, err = record.Has(r, x.Link(id))
		return err
	})
	switch {
	case err != nil:
		return &failed{kind: "DEFAULT_5XX", message: "Internal server error", err: err}
	case !exists:
		return configuration(fmt.Errorf("the VPC link %q of the integration does not exist", id))
	}
	return nil
}
