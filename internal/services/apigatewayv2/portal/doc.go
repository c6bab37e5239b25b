// Package portal is API Gateway's portals: web sites in which the owner of REST APIs shows them, with their documentation, to those who call them.
//
// A [product] groups pages. A product page is a text in Markdown; an endpoint page shows one method of a stage of a REST API, by what the API's deployment and its documentation
// parts say, or by the texts that override these. Pages that the product's display order does not name are drafts. A product can be shared with other accounts by its
// sharing policy, a resource policy that the door evaluates.
//
// A [portal] includes products. Publishing copies what its products say at that moment into an edition, and the site shows the edition: changes of products, pages and portal are seen after
// the next publication. A preview is an edition of its own behind an address that nobody can guess, for an hour. An edition has a row for what every page shows, its index, and one for
// each product and each page, since a transaction cannot hold them all; the record of the portal names the edition that is complete, and a publication deletes what an earlier one left.
//
// The site ([Portals.ServeHTTP]) is made of templates on the server, without scripts: its pages need none, and its policy of content (CSP) lets none run. Markdown has no raw HTML.
// "Try it" is a form whose request the platform sends to the API, as AWS does. A portal with a user pool sends visitors to the pool's domain and takes their identity token
// into a cookie, which is proven with every request; nothing of a session is kept here.
//
// # Keys
//
//	apigateway-portals/<account>/<region>/p/<product>           product
//	apigateway-portals/<account>/<region>/g/<product>/<page>    product page
//	apigateway-portals/<account>/<region>/r/<product>/<page>    endpoint page
//	apigateway-portals/<account>/<region>/o/<portal>            portal
//	apigateway-portals/<account>/<region>/l/<portal>            the portal's logo
//	apigateway-portals//<region>/s/<product>                    owner of a product with a sharing policy
//	apigateway-portals///i/<portal>                             owner of a portal's id, which is part of a host name
//	apigateway-portals///d/<domain>                             portal of a domain name
//	apigateway-portals-editions/<portal>/<edition>/i            index of an edition
//	apigateway-portals-editions/<portal>/<edition>/c/<product>  contents of a product in an edition
//	apigateway-portals-editions/<portal>/<edition>/p/<page>     page of an edition
//	apigateway-portals-editions/<portal>/<edition>/l            logo of an edition
//
// # What it is not
//
// Certificates of domain names are kept and not read, as those of APIs. Application monitors of CloudWatch RUM are refused by name. Products are shared by their policy alone: there are
// no resource shares of AWS RAM.
package portal
