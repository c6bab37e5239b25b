package portal

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Access returns the access rules of the operations of portals
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagementv2.html).
func (p *Portals) Access() map[string]service.Access {
	return map[string]service.Access{
		"CreatePortal": including(p, "CreatePortal", func(*api.CreatePortalInput) string { return "*" }, func(_ context.Context, in *api.CreatePortalInput) ([]string, keys, error) {
			return in.IncludedPortalProductArns, portalKeys(in.PortalContent, in.Authorization, in.EndpointConfiguration), nil
		}),
		"GetPortal":   within("GetPortal", func(in *api.GetPortalInput) []string { return []string{portalsPath, in.PortalId} }, nil),
		"ListPortals": within("ListPortals", func(*api.ListPortalsInput) []string { return []string{portalsPath, "*"} }, nil),
		"UpdatePortal": including(p, "UpdatePortal", func(in *api.UpdatePortalInput) string { return in.PortalId }, func(_ context.Context, in *api.UpdatePortalInput) ([]string, keys, error) {
			return in.IncludedPortalProductArns, portalKeys(in.PortalContent, in.Authorization, in.EndpointConfiguration), nil
		}),
		"DeletePortal":  within("DeletePortal", func(in *api.DeletePortalInput) []string { return []string{portalsPath, in.PortalId} }, nil),
		"DisablePortal": within("DisablePortal", func(in *api.DisablePortalInput) []string { return []string{portalsPath, in.PortalId} }, nil),
		"PublishPortal": including(p, "PublishPortal", func(in *api.PublishPortalInput) string { return in.PortalId }, func(ctx context.Context, in *api.PublishPortalInput) ([]string, keys, error) {
			products, err := p.includedBy(ctx, in.PortalId)
			return products, nil, err
		}),
		"PreviewPortal": including(p, "PreviewPortal", func(in *api.PreviewPortalInput) string { return in.PortalId }, func(ctx context.Context, in *api.PreviewPortalInput) ([]string, keys, error) {
			products, err := p.includedBy(ctx, in.PortalId)
			return products, nil, err
		}),
		"CreatePortalProduct": within("CreatePortalProduct", func(_ *api.CreatePortalProductInput) []string { return []string{productsPath, "*"} },
			func(in *api.CreatePortalProductInput) keys { return keys{"PortalProductDisplayName": in.DisplayName} }),
		"GetPortalProduct": shared(p, "GetPortalProduct", func(in *api.GetPortalProductInput) (*string, []string) {
			return in.ResourceOwnerAccountId, []string{productsPath, in.PortalProductId}
		}),
		"ListPortalProducts": within("ListPortalProducts", func(_ *api.ListPortalProductsInput) []string { return []string{productsPath, "*"} }, nil),
		"UpdatePortalProduct": within("UpdatePortalProduct", func(in *api.UpdatePortalProductInput) []string { return []string{productsPath, in.PortalProductId} },
			func(in *api.UpdatePortalProductInput) keys {
				return keys{"PortalProductDisplayName": opt.Value(in.DisplayName)}
			}),
		"DeletePortalProduct": within("DeletePortalProduct", func(in *api.DeletePortalProductInput) []string { return []string{productsPath, in.PortalProductId} }, nil),
		"PutPortalProductSharingPolicy": within("PutPortalProductSharingPolicy", func(in *api.PutPortalProductSharingPolicyInput) []string {
			return []string{productsPath, in.PortalProductId}
		}, nil),
		"GetPortalProductSharingPolicy": within("GetPortalProductSharingPolicy", func(in *api.GetPortalProductSharingPolicyInput) []string {
			return []string{productsPath, in.PortalProductId}
		}, nil),
		"DeletePortalProductSharingPolicy": within("DeletePortalProductSharingPolicy", func(in *api.DeletePortalProductSharingPolicyInput) []string {
			return []string{productsPath, in.PortalProductId}
		}, nil),
		"CreateProductPage": within("CreateProductPage", func(in *api.CreateProductPageInput) []string {
			return []string{productsPath, in.PortalProductId, pagesPath, "*"}
		}, func(in *api.CreateProductPageInput) keys { return titled(in.DisplayContent) }),
		"GetProductPage": shared(p, "GetProductPage", func(in *api.GetProductPageInput) (*string, []string) {
			return in.ResourceOwnerAccountId, []string{productsPath, in.PortalProductId, pagesPath, in.ProductPageId}
		}),
		"ListProductPages": shared(p, "ListProductPages", func(in *api.ListProductPagesInput) (*string, []string) {
			return in.ResourceOwnerAccountId, []string{productsPath, in.PortalProductId, pagesPath, "*"}
		}),
		"UpdateProductPage": within("UpdateProductPage", func(in *api.UpdateProductPageInput) []string {
			return []string{productsPath, in.PortalProductId, pagesPath, in.ProductPageId}
		}, func(in *api.UpdateProductPageInput) keys { return titled(in.DisplayContent) }),
		"DeleteProductPage": within("DeleteProductPage", func(in *api.DeleteProductPageInput) []string {
			return []string{productsPath, in.PortalProductId, pagesPath, in.ProductPageId}
		}, nil),
		"CreateProductRestEndpointPage": within("CreateProductRestEndpointPage", func(in *api.CreateProductRestEndpointPageInput) []string {
			return []string{productsPath, in.PortalProductId, endpointPagesPath, "*"}
		}, func(in *api.CreateProductRestEndpointPageInput) keys {
			of := opt.Value(in.RestEndpointIdentifier.IdentifierParts)
			return keys{"RestApiId": of.RestApiId, "Stage": of.Stage, "Method": of.Method, "ProductRestEndpointPageEndpointPrefix": prefixOf(in.DisplayContent)}
		}),
		"GetProductRestEndpointPage": shared(p, "GetProductRestEndpointPage", func(in *api.GetProductRestEndpointPageInput) (*string, []string) {
			return in.ResourceOwnerAccountId, []string{productsPath, in.PortalProductId, endpointPagesPath, in.ProductRestEndpointPageId}
		}),
		"ListProductRestEndpointPages": shared(p, "ListProductRestEndpointPages", func(in *api.ListProductRestEndpointPagesInput) (*string, []string) {
			return in.ResourceOwnerAccountId, []string{productsPath, in.PortalProductId, endpointPagesPath, "*"}
		}),
		"UpdateProductRestEndpointPage": within("UpdateProductRestEndpointPage", func(in *api.UpdateProductRestEndpointPageInput) []string {
			return []string{productsPath, in.PortalProductId, endpointPagesPath, in.ProductRestEndpointPageId}
		}, func(in *api.UpdateProductRestEndpointPageInput) keys {
			return keys{"ProductRestEndpointPageEndpointPrefix": prefixOf(in.DisplayContent)}
		}),
		"DeleteProductRestEndpointPage": within("DeleteProductRestEndpointPage", func(in *api.DeleteProductRestEndpointPageInput) []string {
			return []string{productsPath, in.PortalProductId, endpointPagesPath, in.ProductRestEndpointPageId}
		}, nil),
	}
}

