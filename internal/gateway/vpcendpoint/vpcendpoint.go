package vpcendpoint

import (
	"context"
	"net/http"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Header is the request header that names the VPC endpoint.
const Header = "X-Lambent-Vpc-Endpoint"

// Service is the last part of the name of the service whose endpoints lead to APIs.
const Service = "execute-api"

// Endpoint is a VPC endpoint for APIs. The zero Endpoint is none.
type Endpoint struct {
	// ID is the endpoint's id, VPC that of its network.
	ID, VPC string
}

// Value returns a condition key of policies, in lower case; empty for what is not known, and for another key
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-examples.html).
func (e Endpoint) Value(key string) string {
	switch key {
	case "aws:sourcevpce":
		return e.ID
	case "aws:sourcevpc":
		return e.VPC
	}
	return ""
}

// Endpoints finds the endpoints of requests. Nil finds none.
type Endpoints struct {
	Networks port.Networks
	// Heard tells that requests are believed.
	Heard bool
}

// Named returns the id of the endpoint that a request says it came through; empty for none.
func (e *Endpoints) Named(r *http.Request) string {
	if e == nil || !e.Heard {
		return ""
	}
	return r.Header.Get(Header)
}

// Of returns the endpoint of a request to an API of an account in a region: one that the account has, for the service of APIs.
func (e *Endpoints) Of(r *http.Request, account, region string) Endpoint {
	id := e.Named(r)
	if id == "" {
		return Endpoint{}
	}
	found, err := e.Find(service.WithRequest(r.Context(), &service.Request{Account: account, Region: region}), id)
	if err != nil {
		return Endpoint{}
	}
	return found
}

// Find returns an endpoint of the account and region of ctx, or the error of EC2 for one that is not there or is for another service.
func (e *Endpoints) Find(ctx context.Context, id string) (Endpoint, error) {
	vpc, err := e.Networks.Endpoint(ctx, id, Service)
	return Endpoint{ID: id, VPC: vpc}, err
}
