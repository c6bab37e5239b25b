package ecr

import (
	"context"
	"strings"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// place is the account and the region of a registry. Its id is the account's.
type place struct{ account, region string }

// placeOf returns the caller's own registry.
func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

// registry returns the registry that a call names by an account's id, or the caller's own.
func registry(ctx context.Context, id *string) place {
	p := placeOf(ctx)
	if opt.Value(id) != "" {
		p.account = *id
	}
	return p
}

func (p place) repositories() key.Key          { return key.New("ecr", "r", p.account, p.region) }
func (p place) repository(name string) key.Key { return p.repositories().Str(name) }
func (p place) arn(name string) string {
	return arn.New("ecr", p.region, p.account, "repository/"+name).String()
}

// uri is where images of a repository are pushed to and pulled from
// (https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html).
func (p place) uri(name string) string {
	return p.account + ".dkr.ecr." + p.region + ".amazonaws.com/" + name
}

// parseARN returns the place and the name of the repository that an ARN names.
func parseARN(text string) (place, string, error) {
	a, err := arn.Parse(text)
	name, ok := strings.CutPrefix(a.Resource, "repository/")
	if err != nil || a.Service != "ecr" || !ok || name == "" {
		return place{}, "", invalid("'resourceArn' failed to satisfy constraint: '%s' is not the ARN of a repository", text)
	}
	return place{a.Account, a.Region}, name, nil
}