// keys are condition keys of a request by their names behind apigateway:Request/; an empty one is not given.
type keys map[string]string

func (k keys) condition() map[string][]string {
	out := map[string][]string{}
	for name, value := range k {
		if value != "" {
			out["apigateway:Request/"+name] = []string{value}
		}
	}
	return out
}

func portalKeys(c *api.PortalContent, a *api.Authorization, e *api.EndpointConfigurationRequest) keys {
	k := keys{}
	if c != nil {
		k["PortalDisplayName"] = c.DisplayName
	}
	if a != nil && a.CognitoConfig != nil {
		k["CognitoUserPoolArn"] = a.CognitoConfig.UserPoolArn
	}
	if e != nil && e.AcmManaged != nil {
		k["PortalDomainName"] = e.AcmManaged.DomainName
	}
	return k
}

func titled(c *api.DisplayContent) keys {
	if c == nil {
		return nil
	}
	return keys{"ProductPageTitle": c.Title}
}

func prefixOf(c *api.EndpointDisplayContent) string {
	if c == nil || c.Overrides == nil {
		return ""
	}
	return opt.Value(c.Overrides.Endpoint)
}

// within is the rule of an operation on what the caller's account has at a path. request says what the call asks for; it may be nil.
func within[In any](action string, path func(in In) []string, request func(in In) keys) service.Access {
	return service.OnAll("apigateway:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		t := service.Target{ARN: scopeOf(ctx).arn(path(in)...)}
		if request != nil {
			t.Condition = request(in).condition()
		}
		return []service.Target{t}, nil
	})
}

// shared is the rule of an operation on a product, the path of which begins with its id, of an account that may share it.
func shared[In any](p *Portals, action string, of func(in In) (account *string, path []string)) service.Access {
	return service.OnAll("apigateway:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		account, path := of(in)
		owner := ownedBy(ctx, account)
		policy, err := p.policyOf(ctx, owner, path[1])
		return []service.Target{{ARN: owner.arn(path...), Policy: policy, Owner: owner.Account}}, err
	})
}

// including is the rule of an operation on a portal that shows products, each of which its caller must be allowed to see. The ARNs that are none are refused by the operation.
func including[In any](p *Portals, action string, id func(in In) string, products func(ctx context.Context, in In) ([]string, keys, error)) service.Access {
	return service.OnAll("apigateway:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		arns, k, err := products(ctx, in)
		if err != nil {
			return nil, err
		}
		targets := []service.Target{{ARN: scopeOf(ctx).portalARN(id(in)), Condition: k.condition()}}
		for _, text := range arns {
			at, path, ok := parseARN(text)
			if !ok || len(path) != 2 {
				continue
			}
			policy, err := p.policyOf(ctx, at, path[1])
			if err != nil {
				return nil, err
			}
			targets = append(targets, target(at, text, policy))
		}
		return targets, nil
	})
}

// includedBy returns the products of a portal; none when there is no such portal.
func (p *Portals) includedBy(ctx context.Context, id string) (products []string, err error) {
	err = p.deps.Store.View(ctx, func(r store.Reader) error {
		v, _, err := record.Get[portal](r, scopeOf(ctx).portal(id))
		products = v.Products
		return err
	})
	return products, err
}

// policyOf returns the sharing policy of a product; empty when it has none, or is not there.
func (p *Portals) policyOf(ctx context.Context, owner Scope, id string) (policy string, err error) {
	err = p.deps.Store.View(ctx, func(r store.Reader) error {
		v, _, err := record.Get[product](r, owner.product(id))
		policy = v.Policy
		return err
	})
	return policy, err
}
