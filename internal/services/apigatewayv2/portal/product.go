package portal

import (
	"context"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/services/apigatewayv2/paging"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Quotas of AWS (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-portal-quotas.html).
const (
	maxProducts      = 500 // an account
	maxPages         = 40  // a product
	maxEndpointPages = 40  // a product
)

// maxSections and maxSectionName, in bytes, bound display orders, for which AWS names no quota.
const (
	maxSections    = 100
	maxSectionName = 255
)

// product is the record of a portal product.
type product struct {
	ID          string
	Name        string
	Description *string           `json:",omitempty"`
	Order       *api.DisplayOrder `json:",omitempty"`
	Modified    time.Time
	Tags        map[string]string `json:",omitempty"`
	// Policy is the sharing policy; empty shares with nobody.
	Policy string `json:",omitempty"`
}

// The outputs of all calls about products have the same members.
func (v *product) view(s Scope) *api.GetPortalProductOutput {
	return &api.GetPortalProductOutput{
		Description: v.Description, DisplayName: &v.Name, DisplayOrder: v.Order, LastModified: &v.Modified, PortalProductArn: ptr(s.productARN(v.ID)), PortalProductId: &v.ID, Tags: v.Tags,
	}
}

func (v *product) summary(s Scope) api.PortalProductSummary {
	return api.PortalProductSummary{
		Description: opt.Value(v.Description), DisplayName: v.Name, LastModified: v.Modified, PortalProductArn: s.productARN(v.ID), PortalProductId: v.ID, Tags: v.Tags,
	}
}

func loadProduct(r store.Reader, s Scope, id string) (product, error) {
	v, ok, err := record.Get[product](r, s.product(id))
	if err == nil && !ok {
		err = notFound("portal product", id)
	}
	return v, err
}

// changeProduct runs fn on a product of the caller's and stores what it leaves.
func (p *Portals) changeProduct(ctx context.Context, id string, fn func(tx store.Txn, s Scope, v *product) error) (v product, err error) {
	s := scopeOf(ctx)
	err = p.deps.Store.Update(ctx, func(tx store.Txn) error {
		if v, err = loadProduct(tx, s, id); err != nil {
			return err
		}
		if err := fn(tx, s, &v); err != nil {
			return err
		}
		v.Modified = p.deps.Clock.Now().UTC()
		return record.Set(tx, s.product(id), v)
	})
	return v, err
}

// count returns how many records a span has, at most n.
func count(r store.Reader, span store.Span, n int) (have int, err error) {
	for _, err := range r.Range(span) {
		if err != nil {
			return have, err
		}
		if have++; have == n {
			break
		}
	}
	return have, nil
}

func (p *Portals) createProduct(ctx context.Context, in *api.CreatePortalProductInput) (*api.CreatePortalProductOutput, error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	id, err := p.newID(idLength)
	if err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	v := product{ID: id, Name: in.DisplayName, Description: in.Description, Modified: p.deps.Clock.Now().UTC(), Tags: in.Tags}
	err = p.deps.Store.Update(ctx, func(tx store.Txn) error {
		have, err := count(tx, s.products().Span(), maxProducts)
		if err != nil {
			return err
		}
		if have == maxProducts {
			return exceeded("An account has at most %d portal products in a region.", maxProducts)
		}
		return record.Set(tx, s.product(id), v)
	})
	if err != nil {
		return nil, err
	}
	return ptr(api.CreatePortalProductOutput(*v.view(s))), nil
}

func (p *Portals) getProduct(ctx context.Context, in *api.GetPortalProductInput) (*api.GetPortalProductOutput, error) {
	s := ownedBy(ctx, in.ResourceOwnerAccountId)
	var v product
	err := p.deps.Store.View(ctx, func(r store.Reader) (err error) {
		v, err = loadProduct(r, s, in.PortalProductId)
		return err
	})
	if err != nil {
		return nil, err
	}
	return v.view(s), nil
}

func (p *Portals) listProducts(ctx context.Context, in *api.ListPortalProductsInput) (*api.ListPortalProductsOutput, error) {
	s := scopeOf(ctx)
	out := &api.ListPortalProductsOutput{}
	var err error
	switch owner := opt.Value(in.ResourceOwner); owner {
	case "", "SELF":
		out.Items, out.NextToken, err = paging.Listed(ctx, p.deps.Store, s.products(), in.MaxResults, in.NextToken, func(v *product) api.PortalProductSummary { return v.summary(s) })
	case "OTHER_ACCOUNTS":
		var all []api.PortalProductSummary
		if all, err = p.sharedWith(ctx, s); err == nil {
			out.Items, out.NextToken, err = paging.Slice(all, in.MaxResults, in.NextToken, func(v *api.PortalProductSummary) string { return v.PortalProductId })
		}
	default:
		err = badRequest("Invalid resourceOwner %q: give SELF or OTHER_ACCOUNTS.", owner)
	}
	return out, err
}

func (p *Portals) updateProduct(ctx context.Context, in *api.UpdatePortalProductInput) (*api.UpdatePortalProductOutput, error) {
	v, err := p.changeProduct(ctx, in.PortalProductId, func(tx store.Txn, s Scope, v *product) error {
		if in.DisplayName != nil {
			v.Name = *in.DisplayName
		}
		if in.Description != nil {
			v.Description = in.Description
		}
		if in.DisplayOrder == nil {
			return nil
		}
		v.Order = in.DisplayOrder
		return checkOrder(tx, s, v)
	})
	if err != nil {
		return nil, err
	}
	return ptr(api.UpdatePortalProductOutput(*v.view(scopeOf(ctx)))), nil
}

// checkOrder checks that a display order names pages of its product, each once.
func checkOrder(r store.Reader, s Scope, v *product) error {
	named := map[string]bool{}
	check := func(text, kind string) error {
		at, path, ok := parseARN(text)
		if !ok || at != s || len(path) != 4 || path[0] != productsPath || path[1] != v.ID || path[2] != kind {
			return badRequest("Invalid display order: %s is no ARN of one of the %s of portal product %s.", text, kind, v.ID)
		}
		if named[text] {
			return badRequest("Invalid display order: %s is named twice.", text)
		}
		named[text] = true
		key := s.page(v.ID, path[3])
		if kind == endpointPagesPath {
			key = s.endpointPage(v.ID, path[3])
		}
		have, err := record.Has(r, key)
		if err == nil && !have {
			err = badRequest("Invalid display order: the page %s does not exist.", text)
		}
		return err
	}
	if v.Order.OverviewPageArn != nil {
		if err := check(*v.Order.OverviewPageArn, pagesPath); err != nil {
			return err
		}
	}
	for _, a := range v.Order.ProductPageArns {
		if err := check(a, pagesPath); err != nil {
			return err
		}
	}
	if len(v.Order.Contents) > maxSections {
		return badRequest("Invalid display order: a portal product has at most %d sections.", maxSections)
	}
	for i := range v.Order.Contents {
		section := &v.Order.Contents[i]
		if n := len(section.SectionName); n == 0 || n > maxSectionName {
			return badRequest("Invalid display order: a section needs a name of at most %d bytes.", maxSectionName)
		}
		for _, a := range section.ProductRestEndpointPageArns {
			if err := check(a, endpointPagesPath); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget takes a page out of a display order.
func (v *product) forget(page string) {
	if v.Order == nil {
		return
	}
	is := func(a string) bool { return a == page }
	if opt.Value(v.Order.OverviewPageArn) == page {
		v.Order.OverviewPageArn = nil
	}
	v.Order.ProductPageArns = slices.DeleteFunc(v.Order.ProductPageArns, is)
	for i := range v.Order.Contents {
		v.Order.Contents[i].ProductRestEndpointPageArns = slices.DeleteFunc(v.Order.Contents[i].ProductRestEndpointPageArns, is)
	}
}

// deleteProduct deletes a product with its pages. Portals that show it go on until they are published again.
func (p *Portals) deleteProduct(ctx context.Context, in *api.DeletePortalProductInput) (*api.DeletePortalProductOutput, error) {
	s := scopeOf(ctx)
	err := p.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadProduct(tx, s, in.PortalProductId); err != nil {
			return err
		}
		drop(tx, s.pages(in.PortalProductId))
		drop(tx, s.endpointPages(in.PortalProductId))
		tx.Delete(sharedKey(s.Region, in.PortalProductId))
		tx.Delete(s.product(in.PortalProductId))
		return nil
	})
	return &api.DeletePortalProductOutput{}, err
}

// maxTags is AWS's quota for one resource.
const maxTags = 50

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return badRequest("A resource has at most %d tags.", maxTags)
	}
	return nil
}
