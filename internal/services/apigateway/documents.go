package apigateway

import (
	"context"
	"slices"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/openapi"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Documents implements [port.RESTAPIs] over a store.
type Documents struct{ store store.Store }

// NewDocuments returns what describes the REST APIs of a store.
func NewDocuments(s store.Store) *Documents { return &Documents{s} }

// DescribeREST implements [port.RESTAPIs].
func (d *Documents) DescribeREST(ctx context.Context, account, region, id, stage string) (port.RESTAPI, error) {
	s := api.Scope{Account: account, Region: region}
	e := &openapi.Export{Stage: stage, Host: executeHost(s, id), V3: true, Parts: true}
	err := d.store.View(ctx, func(r store.Reader) error {
		if err := fillExport(r, s, id, stage, e); err != nil {
			return err
		}
		parts, err := record.List[api.DocumentationPart](r, s.Parts(id).Span())
		e.Documentation = &api.DocumentationVersion{Created: e.API.Created, Parts: parts}
		return err
	})
	if err != nil {
		return port.RESTAPI{}, err
	}
	body, err := e.JSON()
	return port.RESTAPI{Document: body, Private: slices.Contains(e.API.Endpoint.Types, aws.EndpointTypePrivate)}, err
}
