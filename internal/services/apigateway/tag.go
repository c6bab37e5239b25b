package apigateway

import (
	"context"
	"maps"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxTags is how many tags a resource has at most.
const maxTags = 50

// tagged changes the tags of what an ARN names, arn:aws:apigateway:{region}::/restapis/{id}, in a transaction; change returns the new tags, or nil to leave them.
func tagged(tx store.Txn, s api.Scope, arn string, change func(tags map[string]string) (map[string]string, error)) error {
	if strings.Contains(arn, ":/domainnameaccessassociations/") {
		return domain.TagAssociation(tx, domain.Scope(s), arn, change)
	}
	if own, ref, path, ok := domain.ParseARN(domain.Scope(s), arn); ok && path == "" {
		return tagDomain(tx, domain.Scope(s), own, ref, change)
	}
	_, path, ok := strings.Cut(arn, "::/")
	parts := strings.Split(path, "/")
	if !ok || !strings.HasPrefix(arn, "arn:") || len(parts) < 2 {
		return badRequest("Invalid ARN specified in the request: %s", arn)
	}
	switch {
	case len(parts) == 4 && parts[0] == "restapis" && parts[2] == "stages":
		if _, err := loadAPI(tx, s, parts[1]); err != nil {
			return err
		}
		return retag(tx, s.Stage(parts[1], parts[3]), func(st *api.Stage) *map[string]string { return &st.Tags }, noStage(), change)
	case len(parts) != 2:
	case parts[0] == "restapis":
		return retag(tx, s.API(parts[1]), func(a *api.RestAPI) *map[string]string { return &a.Tags }, noAPI(s, parts[1]), change)
	case parts[0] == "apikeys":
		return retag(tx, s.APIKey(parts[1]), func(k *api.APIKey) *map[string]string { return &k.Tags }, noKey(), change)
	case parts[0] == "usageplans":
		return retag(tx, s.Plan(parts[1]), func(p *api.UsagePlan) *map[string]string { return &p.Tags }, noPlan(), change)
	case parts[0] == "vpclinks":
		return retag(tx, s.Link(parts[1]), func(l *api.VPCLink) *map[string]string { return &l.Tags }, noLink(), change)
	case parts[0] == "clientcertificates":
		return retag(tx, s.Certificate(parts[1]), func(c *api.ClientCertificate) *map[string]string { return &c.Tags }, noCertificate(), change)
	}
	return badRequest("Invalid ARN specified in the request: %s names nothing that has tags", arn)
}

// tagDomain changes the tags of a custom domain name, which the caller has to own.
func tagDomain(tx store.Txn, s, owner domain.Scope, ref string, change func(tags map[string]string) (map[string]string, error)) error {
	if owner != s {
		return notFound("Invalid domain name identifier specified")
	}
	n, err := domain.Load(tx, s, ref)
	if err != nil {
		return err
	}
	after, err := change(maps.Clone(n.Tags))
	if err != nil || after == nil {
		return err
	}
	if err := checkTags(after); err != nil {
		return err
	}
	n.Tags = after
	return domain.Save(tx, s, &n)
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return badRequest("A resource has at most %d tags; it would have %d.", maxTags, len(tags))
	}
	return nil
}

// retag changes the tags of one record.
func retag[T any](tx store.Txn, key []byte, tags func(v *T) *map[string]string, missing error, change func(tags map[string]string) (map[string]string, error)) error {
	v, ok, err := record.Get[T](tx, key)
	if err != nil {
		return err
	}
	if !ok {
		return missing
	}
	after, err := change(maps.Clone(*tags(&v)))
	if err != nil || after == nil {
		return err
	}
	if err := checkTags(after); err != nil {
		return err
	}
	*tags(&v) = after
	return record.Set(tx, key, v)
}

func (g *Gateway) tagResource(ctx context.Context, in *aws.TagResourceInput) (*aws.TagResourceOutput, error) {
	for _, name := range sortedKeys(in.Tags) {
		if name == "" || len(name) > 128 || len(in.Tags[name]) > 256 {
			return nil, badRequest("Invalid tag %q: a name has 1 to 128 characters and a value at most 256.", name)
		}
	}
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		return tagged(tx, scopeOf(ctx), in.ResourceArn, func(tags map[string]string) (map[string]string, error) {
			if tags == nil {
				tags = map[string]string{}
			}
			maps.Copy(tags, in.Tags)
			return tags, nil
		})
	})
	return &aws.TagResourceOutput{}, err
}

func (g *Gateway) untagResource(ctx context.Context, in *aws.UntagResourceInput) (*aws.UntagResourceOutput, error) {
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		return tagged(tx, scopeOf(ctx), in.ResourceArn, func(tags map[string]string) (map[string]string, error) {
			maps.DeleteFunc(tags, func(name, _ string) bool { return slices.Contains(in.TagKeys, name) })
			return tags, nil
		})
	})
	return &aws.UntagResourceOutput{}, err
}

func (g *Gateway) getTags(ctx context.Context, in *aws.GetTagsInput) (*aws.GetTagsOutput, error) {
	out := &aws.GetTagsOutput{Tags: map[string]string{}}
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		return tagged(tx, scopeOf(ctx), in.ResourceArn, func(tags map[string]string) (map[string]string, error) {
			out.Tags = map[string]string{}
			maps.Copy(out.Tags, tags)
			return nil, nil
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
