package apigatewayv2

import (
	"context"
	"maps"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/services/apigatewayv2/portal"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxTags is AWS's quota for one resource.
const maxTags = 50

// tagged is a resource with tags.
type tagged struct {
	tags map[string]string
	// save stores the resource with other tags.
	save func(tx store.Txn, tags map[string]string) error
}

// findTagged returns what an ARN of the form arn:aws:apigateway:<region>::/<path> names. Those of portals and their products have an account.
func findTagged(r store.Reader, s scope, arn string) (tagged, error) {
	if tags, save, ok, err := portal.Tagged(r, portal.Scope{Account: s.account, Region: s.region}, arn); ok {
		return tagged{tags, save}, err
	}
	_, path, _ := strings.Cut(arn, "::/")
	switch parts := strings.Split(path, "/"); {
	case len(parts) == 2 && parts[0] == "apis":
		a, err := load(r, s, parts[1])
		return tagged{a.Tags, func(tx store.Txn, tags map[string]string) error {
			a.Tags = tags
			return record.Set(tx, s.api(a.ID), a)
		}}, err
	case len(parts) == 4 && parts[0] == "apis" && parts[2] == "stages":
		st, err := loadStage(r, s, parts[1], parts[3])
		return tagged{st.Tags, func(tx store.Txn, tags map[string]string) error {
			st.Tags = tags
			return record.Set(tx, s.stage(parts[1], parts[3]), st)
		}}, err
	case len(parts) == 2 && parts[0] == "vpclinks":
		l, err := loadLink(r, s, parts[1])
		return tagged{l.Tags, func(tx store.Txn, tags map[string]string) error {
			l.Tags = tags
			return record.Set(tx, s.link(l.ID), l)
		}}, err
	case len(parts) == 2 && parts[0] == "domainnames":
		n, err := domain.Load(r, domain.Scope{Account: s.account, Region: s.region}, parts[1])
		return tagged{n.Tags, func(tx store.Txn, tags map[string]string) error {
			n.Tags = tags
			return domain.Save(tx, domain.Scope{Account: s.account, Region: s.region}, &n)
		}}, err
	}
	return tagged{}, badRequest("Invalid resource ARN %s: give the ARN of an API, a stage, a custom domain name, a VPC link, a portal or a portal product.", arn)
}

// editTags runs fn on the tags of what arn names.
func (g *Gateway) editTags(ctx context.Context, arn string, fn func(tags map[string]string)) error {
	return g.deps.Store.Update(ctx, func(tx store.Txn) error {
		t, err := findTagged(tx, scopeOf(ctx), arn)
		if err != nil {
			return err
		}
		tags := maps.Clone(t.tags)
		if tags == nil {
			tags = map[string]string{}
		}
		if fn(tags); len(tags) > maxTags {
			return badRequest("A resource has at most %d tags.", maxTags)
		}
		return t.save(tx, tags)
	})
}

func (g *Gateway) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return &api.TagResourceOutput{}, g.editTags(ctx, in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

func (g *Gateway) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return &api.UntagResourceOutput{}, g.editTags(ctx, in.ResourceArn, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
}

func (g *Gateway) getTags(ctx context.Context, in *api.GetTagsInput) (*api.GetTagsOutput, error) {
	out := &api.GetTagsOutput{Tags: map[string]string{}}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		t, err := findTagged(r, scopeOf(ctx), in.ResourceArn)
		maps.Copy(out.Tags, t.tags)
		return err
	})
	return out, err
}
