// Package apigatewayv2 is Amazon API Gateway's second API: HTTP APIs and WebSocket APIs.
//
// The control plane keeps one record per API that holds its routes, integrations, authorizers and models, so that a deployment is a copy of a record and
// the data plane reads one key. A stage with automatic deployment serves the API as it is now, another
// stage the copy that its deployment made. What a record has of routes and the like are the structs of the API itself; package lib/members copies
// inputs into them and them into outputs, and a test holds that no member gets lost.
//
// The data plane of HTTP APIs ([plane]) answers under {api}.execute-api.{region}.* and under /_aws/execute-api/{api}. It compiles an API's
// stage into a route table on first use and keeps it until this service commits a change (package store/memo).
// Functions are invoked as apigateway.amazonaws.com with the route's ARN as the source; without a permission in the function's
// policy the client gets a 500, as on AWS, and the log says which grant is missing.
//
// # Keys
//
//	apigatewayv2/<account>/<region>/a/<api>            API record
//	apigatewayv2/<account>/<region>/s/<api>/<stage>    stage record
//	apigatewayv2/<account>/<region>/d/<api>/<id>       deployment record
//	apigatewayv2/<account>/<region>/v/<id>             VPC link record
//	apigatewayv2///i/<api>                             owner of an API id; ids are unique over all accounts, as host names are
//
// # What it is not
//
// Portals and their products have no handlers: they are hosted pages. Load balancers and Cloud Map services as private integrations, client certificates,
// detailed metrics and execution logs are refused by name.
package apigatewayv2
