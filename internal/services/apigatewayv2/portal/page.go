package portal

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/services/apigatewayv2/paging"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// page is the record of a product page.
type page struct {
	ID string
	// Title is plain text, Body GitHub's kind of Markdown.
	Title, Body string
	Modified    time.Time
}

func (v *page) view(s Scope, product string) *api.GetProductPageOutput {
	return &api.GetProductPageOutput{
		DisplayContent: &api.DisplayContent{Title: v.Title, Body: v.Body}, LastModified: &v.Modified, ProductPageArn: ptr(s.pageARN(product, v.ID)), ProductPageId: &v.ID,
	}
}

func loadPage(r store.Reader, s Scope, product, id string) (page, error) {
	v, ok, err := record.Get[page](r, s.page(product, id))
	if err == nil && !ok {
		err = notFound("product page", id)
	}
	return v, err
}

// checkRoom checks that a product, whose pages have keys in a span, can have one more.
func checkRoom(r store.Reader, span store.Span, n int, what string) error {
	have, err := count(r, span, n)
	if err == nil && have == n {
		err = exceeded("A portal product has at most %d %s.", n, what)
	}
	return err
}

func (p *Portals) createPage(ctx context.Context, in *api.CreateProductPageInput) (*api.CreateProductPageOutput, error) {
	id, err := p.newID(idLength)
	if err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	v := page{ID: id, Title: in.DisplayContent.Title, Body: in.DisplayContent.Body, Modified: p.deps.Clock.Now().UTC()}
	_, err = p.changeProduct(ctx, in.PortalProductId, func(tx store.Txn, _ Scope, _ *product) error {
		if err := checkRoom(tx, s.pages(in.PortalProductId).Span(), maxPages, "product pages"); err != nil {
			return err
		}
		return record.Set(tx, s.page(in.PortalProductId, id), v)
	})
	if err != nil {
		return nil, err
	}
	return ptr(api.CreateProductPageOutput(*v.view(s, in.PortalProductId))), nil
}

func (p *Portals) getPage(ctx context.Context, in *api.GetProductPageInput) (*api.GetProductPageOutput, error) {
	s := ownedBy(ctx, in.ResourceOwnerAccountId)
	var v page
	err := p.deps.Store.View(ctx, func(r store.Reader) (err error) {
		if _, err = loadProduct(r, s, in.PortalProductId); err == nil {
			v, err = loadPage(r, s, in.PortalProductId, in.ProductPageId)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return v.view(s, in.PortalProductId), nil
}

// productExists checks that a scope has a product.
func (p *Portals) productExists(ctx context.Context, s Scope, id string) error {
	return p.deps.Store.View(ctx, func(r store.Reader) error {
		_, err := loadProduct(r, s, id)
		return err
	})
}

func (p *Portals) listPages(ctx context.Context, in *api.ListProductPagesInput) (*api.ListProductPagesOutput, error) {
	s := ownedBy(ctx, in.ResourceOwnerAccountId)
	if err := p.productExists(ctx, s, in.PortalProductId); err != nil {
		return nil, err
	}
	out := &api.ListProductPagesOutput{}
	var err error
	out.Items, out.NextToken, err = paging.Listed(ctx, p.deps.Store, s.pages(in.PortalProductId), in.MaxResults, in.NextToken, func(v *page) api.ProductPageSummaryNoBody {
		return api.ProductPageSummaryNoBody{LastModified: v.Modified, PageTitle: v.Title, ProductPageArn: s.pageARN(in.PortalProductId, v.ID), ProductPageId: v.ID}
	})
	return out, err
}

func (p *Portals) updatePage(ctx context.Context, in *api.UpdateProductPageInput) (*api.UpdateProductPageOutput, error) {
	s := scopeOf(ctx)
	var v page
	_, err := p.changeProduct(ctx, in.PortalProductId, func(tx store.Txn, _ Scope, _ *product) (err error) {
		if v, err = loadPage(tx, s, in.PortalProductId, in.ProductPageId); err != nil {
			return err
		}
		if in.DisplayContent != nil {
			v.Title, v.Body = in.DisplayContent.Title, in.DisplayContent.Body
		}
		v.Modified = p.deps.Clock.Now().UTC()
		return record.Set(tx, s.page(in.PortalProductId, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return ptr(api.UpdateProductPageOutput(*v.view(s, in.PortalProductId))), nil
}

// deletePage deletes a page, and takes it out of the display order of its product.
func (p *Portals) deletePage(ctx context.Context, in *api.DeleteProductPageInput) (*api.DeleteProductPageOutput, error) {
	_, err := p.changeProduct(ctx, in.PortalProductId, func(tx store.Txn, s Scope, v *product) error {
		if _, err := loadPage(tx, s, v.ID, in.ProductPageId); err != nil {
			return err
		}
		v.forget(s.pageARN(v.ID, in.ProductPageId))
		tx.Delete(s.page(v.ID, in.ProductPageId))
		return nil
	})
	return &api.DeleteProductPageOutput{}, err
}
