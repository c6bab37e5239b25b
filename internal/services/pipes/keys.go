package pipes

import (
	"context"
	"strings"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// place is the account and the region that own something.
type place struct{ account, region string }

func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

// everywhere is where the pipes of all accounts and regions lie.
func everywhere() key.Key { return key.New("pipes") }

func (p place) pipes() key.Key           { return everywhere().Str(p.account).Str(p.region) }
func (p place) pipe(name string) key.Key { return p.pipes().Str(name) }
func (p place) arn(name string) string {
	return arn.New("pipes", p.region, p.account, "pipe/"+name).String()
}

// pipeAt reads the ARN of a pipe.
func pipeAt(text string) (pipeID, bool) {
	a, err := arn.Parse(text)
	name, ok := strings.CutPrefix(a.Resource, "pipe/")
	return pipeID{place{a.Account, a.Region}, name}, err == nil && ok
}

// pipeID names a pipe.
type pipeID struct {
	place

	name string
}
