package kms

import (
	"context"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// place is the account and the region that own keys.
type place struct{ account, region string }

func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

func (p place) root(kind string) key.Key { return key.New("kms", kind, p.account, p.region) }

func (p place) keys() key.Key                        { return p.root("k") }
func (p place) key(id string) key.Key                { return p.keys().Str(id) }
func (p place) materials(id string) key.Key          { return p.root("m").Str(id) }
func (p place) material(id string, n uint32) key.Key { return p.materials(id).Uint(uint64(n)) }
func (p place) aliases() key.Key                     { return p.root("a") }
func (p place) alias(name string) key.Key            { return p.aliases().Str(name) }
func (p place) aliasesOf(id string) key.Key          { return p.root("t").Str(id) }
func (p place) grants(id string) key.Key             { return p.root("g").Str(id) }
func (p place) grant(id, grant string) key.Key       { return p.grants(id).Str(grant) }
func (p place) grantsTo(id, grantee string) key.Key  { return p.root("n").Str(id).Str(grantee) }
func (p place) retirableBy(principal string) key.Key { return p.root("y").Str(principal) }
func (p place) lastUse(id string) key.Key            { return p.root("u").Str(id) }
func (p place) regions(id string) key.Key            { return key.New("kms", "r", p.account, id) }
func (p place) created(token string) key.Key         { return key.New("kms", "c", p.account, token) }
func home(id string) key.Key                         { return key.New("kms", "i", id) }
func (p place) arn(id string) string                 { return p.prefix() + "key/" + id }
func (p place) aliasARN(name string) string          { return p.prefix() + name }
func (p place) prefix() string                       { return "arn:aws:kms:" + p.region + ":" + p.account + ":" }
func (p place) in(region string) place               { return place{p.account, region} }
