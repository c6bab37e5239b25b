package schemas

import (
	"context"
	"fmt"
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

func (p place) root(kind string) key.Key             { return key.New("schemas", kind, p.account, p.region) }
func (p place) registries() key.Key                  { return p.root("r") }
func (p place) registry(name string) key.Key         { return p.registries().Str(name) }
func (p place) schemas(registry string) key.Key      { return p.root("s").Str(registry) }
func (p place) schema(registry, name string) key.Key { return p.schemas(registry).Str(name) }
func (p place) versions(registry, schema string) key.Key {
	return p.root("v").Str(registry).Str(schema)
}
func (p place) discoverers() key.Key         { return p.root("d") }
func (p place) discoverer(id string) key.Key { return p.discoverers().Str(id) }

func (p place) version(registry, schema string, number int64) key.Key {
	return p.versions(registry, schema).Str(fmt.Sprintf("%010d", number)) // in order
}

func (p place) arn(resource string) string {
	return arn.New("schemas", p.region, p.account, resource).String()
}

func (p place) registryARN(name string) string { return p.arn("registry/" + name) }
func (p place) schemaARN(registry, schema string) string {
	return p.arn("schema/" + registry + "/" + schema)
}
func (p place) discovererARN(id string) string { return p.arn("discoverer/" + id) }

// named is what an ARN of this service names: a registry, a schema of one, or a discoverer.
type named struct {
	place

	registry, schema, discoverer string
}

func parseARN(text string) (named, bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "schemas" {
		return named{}, false
	}
	n := named{place: place{a.Account, a.Region}}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	switch kind {
	case "registry":
		n.registry = rest
	case "schema":
		n.registry, n.schema, _ = strings.Cut(rest, "/")
		return n, n.registry != "" && n.schema != ""
	case "discoverer":
		n.discoverer = rest
	}
	return n, n.registry != "" || n.discoverer != ""
}
