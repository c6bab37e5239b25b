package portal

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigatewayv2/paging"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxPortals is AWS's quota for an account in a region.
const maxPortals = 15

// cloudFrontZone is the hosted zone of alias records for CloudFront, in front of which portals are on AWS
// (https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html).
const cloudFrontZone = "Z2FDTNDATAQYW2"

// portal is the record of a portal.
type portal struct {
	ID string
	settings
	LogoUploaded *time.Time        `json:",omitempty"`
	Tags         map[string]string `json:",omitempty"`
	Modified     time.Time

	Status      string
	Failure     *api.StatusException `json:",omitempty"`
	Published   *time.Time           `json:",omitempty"`
	Description *string              `json:",omitempty"` // of the last publication
	// Live is the edition that the site shows; empty while it shows none.
	Live    string     `json:",omitempty"`
	Preview *previewed `json:",omitempty"`
	// Begun are editions that are being written, or whose writing was cut short.
	Begun []begun `json:",omitempty"`
}

// settings are what calls say about a portal.
type settings struct {
	Content       api.PortalContent
	Authorization api.Authorization
	Products      []string `json:",omitempty"` // ARNs
	// Domain and Certificate are those of a domain name of the owner's; empty without one.
	Domain      string `json:",omitempty"`
	Certificate string `json:",omitempty"`
}

// owner is the record behind the id or the domain name of a portal.
type owner struct {
	Scope

	Portal string
}

// host is the name under which a portal answers unless it has a domain name of its own: that of AWS below the name of this server.
func (p *Portals) host(s Scope, id string) string {
	base := "localhost"
	if u, err := url.Parse(p.deps.BaseURL); err == nil {
		base = u.Host
		if name, number, err := net.SplitHostPort(u.Host); err == nil {
			if _, err := netip.ParseAddr(name); err == nil {
				base = net.JoinHostPort("localhost", number)
			}
		}
	}
	return "p-" + id + ".apigw-portal." + s.Region + "." + base
}

// The outputs of all calls about portals have the members of this one, but for the preview.
func (p *Portals) portalView(v *portal, s Scope) *api.GetPortalOutput {
	return &api.GetPortalOutput{
		Authorization: &v.Authorization, IncludedPortalProductArns: append([]string{}, v.Products...), LastModified: &v.Modified, LastPublished: v.Published, LastPublishedDescription: v.Description,
		EndpointConfiguration: &api.EndpointConfigurationResponse{
			CertificateArn: opt.Of(v.Certificate), DomainName: opt.Of(v.Domain), PortalDefaultDomainName: p.host(s, v.ID), PortalDomainHostedZoneId: cloudFrontZone,
		},
		PortalArn: ptr(s.portalARN(v.ID)), PortalContent: v.content(), PortalId: &v.ID, Preview: p.previewView(v), PublishStatus: v.Status, StatusException: v.Failure, Tags: v.Tags,
	}
}

// content is the content of a portal with the time of its logo.
func (v *portal) content() *api.PortalContent {
	c, theme := v.Content, *v.Content.Theme
	theme.LogoLastUploaded, c.Theme = v.LogoUploaded, &theme
	return &c
}

func loadPortal(r store.Reader, s Scope, id string) (portal, error) {
	v, ok, err := record.Get[portal](r, s.portal(id))
	if err == nil && !ok {
		err = notFound("portal", id)
	}
	return v, err
}

// changePortal runs fn on a portal of the caller's and stores what it leaves.
func (p *Portals) changePortal(ctx context.Context, id string, fn func(tx store.Txn, s Scope, v *portal) error) (v portal, err error) {
	s := scopeOf(ctx)
	err = p.deps.Store.Update(ctx, func(tx store.Txn) error {
		if v, err = loadPortal(tx, s, id); err != nil {
			return err
		}
		if err := fn(tx, s, &v); err != nil {
			return err
		}
		return record.Set(tx, s.portal(id), v)
	})
	return v, err
}

