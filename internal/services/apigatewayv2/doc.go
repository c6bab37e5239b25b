// Package apigatewayv2 is Amazon API Gateway's second API: HTTP APIs and WebSocket APIs.
//
// The control plane keeps one record per API that holds its routes, integrations, authorizers and models, so that a deployment is a copy of a record and
// the data plane reads one key. A stage with automatic deployment serves the API as it is now, another
// stage the copy that its deployment made. What a record has of routes and the like are the structs of the API itself; package lib/members copies
// inputs into them and them into outputs, and a test holds that no member gets lost.
//
// The data plane of HTTP APIs ([plane], [exchange]) answers under {api}.execute-api.{region}.*, under /_aws/execute-api/{api} and under custom domain names. It
// compiles an API's stage, with the values of its variables put in, into a route table on first use and keeps it until this service commits a change (package store/memo).
// A request goes this way, one file and one step of its trace for each: preflight of CORS → route → throttle → authorizer → request parameters → integration →
// response parameters; where one of them ends it, the gateway answers in its own words, with the headers of CORS. Functions are invoked as apigateway.amazonaws.com
// with the route's ARN as the source; without a permission in the function's policy the client gets a 500, as on AWS, and the log, the access log and the trace say
// which grant is missing and how to add it.
//
// A WebSocket API ([Gateway.connect]) opens a connection when its $connect route agrees; package socket holds it. Its record is stored before the client
// knows that it is connected and removed after $disconnect was told, so whoever reads the store knows the open connections and the node that holds each. Another node leaves
// what it has for a client as mail under the holder's id, which the commit wakes up. A Lambent is one process today: what other nodes left is ended at
// the start, as connections of a run that crashed. Messages of the management API come in under a stage's path and go through the door with the
// stage in their context.
//
// Portals, sites about REST APIs, are of package portal.
//
// # Keys
//
//	apigatewayv2/<account>/<region>/a/<api>            API record
//	apigatewayv2/<account>/<region>/s/<api>/<stage>    stage record
//	apigatewayv2/<account>/<region>/d/<api>/<id>       deployment record
//	apigatewayv2/<account>/<region>/v/<id>             VPC link record
//	apigatewayv2///i/<api>                             owner of an API id; ids are unique over all accounts, as host names are
//	apigatewayv2-connections/c/<connection>            connection record; connection ids are unique too
//	apigatewayv2-connections/n/<node>/<connection>     the connections of a node
//	apigatewayv2-connections/m/<node>/<stamp>          mail for a node's connections
//
// # What it is not
//
// Load balancers and Cloud Map services as private integrations, client certificates
// and execution logs are refused by name, and so are first-class integrations with services that Lambent does not have.
package apigatewayv2
