package portal

import (
	"context"
	"errors"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// index is what every page of an edition shows.
type index struct {
	Name          string
	Description   string
	Colors        api.CustomColors
	Logo          string // media type; empty without a logo
	Authorization api.Authorization
	Domain        string
	// Preview tells that the edition is one: nothing can be tried.
	Preview  bool
	Products []shownProduct
}

// shownProduct is a product in an index.
type shownProduct struct {
	ID, Name, Description string
	Overview              string `json:",omitempty"` // id of a page; empty without one
}

// shownContents is what a product has, in its order.
type shownContents struct {
	Pages    []shownLink    `json:",omitempty"`
	Sections []shownSection `json:",omitempty"`
}

// shownLink is a product page in the contents of its product.
type shownLink struct{ ID, Title string }

// shownSection is a section of endpoint pages.
type shownSection struct {
	Name      string
	Endpoints []shownEndpoint
}

// shownEndpoint is an endpoint page in the contents of its product.
type shownEndpoint struct{ ID, Name, Method, Path string }

// shownPage is a page of an edition. Body is Markdown.
type shownPage struct {
	Product, Title, Body string
	Endpoint             *shownMethod `json:",omitempty"` // of an endpoint page
}

// shownMethod is what an endpoint page says about its method.
type shownMethod struct {
	Method, Path string
	// API is the REST API, URL where its stage is.
	API, URL   string
	TryIt      bool
	Parameters []parameter `json:",omitempty"`
	Contents   []content   `json:",omitempty"`
	Responses  []response  `json:",omitempty"`
	Schemes    []string    `json:",omitempty"`
}

// begun is an edition that somebody began to write.
type begun struct {
	Edition string
	At      time.Time
}

// writing is how long the writing of an edition may take; what was begun before is left from a run that ended.
const writing = 15 * time.Minute

// begin returns the portal, its logo and the name of a new edition of it, which finish ends.
func (p *Portals) begin(ctx context.Context, id string) (v portal, l logo, edition string, err error) {
	if edition, err = p.newID(idLength); err != nil {
		return v, l, "", err
	}
	now := p.deps.Clock.Now().UTC()
	v, err = p.changePortal(ctx, id, func(tx store.Txn, s Scope, v *portal) error {
		v.Begun = slices.DeleteFunc(v.Begun, func(b begun) bool {
			old := now.Sub(b.At) > writing
			if old {
				drop(tx, editionKey(id, b.Edition))
			}
			return old
		})
		v.Begun = append(v.Begun, begun{edition, now})
		var err error
		l, _, err = record.Get[logo](tx, s.logo(id))
		return err
	})
	return v, l, edition, err
}

// finish ends the writing of an edition: fn puts it into the portal, and returns the editions that are of no use any more.
func (p *Portals) finish(ctx context.Context, id, edition string, fn func(v *portal) (useless []string)) error {
	_, err := p.changePortal(ctx, id, func(tx store.Txn, _ Scope, v *portal) error {
		v.Begun = slices.DeleteFunc(v.Begun, func(b begun) bool { return b.Edition == edition })
		for _, useless := range fn(v) {
			drop(tx, editionKey(id, useless))
		}
		return nil
	})
	if service.Code(err) == "NotFoundException" { // it was deleted meanwhile
		err = errors.Join(err, p.deps.Store.Update(ctx, func(tx store.Txn) error {
			drop(tx, editionKey(id, edition))
			return nil
		}))
	}
	return err
}

// maxWrite bounds the texts that one transaction writes, in bytes, before the next one is added; a transaction has at most 4 MB.
const maxWrite = 1 << 20

// writer writes the rows of an edition.
type writer struct {
	portals *Portals
	portal  string
	edition string
	rows    []func(tx store.Txn) error
	size    int
}

// add takes a row of about some bytes, and writes those that it has when they are many.
func (w *writer) add(ctx context.Context, size int, row func(tx store.Txn) error) error {
	w.rows = append(w.rows, row)
	if w.size += size; w.size < maxWrite {
		return nil
	}
	return w.flush(ctx)
}

// page takes a page.
func (w *writer) page(ctx context.Context, id string, page *shownPage) error {
	size := len(page.Body)
	if page.Endpoint != nil {
		size += maxSchemas
	}
	return w.add(ctx, size, func(tx store.Txn) error { return record.Set(tx, shownKey(w.portal, w.edition, id), *page) })
}

// flush writes the rows that there are.
func (w *writer) flush(ctx context.Context) error {
	err := w.portals.deps.Store.Update(ctx, func(tx store.Txn) error {
		for _, row := range w.rows {
			if err := row(tx); err != nil {
				return err
			}
		}
		return nil
	})
	w.rows, w.size = nil, 0
	return err
}

// write writes an edition of a portal.
func (p *Portals) write(ctx context.Context, v *portal, l *logo, edition string, preview bool) error {
	w := &writer{portals: p, portal: v.ID, edition: edition}
	x := index{
		Name: v.Content.DisplayName, Description: opt.Value(v.Content.Description), Colors: *v.Content.Theme.CustomColors, Logo: l.Type, Authorization: v.Authorization, Domain: v.Domain, Preview: preview,
	}
	for _, text := range v.Products {
		at, path, ok := parseARN(text)
		if !ok || len(path) != 2 {
			return badRequest("Invalid portal product %s.", text)
		}
		shown, err := p.writeProduct(ctx, w, at, path[1], preview)
		if err != nil {
			return err
		}
		x.Products = append(x.Products, *shown)
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	err := p.deps.Store.Update(ctx, func(tx store.Txn) error {
		if l.Type != "" {
			if err := record.Set(tx, logoKey(v.ID, edition), *l); err != nil {
				return err
			}
		}
		return record.Set(tx, indexKey(v.ID, edition), x)
	})
	if errors.Is(err, store.ErrTooLarge) {
		err = badRequest("The names and descriptions of the portal's products are too long together: take products out of it.")
	}
	return err
}

// sources are the pages of a product by their ARNs.
type sources struct {
	product   product
	pages     map[string]page
	endpoints map[string]endpointPage
}

// read reads a product with its pages.
func (p *Portals) read(ctx context.Context, s Scope, id string) (*sources, error) {
	out := &sources{}
	err := p.deps.Store.View(ctx, func(r store.Reader) (err error) {
		out.pages, out.endpoints = map[string]page{}, map[string]endpointPage{}
		if out.product, err = loadProduct(r, s, id); err != nil {
			return err
		}
		pages, err := record.List[page](r, s.pages(id).Span())
		if err != nil {
			return err
		}
		for _, v := range pages {
			out.pages[s.pageARN(id, v.ID)] = v
		}
		endpoints, err := record.List[endpointPage](r, s.endpointPages(id).Span())
		for _, v := range endpoints {
			out.endpoints[s.endpointPageARN(id, v.ID)] = v
		}
		return err
	})
	if service.Code(err) == "NotFoundException" {
		err = service.Errorf("NotFoundException", "Portal product %s does not exist: take it out of the portal with UpdatePortal.", s.productARN(id))
	}
	return out, err
}

// writeProduct writes the pages of a product that its display order names.
func (p *Portals) writeProduct(ctx context.Context, w *writer, s Scope, id string, preview bool) (*shownProduct, error) {
	from, err := p.read(ctx, s, id)
	if err != nil {
		return nil, err
	}
	out := &shownProduct{ID: id, Name: from.product.Name, Description: opt.Value(from.product.Description)}
	order := opt.Value(from.product.Order)
	if a := order.OverviewPageArn; a != nil {
		v := from.pages[*a]
		out.Overview = v.ID
		if err := w.page(ctx, v.ID, &shownPage{Product: id, Title: v.Title, Body: v.Body}); err != nil {
			return nil, err
		}
	}
	contents := shownContents{}
	for _, a := range order.ProductPageArns {
		v := from.pages[a]
		contents.Pages = append(contents.Pages, shownLink{v.ID, v.Title})
		if err := w.page(ctx, v.ID, &shownPage{Product: id, Title: v.Title, Body: v.Body}); err != nil {
			return nil, err
		}
	}
	describer := p.describer(s)
	for _, section := range order.Contents {
		shown := shownSection{Name: section.SectionName}
		for _, a := range section.ProductRestEndpointPageArns {
			d, err := describer.describe(ctx, from.endpoints[a])
			if err == nil {
				err = d.err
			}
			if err != nil {
				return nil, err
			}
			page := p.show(d, id, preview)
			shown.Endpoints = append(shown.Endpoints, shownEndpoint{d.ID, page.Title, d.Of.Method, d.Of.Path})
			if err := w.page(ctx, d.ID, page); err != nil {
				return nil, err
			}
		}
		contents.Sections = append(contents.Sections, shown)
	}
	return out, w.add(ctx, 0, func(tx store.Txn) error { return record.Set(tx, contentsKey(w.portal, w.edition, id), contents) })
}

// show makes the page of an edition of an endpoint page. A method without a name of its own is called by its path
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-portals-create-product-rest-endpoint.html).
func (p *Portals) show(d *described, product string, preview bool) *shownPage {
	title, body := d.Of.Path, d.operation.body
	if d.Overrides.OperationName != nil {
		title = *d.Overrides.OperationName
	}
	if d.Overrides.Body != nil {
		body = *d.Overrides.Body
	}
	return &shownPage{Product: product, Title: title, Body: body, Endpoint: &shownMethod{
		Method: d.Of.Method, Path: d.Of.Path, API: d.Of.RestApiId, URL: p.endpointOf(&d.endpointPage), TryIt: d.tryIt() == api.TryItStateEnabled && !preview,
		Parameters: d.operation.parameters, Contents: d.operation.contents, Responses: d.operation.responses, Schemes: d.operation.schemes,
	}}
}