func (p *Portals) createPortal(ctx context.Context, in *api.CreatePortalInput) (*api.CreatePortalOutput, error) {
	if opt.Value(in.RumAppMonitorName) != "" {
		return nil, service.Unsupported("BadRequestException", "CreatePortal", "RumAppMonitorName")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	s, now := scopeOf(ctx), p.deps.Clock.Now().UTC()
	v := portal{Modified: now, Status: api.PublishStatusDisabled, Tags: in.Tags}
	asked := &asked{content: in.PortalContent, authorization: in.Authorization, endpoint: in.EndpointConfiguration, products: in.IncludedPortalProductArns, logo: in.LogoUri}
	logo, err := p.take(ctx, asked, &v)
	if err != nil {
		return nil, err
	}
	if v.ID, err = p.newID(idLength); err != nil {
		return nil, err
	}
	err = p.deps.Store.Update(ctx, func(tx store.Txn) error {
		have, err := count(tx, s.portals().Span(), maxPortals)
		if err != nil {
			return err
		}
		if have == maxPortals {
			return exceeded("An account has at most %d portals in a region.", maxPortals)
		}
		if err := keepDomain(tx, s, &v, ""); err != nil {
			return err
		}
		if err := record.Set(tx, ownerKey(v.ID), owner{s, v.ID}); err != nil {
			return err
		}
		if err := keepLogo(tx, s, &v, logo); err != nil {
			return err
		}
		return record.Set(tx, s.portal(v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	o := p.portalView(&v, s)
	return &api.CreatePortalOutput{
		Authorization: o.Authorization, EndpointConfiguration: o.EndpointConfiguration, IncludedPortalProductArns: o.IncludedPortalProductArns, LastModified: o.LastModified, PortalArn: o.PortalArn,
		PortalContent: o.PortalContent, PortalId: o.PortalId, PublishStatus: o.PublishStatus, Tags: o.Tags,
	}, nil
}

func (p *Portals) getPortal(ctx context.Context, in *api.GetPortalInput) (*api.GetPortalOutput, error) {
	s := scopeOf(ctx)
	var v portal
	err := p.deps.Store.View(ctx, func(r store.Reader) (err error) {
		v, err = loadPortal(r, s, in.PortalId)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p.portalView(&v, s), nil
}

func (p *Portals) listPortals(ctx context.Context, in *api.ListPortalsInput) (*api.ListPortalsOutput, error) {
	s := scopeOf(ctx)
	out := &api.ListPortalsOutput{}
	var err error
	out.Items, out.NextToken, err = paging.Listed(ctx, p.deps.Store, s.portals(), in.MaxResults, in.NextToken, func(v *portal) api.PortalSummary {
		o := p.portalView(v, s)
		return api.PortalSummary{
			Authorization: o.Authorization, EndpointConfiguration: o.EndpointConfiguration, IncludedPortalProductArns: o.IncludedPortalProductArns, LastModified: *o.LastModified,
			LastPublished: o.LastPublished, LastPublishedDescription: o.LastPublishedDescription, PortalArn: *o.PortalArn, PortalContent: o.PortalContent, PortalId: *o.PortalId, Preview: o.Preview,
			PublishStatus: o.PublishStatus, StatusException: o.StatusException, Tags: o.Tags,
		}
	})
	return out, err
}

func (p *Portals) updatePortal(ctx context.Context, in *api.UpdatePortalInput) (*api.UpdatePortalOutput, error) {
	if opt.Value(in.RumAppMonitorName) != "" {
		return nil, service.Unsupported("BadRequestException", "UpdatePortal", "RumAppMonitorName")
	}
	asked := &asked{content: in.PortalContent, authorization: in.Authorization, endpoint: in.EndpointConfiguration, products: in.IncludedPortalProductArns, logo: in.LogoUri}
	wanted := portal{}
	logo, err := p.take(ctx, asked, &wanted)
	if err != nil {
		return nil, err
	}
	now := p.deps.Clock.Now().UTC()
	v, err := p.changePortal(ctx, in.PortalId, func(tx store.Txn, s Scope, v *portal) error {
		before := v.Domain
		asked.put(&wanted, v)
		v.Modified = now
		if err := keepDomain(tx, s, v, before); err != nil {
			return err
		}
		return keepLogo(tx, s, v, logo)
	})
	if err != nil {
		return nil, err
	}
	return ptr(api.UpdatePortalOutput(*p.portalView(&v, scopeOf(ctx)))), nil
}

// deletePortal deletes a portal that is not published. One that is not there is no error, as the call has none for it.
func (p *Portals) deletePortal(ctx context.Context, in *api.DeletePortalInput) (*api.DeletePortalOutput, error) {
	s := scopeOf(ctx)
	err := p.deps.Store.Update(ctx, func(tx store.Txn) error {
		v, ok, err := record.Get[portal](tx, s.portal(in.PortalId))
		if err != nil || !ok {
			return err
		}
		if v.Live != "" {
			return badRequest("Portal %s is published: disable it with DisablePortal before you delete it.", v.ID)
		}
		if v.Domain != "" {
			tx.Delete(domainKey(v.Domain))
		}
		drop(tx, editionsOf(v.ID))
		tx.Delete(s.logo(v.ID))
		tx.Delete(ownerKey(v.ID))
		tx.Delete(s.portal(v.ID))
		return nil
	})
	return &api.DeletePortalOutput{}, err
}

// keepDomain stores whose the domain name of a portal is, and gives back the one that it had before.
func keepDomain(tx store.Txn, s Scope, v *portal, before string) error {
	if v.Domain == before {
		return nil
	}
	if before != "" {
		tx.Delete(domainKey(before))
	}
	if v.Domain == "" {
		return nil
	}
	taken, err := record.Has(tx, domainKey(v.Domain))
	if err == nil && taken {
		err = badRequest("The domain name %s is that of another portal.", v.Domain)
	}
	if err != nil {
		return err
	}
	return record.Set(tx, domainKey(v.Domain), owner{s, v.ID})
}

// isDomain tells whether a text is a full domain name in lower case.
func isDomain(name string) bool {
	labels := strings.Split(name, ".")
	if len(labels) < 2 || len(name) > 253 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
