package portal

import (
	"strings"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// root is the first element of the keys of what people edit, editions that of what sites show.
const (
	root     = "apigateway-portals"
	editions = "apigateway-portals-editions"
)

// Scope is the account and region of a call.
type Scope struct{ Account, Region string }

func (s Scope) root(kind string) key.Key                { return key.New(root, s.Account, s.Region, kind) }
func (s Scope) products() key.Key                       { return s.root("p") }
func (s Scope) product(id string) key.Key               { return s.products().Str(id) }
func (s Scope) pages(product string) key.Key            { return s.root("g").Str(product) }
func (s Scope) page(product, id string) key.Key         { return s.pages(product).Str(id) }
func (s Scope) endpointPages(product string) key.Key    { return s.root("r").Str(product) }
func (s Scope) endpointPage(product, id string) key.Key { return s.endpointPages(product).Str(id) }
func (s Scope) portals() key.Key                        { return s.root("o") }
func (s Scope) portal(id string) key.Key                { return s.portals().Str(id) }
func (s Scope) logo(id string) key.Key                  { return s.root("l").Str(id) }
func ownerKey(portal string) key.Key                    { return Scope{}.root("i").Str(portal) }
func domainKey(name string) key.Key                     { return Scope{}.root("d").Str(name) }
func sharedKeys(region string) key.Key                  { return Scope{Region: region}.root("s") }
func sharedKey(region, product string) key.Key          { return sharedKeys(region).Str(product) }

func editionsOf(portal string) key.Key            { return key.New(editions, portal) }
func editionKey(portal, edition string) key.Key   { return editionsOf(portal).Str(edition) }
func indexKey(portal, edition string) key.Key     { return editionKey(portal, edition).Str("i") }
func logoKey(portal, edition string) key.Key      { return editionKey(portal, edition).Str("l") }
func contentsKeys(portal, edition string) key.Key { return editionKey(portal, edition).Str("c") }
func contentsKey(portal, edition, product string) key.Key {
	return contentsKeys(portal, edition).Str(product)
}

func shownKey(portal, edition, page string) key.Key {
	return editionKey(portal, edition).Str("p").Str(page)
}

// The elements of ARNs.
const (
	portalsPath       = "portals"
	productsPath      = "portalproducts"
	pagesPath         = "productpages"
	endpointPagesPath = "productrestendpointpages"
)

// arn is the ARN of what a path names, such as arn:aws:apigateway:us-east-1:111122223333:/portalproducts/abc
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagementv2.html).
func (s Scope) arn(path ...string) string {
	return arn.New("apigateway", s.Region, s.Account, "/"+strings.Join(path, "/")).String()
}

func (s Scope) productARN(id string) string { return s.arn(productsPath, id) }
func (s Scope) portalARN(id string) string  { return s.arn(portalsPath, id) }
func (s Scope) pageARN(product, id string) string {
	return s.arn(productsPath, product, pagesPath, id)
}

func (s Scope) endpointPageARN(product, id string) string {
	return s.arn(productsPath, product, endpointPagesPath, id)
}

// parseARN returns the scope and the path of an ARN of API Gateway.
func parseARN(text string) (s Scope, path []string, ok bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "apigateway" || !strings.HasPrefix(a.Resource, "/") {
		return s, nil, false
	}
	return Scope{a.Account, a.Region}, strings.Split(a.Resource[1:], "/"), true
}

// drop deletes all keys under a prefix.
func drop(tx store.Txn, prefix key.Key) {
	span := prefix.Span()
	tx.DeleteRange(span.Lo, span.Hi)
}

// ProductID is the id in the ARN of a product.
func ProductID(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
