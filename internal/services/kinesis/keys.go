package kinesis

import (
	"context"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// place is the account and the region that own a stream.
type place struct{ account, region string }

func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

func (p place) root(kind string) key.Key { return key.New("kinesis", kind, p.account, p.region) }

func (p place) streams() key.Key           { return p.root("s") }
func (p place) stream(name string) key.Key { return p.root("s").Str(name) }
func (p place) shards() key.Key            { return p.root("h") }
func (p place) logs(name string) key.Key   { return p.root("l").Str(name) }
func (p place) settings() key.Key          { return p.root("a") }
func (p place) arn(name string) string {
	return "arn:aws:kinesis:" + p.region + ":" + p.account + ":stream/" + name
}

// of returns the key of one kind of things that belong to a stream.
func (ref streamRef) of(kind string) key.Key { return ref.place.root(kind).Str(ref.name).Uint(ref.id) }

func (ref streamRef) shards() key.Key              { return ref.of("h") }
func (ref streamRef) shard(n uint64) key.Key       { return ref.of("h").Uint(n) }
func (ref streamRef) log(n uint64) key.Key         { return ref.of("l").Uint(n) }
func (ref streamRef) consumers() key.Key           { return ref.of("c") }
func (ref streamRef) consumer(name string) key.Key { return ref.of("c").Str(name) }
func (ref streamRef) bodies() key.Key              { return ref.of("b") }
func (ref streamRef) body(id blob.ID) key.Key      { return ref.of("b").Str(string(id)) }
func holdKey(id blob.ID) key.Key                   { return key.New("kinesis", "o", string(id)) }
