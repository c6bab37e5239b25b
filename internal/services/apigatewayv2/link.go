package apigatewayv2

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// link is the record of a VPC link. Lambent's functions and backends share the machine's networks, so a link has nothing to set up.
type link struct {
	ID             string
	Name           string
	Created        time.Time
	Subnets        []string          `json:",omitempty"`
	SecurityGroups []string          `json:",omitempty"`
	Tags           map[string]string `json:",omitempty"`
}

func (l *link) view() *api.VpcLink {
	return &api.VpcLink{
		CreatedDate: ptr(l.Created), Name: l.Name, SecurityGroupIds: append([]string{}, l.SecurityGroups...), SubnetIds: append([]string{}, l.Subnets...), Tags: l.Tags,
		VpcLinkId: l.ID, VpcLinkStatus: "AVAILABLE", VpcLinkStatusMessage: ptr("VPC link is ready to route traffic"), VpcLinkVersion: "V2",
	}
}

func loadLink(r store.Reader, s scope, id string) (link, error) {
	l, ok, err := record.Get[link](r, s.link(id))
	if err == nil && !ok {
		err = notFound("VPC Link", id)
	}
	return l, err
}

// checkLink checks that the VPC link of a private integration exists.
func checkLink(r store.Reader, s scope, i *integration) error {
	if i.ConnectionId == nil {
		return nil
	}
	ok, err := record.Has(r, s.link(*i.ConnectionId))
	if err == nil && !ok {
		err = badRequest("Invalid VPC Link identifier specified %s", *i.ConnectionId)
	}
	return err
}

func (g *Gateway) createLink(ctx context.Context, in *api.CreateVpcLinkInput) (*api.CreateVpcLinkOutput, error) {
	if len(in.SubnetIds) == 0 {
		return nil, badRequest("At least one subnet id is required.")
	}
	id, err := g.newID(6)
	if err != nil {
		return nil, err
	}
	l := link{ID: id, Name: in.Name, Created: g.deps.Clock.Now().UTC(), Subnets: in.SubnetIds, SecurityGroups: in.SecurityGroupIds, Tags: in.Tags}
	err = g.deps.Store.Update(ctx, func(tx store.Txn) error { return record.Set(tx, scopeOf(ctx).link(id), l) })
	out := &api.CreateVpcLinkOutput{}
	members.Copy(out, l.view())
	return out, err
}

func (g *Gateway) getLink(ctx context.Context, in *api.GetVpcLinkInput) (*api.GetVpcLinkOutput, error) {
	out := &api.GetVpcLinkOutput{}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		l, err := loadLink(r, scopeOf(ctx), in.VpcLinkId)
		members.Copy(out, l.view())
		return err
	})
	return out, err
}

func (g *Gateway) getLinks(ctx context.Context, in *api.GetVpcLinksInput) (*api.GetVpcLinksOutput, error) {
	out := &api.GetVpcLinksOutput{}
	var err error
	out.Items, out.NextToken, err = listed(ctx, g, scopeOf(ctx).links(), paging{in.MaxResults, in.NextToken}, func(l *link) api.VpcLink { return *l.view() })
	return out, err
}

func (g *Gateway) changeLink(ctx context.Context, id string, fn func(l *link)) (l link, err error) {
	err = g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if l, err = loadLink(tx, scopeOf(ctx), id); err != nil {
			return err
		}
		fn(&l)
		return record.Set(tx, scopeOf(ctx).link(id), l)
	})
	return l, err
}

func (g *Gateway) updateLink(ctx context.Context, in *api.UpdateVpcLinkInput) (*api.UpdateVpcLinkOutput, error) {
	l, err := g.changeLink(ctx, in.VpcLinkId, func(l *link) {
		if in.Name != nil {
			l.Name = *in.Name
		}
	})
	out := &api.UpdateVpcLinkOutput{}
	members.Copy(out, l.view())
	return out, err
}

// deleteLink deletes a link that no integration uses.
func (g *Gateway) deleteLink(ctx context.Context, in *api.DeleteVpcLinkInput) (*api.DeleteVpcLinkOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadLink(tx, s, in.VpcLinkId); err != nil {
			return err
		}
		for row, err := range record.Range[gatewayAPI](tx, s.apis().Span()) {
			if err != nil {
				return err
			}
			for i := range row.Value.Config.Integrations {
				if value(row.Value.Config.Integrations[i].ConnectionId) == in.VpcLinkId {
					return conflict("Cannot delete VPC link %s: integration %s of API %s uses it.", in.VpcLinkId, *row.Value.Config.Integrations[i].IntegrationId, row.Value.ID)
				}
			}
		}
		tx.Delete(s.link(in.VpcLinkId))
		return nil
	})
	return &api.DeleteVpcLinkOutput{}, err
}
