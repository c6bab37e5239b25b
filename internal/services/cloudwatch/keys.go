package cloudwatch

import (
	"context"
	"crypto/sha256"
	"time"

	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// scope is the account and region of a call; every key begins with them.
type scope struct{ account, region string }

func scopeOf(ctx context.Context) scope {
	r := service.RequestFrom(ctx)
	return scope{r.Account, r.Region}
}

func (s scope) root(kind string) key.Key { return key.New("cloudwatch", s.account, s.region, kind) }
func (s scope) metrics() key.Key         { return s.root("m") }
func (s scope) swept() key.Key           { return s.root("e") }

func (s scope) metric(namespace, name string, d digest) key.Key {
	return s.metrics().Str(namespace).Str(name).Raw(d[:])
}

// points are those of a metric under a unit in a tier.
func (s scope) points(d digest, unit string, t tier) key.Key {
	return s.root("p").Raw(d[:]).Str(unit).Uint(uint64(t.period / time.Second))
}

func (s scope) point(d digest, unit string, t tier, at time.Time) key.Key {
	return s.points(d, unit, t).Int(at.Unix())
}

// digest stands for a namespace, a name and a set of dimensions.
type digest [16]byte

// digestOf returns the digest of a metric, whose dimensions are sorted.
func digestOf(namespace, name string, dimensions []meter.Dimension) (d digest) {
	k := key.New(namespace, name)
	for _, m := range dimensions {
		k = k.Str(m.Name).Str(m.Value)
	}
	sum := sha256.Sum256(k)
	copy(d[:], sum[:])
	return d
}
