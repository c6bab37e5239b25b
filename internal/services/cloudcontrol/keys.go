package cloudcontrol

import (
	"context"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// place is the account and region whose requests a call sees.
type place struct{ account, region string }

func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

func (p place) base(kind string) key.Key { return key.New("cloudcontrol", p.account, p.region, kind) }

func (p place) requests() key.Key { return p.base("request") }
func (p place) request(r *requestRecord) key.Key {
	return p.requests().Time(r.Asked).Str(r.Token)
}
func (p place) token(token string) key.Key  { return p.base("token").Str(token) }
func (p place) client(token string) key.Key { return p.base("client").Str(token) }
func (p place) busy(typ, identifier string) key.Key {
	return p.base("busy").Str(typ).Str(identifier)
}
