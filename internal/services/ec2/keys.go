package ec2

import (
	"context"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// scope is an account in a region, which is where an object is.
type scope struct{ account, region string }

func scopeOf(ctx context.Context) scope {
	r := service.RequestFrom(ctx)
	return scope{r.Account, r.Region}
}

func (s scope) table(name string) key.Key { return key.New("ec2", s.account, s.region, name) }

func (s scope) objects(kind string) key.Key    { return s.table("obj").Str(kind) }
func (s scope) object(kind, id string) key.Key { return s.objects(kind).Str(id) }
func (s scope) allTags() key.Key               { return s.table("tag") }
func (s scope) tags(id string) key.Key         { return s.allTags().Str(id) }
func (s scope) tag(id, name string) key.Key    { return s.tags(id).Str(name) }
func (s scope) users(id string) key.Key        { return s.table("ref").Str(id) }
func (s scope) settled() key.Key               { return s.table("default") }

// arn names an object.
func (s scope) arn(kind, id string) string {
	return arn.New("ec2", s.region, s.account, kind+"/"+id).String()
}
