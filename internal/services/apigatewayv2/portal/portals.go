package portal

import (
	"context"
	"io"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Options are what portals need beside the dependencies of every service.
type Options struct {
	// APIs describes the REST APIs that endpoint pages are about.
	APIs port.RESTAPIs
}

// Portals are the portals of a Lambent, their products and their pages. Make them with [New].
type Portals struct {
	deps    service.Deps
	options Options
}

// New returns the portals of a store.
func New(deps service.Deps, o Options) *Portals { return &Portals{deps: deps, options: o} }

// Handle sets the handlers of the operations of portals.
func (p *Portals) Handle(h *api.Handlers) {
	h.CreatePortalProduct = p.createProduct
	h.GetPortalProduct = p.getProduct
	h.ListPortalProducts = p.listProducts
	h.UpdatePortalProduct = p.updateProduct
	h.DeletePortalProduct = p.deleteProduct
	h.PutPortalProductSharingPolicy = p.putPolicy
	h.GetPortalProductSharingPolicy = p.getPolicy
	h.DeletePortalProductSharingPolicy = p.deletePolicy
	h.CreateProductPage = p.createPage
	h.GetProductPage = p.getPage
	h.ListProductPages = p.listPages
	h.UpdateProductPage = p.updatePage
	h.DeleteProductPage = p.deletePage
	h.CreateProductRestEndpointPage = p.createEndpointPage
	h.GetProductRestEndpointPage = p.getEndpointPage
	h.ListProductRestEndpointPages = p.listEndpointPages
	h.UpdateProductRestEndpointPage = p.updateEndpointPage
	h.DeleteProductRestEndpointPage = p.deleteEndpointPage
}

func scopeOf(ctx context.Context) Scope {
	r := service.RequestFrom(ctx)
	return Scope{r.Account, r.Region}
}

// ownedBy is the scope of a call for what belongs to an account, the caller's own when it names none.
func ownedBy(ctx context.Context, account *string) Scope {
	s := scopeOf(ctx)
	if account != nil && *account != "" {
		s.Account = *account
	}
	return s
}

const (
	idAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	// idLength is that of the ids of all that is here: 10 is the least that the API has.
	idLength = 10
)

// newID returns a random id of n characters.
func (p *Portals) newID(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(p.deps.Random, b); err != nil {
		return "", err
	}
	for i := range b {
		b[i] = idAlphabet[int(b[i])%len(idAlphabet)]
	}
	return string(b), nil
}

func ptr[T any](v T) *T { return &v }
