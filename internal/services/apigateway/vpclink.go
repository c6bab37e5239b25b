package apigateway

import (
	"context"
	"regexp"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

var anyARN = regexp.MustCompile(`^arn:[\w-]+:[\w-]+:[^:]*:[^:]*:.+$`)

func noLink() error { return notFound("Invalid Vpc Link identifier specified") }

// createLink makes a VPC link. It is available at once: there is no network to wait for.
func (g *Gateway) createLink(ctx context.Context, in *aws.CreateVpcLinkInput) (*aws.CreateVpcLinkOutput, error) {
	if in.Name == "" {
		return nil, badRequest("Name cannot be empty")
	}
	if len(in.TargetArns) != 1 {
		return nil, badRequest("VPC links have exactly one target; %d are given", len(in.TargetArns))
	}
	if !anyARN.MatchString(in.TargetArns[0]) {
		return nil, badRequest("Invalid ARN. ARN is not well formed %s", in.TargetArns[0])
	}
	id, err := g.idFor(ctx, 6)
	if err != nil {
		return nil, err
	}
	l := api.VPCLink{VpcLink: aws.VpcLink{Id: ptr(id), Name: ptr(in.Name), Description: in.Description, TargetArns: in.TargetArns, Status: aws.VpcLinkStatusAvailable, Tags: in.Tags}}
	s := scopeOf(ctx)
	if err := g.deps.Store.Update(ctx, func(tx store.Txn) error { return record.Set(tx, s.Link(id), l) }); err != nil {
		return nil, err
	}
	l.Status = aws.VpcLinkStatusPending
	return &l.VpcLink, nil
}

func loadLink(r store.Reader, s api.Scope, id string) (api.VPCLink, error) {
	l, ok, err := record.Get[api.VPCLink](r, s.Link(id))
	if err == nil && !ok {
		err = noLink()
	}
	return l, err
}

func (g *Gateway) getLink(ctx context.Context, in *aws.GetVpcLinkInput) (*aws.GetVpcLinkOutput, error) {
	s := scopeOf(ctx)
	var l api.VPCLink
	err := g.deps.Store.View(ctx, func(r store.Reader) (err error) {
		l, err = loadLink(r, s, in.VpcLinkId)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &l.VpcLink, nil
}

func (g *Gateway) getLinks(ctx context.Context, in *aws.GetVpcLinksInput) (*aws.GetVpcLinksOutput, error) {
	s, out := scopeOf(ctx), &aws.GetVpcLinksOutput{}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		all, err := record.List[api.VPCLink](r, s.Links().Span())
		if err != nil {
			return err
		}
		var items []api.VPCLink
		items, out.Position, err = page(all, func(l *api.VPCLink) string { return *l.Id }, in.Position, in.Limit)
		out.Items = make([]aws.VpcLink, len(items))
		for i := range items {
			out.Items[i] = items[i].VpcLink
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

var linkPatches = patch.Table[api.VPCLink]{Wording: patch.Listed, Paths: []patch.Path[api.VPCLink]{
	{Pattern: "/name", Ops: "replace", Apply: patch.Text(func(l *api.VPCLink) **string { return &l.Name })},
	{Pattern: "/description", Ops: "replace", Apply: patch.Text(func(l *api.VPCLink) **string { return &l.Description })},
}}

func (g *Gateway) updateLink(ctx context.Context, in *aws.UpdateVpcLinkInput) (*aws.UpdateVpcLinkOutput, error) {
	s := scopeOf(ctx)
	var l api.VPCLink
	err := g.deps.Store.Update(ctx, func(tx store.Txn) (err error) {
		if l, err = loadLink(tx, s, in.VpcLinkId); err != nil {
			return err
		}
		if err := linkPatches.Apply(&l, in.PatchOperations); err != nil {
			return err
		}
		if text(l.Name) == "" {
			return badRequest("Name cannot be empty")
		}
		return record.Set(tx, s.Link(in.VpcLinkId), l)
	})
	if err != nil {
		return nil, err
	}
	return &l.VpcLink, nil
}

func (g *Gateway) deleteLink(ctx context.Context, in *aws.DeleteVpcLinkInput) (*aws.DeleteVpcLinkOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadLink(tx, s, in.VpcLinkId); err != nil {
			return err
		}
		user, err := linkUser(tx, s, in.VpcLinkId)
		if err != nil {
			return err
		}
		if user != "" {
			return inUse("Cannot delete vpc link. Vpc link '%s', is referenced in [%s].", in.VpcLinkId, user)
		}
		tx.Delete(s.Link(in.VpcLinkId))
		return nil
	})
	return &aws.DeleteVpcLinkOutput{}, err
}

// linkUser returns a method whose integration uses a VPC link, or "".
func linkUser(r store.Reader, s api.Scope, link string) (string, error) {
	for row, err := range record.Range[api.RestAPI](r, s.APIs().Span()) {
		if err != nil {
			return "", err
		}
		t, err := api.LoadWorking(r, s, row.Value.ID)
		if err != nil {
			return "", err
		}
		for _, res := range byPath(t) {
			for method, m := range res.ResourceMethods {
				if m.MethodIntegration != nil && text(m.MethodIntegration.ConnectionId) == link {
					return row.Value.ID + ":" + method + ":" + *res.Path, nil
				}
			}
		}
	}
	return "", nil
}
