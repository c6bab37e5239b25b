package portal

import (
	"context"
	"io"
	"net/http"

	"github.com/yuin/goldmark"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/lib/tokenbucket"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/memo"
)

// Options are what portals need beside the dependencies of every service.
type Options struct {
	// APIs describes the REST APIs that endpoint pages are about.
	APIs port.RESTAPIs
	// Objects reads logos.
	Objects port.Objects
	// Taken tells whether a host is a custom domain name of APIs.
	Taken func(ctx context.Context, host string) bool
	// Tokens proves who visits a portal with a user pool.
	Tokens *authorizer.Tokens
	// Endpoints sends the requests of visitors who try a method, and those for tokens.
	Endpoints http.RoundTripper
}

// Portals are the portals of a Lambent, their products and their pages. Make them with [New].
type Portals struct {
	deps    service.Deps
	options Options
	sites   *memo.Cache[struct{}, siteKey, *site]
	tried   *tokenbucket.Buckets[string]

	markdown goldmark.Markdown
}

// New returns the portals of a store. Close ends them.
func New(deps service.Deps, o Options) *Portals {
	return &Portals{
		deps: deps, options: o, tried: tokenbucket.New[string](maxTried), markdown: newMarkdown(),
		sites: memo.New[struct{}, siteKey, *site](deps.Store, maxSites, func(struct{}) [][]byte { return [][]byte{key.New(root), key.New(editions)} }),
	}
}

// Close forgets what is kept in memory.
func (p *Portals) Close() { p.sites.Close() }

// Handle sets the handlers of the operations of portals.
func (p *Portals) Handle(h *api.Handlers) {
	h.CreatePortal = p.createPortal
	h.GetPortal = p.getPortal
	h.ListPortals = p.listPortals
	h.UpdatePortal = p.updatePortal
	h.DeletePortal = p.deletePortal
	h.PublishPortal = p.publishPortal
	h.PreviewPortal = p.previewPortal
	h.DisablePortal = p.disablePortal
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
