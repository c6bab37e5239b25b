package apigatewayv2

import (
	"context"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// pets are the REST APIs of a test: pets, whose stage prod is public, and secret, which is private.
type pets struct{}

// DescribeREST implements [port.RESTAPIs].
func (pets) DescribeREST(_ context.Context, _, _, api, stage string) (port.RESTAPI, error) {
	if api != "pets" && api != "secret" || stage != "prod" {
		return port.RESTAPI{}, service.Errorf("NotFoundException", "Invalid Stage identifier specified")
	}
	return port.RESTAPI{Private: api == "secret", Document: []byte(`{"openapi": "3.0.1", "info": {"title": "Pets", "version": "1"},
		"paths": {"/pets/{id}": {"get": {"responses": {"200": {"description": "200 response"}}}, "x-amazon-apigateway-any-method": {"responses": {}}}}, "components": {},
		"x-amazon-apigateway-documentation": {"documentationParts": [
			{"location": {"type": "METHOD", "path": "/pets/{id}", "method": "GET"}, "properties": {"summary": "One pet", "description": "By its *id*."}}]}}`)}, nil
}
