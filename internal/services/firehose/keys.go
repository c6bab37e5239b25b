package firehose

import (
	"context"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// place is the account and the region that own a delivery stream.
type place struct{ account, region string }

func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

func (p place) root(kind string) key.Key   { return key.New("firehose", kind, p.account, p.region) }
func (p place) streams() key.Key           { return p.root("s") }
func (p place) stream(name string) key.Key { return p.root("s").Str(name) }
func (p place) arn(name string) string {
	return "arn:aws:firehose:" + p.region + ":" + p.account + ":deliverystream/" + name
}

func allStreams() key.Key { return key.New("firehose", "s") }

// ref names a delivery stream; it holds all that keys need.
type ref struct {
	place place
	name  string
	id    uint64
}

func (r ref) of(kind string) key.Key          { return r.place.root(kind).Str(r.name).Uint(r.id) }
func (r ref) log() key.Key                    { return r.of("l") }
func (r ref) plan() key.Key                   { return r.of("p") }
func (r ref) checkpoint(shard string) key.Key { return r.of("k").Str(shard) }
