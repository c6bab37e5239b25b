package apigatewayv2

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigatewayv2/portal"
)

// productProperties are the properties of AWS::ApiGatewayV2::PortalProduct.
type productProperties struct {
	Description *string
	DisplayName string `cfn:"DisplayName,required"`
	Tags        []service.TagProperty
}

// productResource is a portal product, which Ref shows by its ARN.
func productResource(arn, id *string, modified *time.Time) service.Resource {
	return service.Resource{PhysicalID: value(arn), Attributes: map[string]any{
		"PortalProductArn": value(arn), "PortalProductId": value(id), "LastModified": value(modified).UTC().Format(time.RFC3339),
	}}
}

func (g *Gateway) createProductResource(ctx context.Context, c service.ResourceCall, p *productProperties) (service.Resource, error) {
	out, err := call[api.CreatePortalProductOutput](ctx, g, "CreatePortalProduct", &api.CreatePortalProductInput{Description: p.Description, DisplayName: p.DisplayName, Tags: c.AllTags(p.Tags)})
	if err != nil {
		return service.Resource{}, err
	}
	return productResource(out.PortalProductArn, out.PortalProductId, out.LastModified), nil
}

func (g *Gateway) updateProductResource(ctx context.Context, c service.ResourceCall, old, p *productProperties) (service.Resource, error) {
	id := portal.ProductID(c.PhysicalID)
	out, err := call[api.UpdatePortalProductOutput](ctx, g, "UpdatePortalProduct", &api.UpdatePortalProductInput{PortalProductId: id, Description: orDefault(p.Description, ""), DisplayName: &p.DisplayName})
	if err != nil {
		return service.Resource{}, err
	}
	err = service.Retag(c.AllTags(old.Tags), c.AllTags(p.Tags), func(keys []string) error {
		_, err := call[api.UntagResourceOutput](ctx, g, "UntagResource", &api.UntagResourceInput{ResourceArn: c.PhysicalID, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[api.TagResourceOutput](ctx, g, "TagResource", &api.TagResourceInput{ResourceArn: c.PhysicalID, Tags: tags})
		return err
	})
	return productResource(out.PortalProductArn, out.PortalProductId, out.LastModified), err
}

func (g *Gateway) deleteProductResource(ctx context.Context, c service.ResourceCall, _ *productProperties) error {
	return drop[api.DeletePortalProductOutput](ctx, g, "DeletePortalProduct", &api.DeletePortalProductInput{PortalProductId: portal.ProductID(c.PhysicalID)})
}

func (g *Gateway) readProductResource(ctx context.Context, id service.Identifier) (*productProperties, service.Resource, error) {
	out, err := call[api.GetPortalProductOutput](ctx, g, "GetPortalProduct", &api.GetPortalProductInput{PortalProductId: portal.ProductID(id[0])})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[productProperties](out), productResource(out.PortalProductArn, out.PortalProductId, out.LastModified), nil
}
