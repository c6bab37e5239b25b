// Package domain keeps the custom domain names of API Gateway, which its two APIs share: what one makes, the other shows. A name leads to APIs by mappings
// (API mappings of the second API, base path mappings of the first) and by routing rules.
//
// [Domains] is one for a Lambent. The planes of REST APIs, HTTP APIs and WebSocket APIs register with it ([Domains.Register]); a request whose Host is a
// custom domain name reaches [Domains.ServeHTTP], which finds the API and the stage and hands it to the plane that has the API. A mapping keeps the
// plane's name, so that no request has to ask which plane has the API.
//
// A private name answers only requests through a VPC endpoint (package vpcendpoint) that is associated with it, of callers whom its policy lets call.
//
// Certificates are those of the local authority: it mints one for any name that a client asks for, and the ARN that a name was made with is shown and not
// read. With mutual TLS the trust store is read from S3 when the name is made or changed, with the permissions of the caller, and kept in the record;
// [Domains.ClientCAs] has the listener ask for a certificate, and a request without one is refused.
//
// # Keys
//
//	gateway-domain/<account>/<region>/n/<name>        the name; <name> is its Ref, which has the id of a private one
//	gateway-domain/<account>/<region>/m/<name>/<id>   a mapping
//	gateway-domain/<account>/<region>/r/<name>/<id>   a routing rule
//	gateway-domain///o/<name>                         account and region of a public name: they are unique over all accounts, as hosts are
//	gateway-domain///p/<name>/<account>/<region>/<id> the same of a private name, of which many may be alike
//	gateway-domain/<account>/<region>/a/<name>/<vpce> an association of the account's VPC endpoint with a private name
//	gateway-domain/<account>/<region>/c/<name>/…      the same, by the account of the name
//	gateway-domain///w/<vpce>/<name>                  the same, by the VPC endpoint and the host of a request
//
// # Invariants
//
// A mapping's path and a rule's priority are each there once in a name. Names are in lower case. A name that has mappings can be deleted, and they go with
// it. What a request needs is compiled from the records of its name and kept until this package's keys change (package store/memo).
package domain
