package ssm

import (
	"context"
	"strings"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// place is the account and the region that own parameters.
type place struct{ account, region string }

func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

func (p place) root(kind string) key.Key      { return key.New("ssm", kind, p.account, p.region) }
func (p place) parameters() key.Key           { return p.root("p") }
func (p place) parameter(name string) key.Key { return p.parameters().Str(pathOf(name)) }
func (p place) versions(name string) key.Key  { return p.root("v").Str(pathOf(name)) }
func (p place) version(name string, n int64) key.Key {
	return p.versions(name).Uint(uint64(n))
}

// pathOf returns the form of a name that all spellings of it share.
func pathOf(name string) string { return "/" + strings.TrimPrefix(name, "/") }

// arn returns the ARN of a parameter, see
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-access.html.
func (p place) arn(name string) string {
	return "arn:aws:ssm:" + p.region + ":" + p.account + ":parameter" + pathOf(name)
}

// nameIn returns the name that an ARN of a parameter of p names, or name itself when it is none.
func (p place) nameIn(name string) (string, bool) {
	if !strings.HasPrefix(name, "arn:") {
		return name, true
	}
	rest, ok := strings.CutPrefix(name, "arn:aws:ssm:"+p.region+":"+p.account+":parameter")
	if ok && strings.Count(rest, "/") == 1 {
		rest = rest[1:]
	}
	return rest, ok
}
