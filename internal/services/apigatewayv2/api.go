package apigatewayv2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// routeSelection is the only route selection expression of HTTP APIs; keySelection finds API keys unless a WebSocket API says otherwise.
const (
	routeSelection = "$request.method $request.path"
	keySelection   = "$request.header.x-api-key"
)

// settings are the members that CreateApi and UpdateApi share.
type settings struct {
	cors                                                   *api.Cors
	selection, keySelection, target, routeKey, credentials *string
	noValidation                                           *bool
	addressType                                            string
}

// apply checks the settings against the protocol, and puts them into the record.
func (s *settings) apply(a *gatewayAPI) error {
	if a.webSocket() {
		switch {
		case s.cors != nil:
			return badRequest("CORS configuration is not supported for WEBSOCKET APIs.")
		case s.target != nil || s.routeKey != nil || s.credentials != nil:
			return badRequest("Quick create (Target, RouteKey and CredentialsArn) is only supported for HTTP APIs.")
		}
		if err := checkSelection(value(s.selection)); s.selection != nil && err != nil {
			return err
		}
		if s.keySelection != nil && *s.keySelection != keySelection && *s.keySelection != "$context.authorizer.usageIdentifierKey" {
			return badRequest("Invalid ApiKeySelectionExpression %q: give %s or $context.authorizer.usageIdentifierKey.", *s.keySelection, keySelection)
		}
	} else {
		if s.selection != nil && *s.selection != routeSelection {
			return badRequest("RouteSelectionExpression of an HTTP API can only be %q.", routeSelection)
		}
		if s.keySelection != nil && *s.keySelection != keySelection {
			return badRequest("ApiKeySelectionExpression is supported only for WEBSOCKET APIs.")
		}
		if s.noValidation != nil && *s.noValidation {
			return badRequest("DisableSchemaValidation is supported only for WEBSOCKET APIs.")
		}
		if err := checkCORS(s.cors); err != nil {
			return err
		}
	}
	if s.addressType == "dualstack" {
		a.AddressType = "dualstack"
	} else if s.addressType != "" {
		a.AddressType = ""
	}
	if s.cors != nil {
		a.Config.CORS = s.cors
	}
	if s.selection != nil && a.webSocket() {
		a.Config.Selection = *s.selection
	}
	if s.keySelection != nil {
		a.Config.KeySelection = *s.keySelection
	}
	if s.noValidation != nil {
		a.Config.NoValidation = *s.noValidation
	}
	return nil
}

func (g *Gateway) createAPI(ctx context.Context, in *api.CreateApiInput) (*api.CreateApiOutput, error) {
	if err := g.mayPass(ctx, in.CredentialsArn); err != nil {
		return nil, err
	}
	if in.ProtocolType == protocolWebSocket && in.RouteSelectionExpression == nil {
		return nil, badRequest("RouteSelectionExpression is required for WEBSOCKET APIs: the expression that finds the route of a message, such as $request.body.action.")
	}
	a := gatewayAPI{
		Protocol: in.ProtocolType, Name: in.Name, Description: in.Description, Version: in.Version, Tags: in.Tags,
		NoEndpoint: value(in.DisableExecuteApiEndpoint),
	}
	s := settings{
		in.CorsConfiguration, in.RouteSelectionExpression, in.ApiKeySelectionExpression, in.Target, in.RouteKey, in.CredentialsArn,
		in.DisableSchemaValidation, in.IpAddressType,
	}
	if err := s.apply(&a); err != nil {
		return nil, err
	}
	var quick *stage
	if in.Target != nil {
		var err error
		if quick, err = g.quickCreate(&a, &s); err != nil {
			return nil, err
		}
	} else if in.RouteKey != nil || in.CredentialsArn != nil {
		return nil, badRequest("RouteKey and CredentialsArn of CreateApi are for quick create and need a Target.")
	}
	if err := g.insert(ctx, &a, quick); err != nil {
		return nil, err
	}
	return g.view(&a), nil
}

// quickKind is the type of the integration that quick create makes for a target.
func quickKind(target string) string {
	if _, err := functionOf(target); err == nil {
		return kindAWSProxy
	}
	return kindHTTPProxy
}

// quickDefaults are the payload format and the method of the integration that quick create makes for a target.
func quickDefaults(target string) (version, method string) {
	if quickKind(target) == kindAWSProxy {
		return "2.0", "POST"
	}
	return "1.0", "ANY"
}

// quickCreate adds an integration with the target, its route and a $default stage that deploys by itself, all managed by API Gateway.
func (g *Gateway) quickCreate(a *gatewayAPI, s *settings) (*stage, error) {
	version, method := quickDefaults(*s.target)
	in := api.CreateIntegrationInput{IntegrationUri: s.target, CredentialsArn: s.credentials, IntegrationType: quickKind(*s.target), PayloadFormatVersion: &version, IntegrationMethod: &method}
	i, err := g.newIntegration(a, &in)
	if err != nil {
		return nil, err
	}
	i.ApiGatewayManaged = ptr(true)
	a.Config.Integrations = append(a.Config.Integrations, *i)
	routeKey := "$default"
	if s.routeKey != nil {
		routeKey = *s.routeKey
	}
	r, err := g.newRoute(a, &api.CreateRouteInput{RouteKey: routeKey, Target: ptr("integrations/" + *i.IntegrationId)})
	if err != nil {
		return nil, err
	}
	r.ApiGatewayManaged = ptr(true)
	a.Config.Routes = append(a.Config.Routes, *r)
	st := g.newStage(&api.CreateStageInput{StageName: defaultStage, AutoDeploy: ptr(true)})
	st.ApiGatewayManaged = ptr(true)
	return st, nil
}

// insert gives a its id and stores it, with its first stage if there is one.
func (g *Gateway) insert(ctx context.Context, a *gatewayAPI, first *stage) error {
	s := scopeOf(ctx)
	a.Created = g.deps.Clock.Now().UTC()
	return g.deps.Store.Update(ctx, func(tx store.Txn) error {
		id, err := g.newID(10)
		if err != nil {
			return err
		}
		if taken, err := record.Has(tx, ownerKey(id)); err != nil || taken {
			return orTaken(err, id)
		}
		a.ID = id
		if err := record.Set(tx, ownerKey(id), owner{s.account, s.region}); err != nil {
			return err
		}
		if first != nil {
			if err := g.autoDeploy(tx, s, a, first); err != nil {
				return err
			}
			if err := record.Set(tx, s.stage(id, first.StageName), *first); err != nil {
				return err
			}
		}
		return record.Set(tx, s.api(id), *a)
	})
}

// owner is the record behind an API's id.
type owner struct{ Account, Region string }

func orTaken(err error, id string) error {
	if err != nil {
		return err
	}
	return conflict("The API id %s is taken. Try again.", id)
}

// view returns the API's public form. The outputs of the other API calls have the same members.
func (g *Gateway) view(a *gatewayAPI) *api.CreateApiOutput {
	out := &api.CreateApiOutput{
		ApiEndpoint: ptr(g.endpoint(a)), ApiId: ptr(a.ID), ApiKeySelectionExpression: ptr(keySelection), RouteSelectionExpression: ptr(routeSelection),
		CorsConfiguration: a.Config.CORS, CreatedDate: ptr(a.Created), Description: a.Description, DisableExecuteApiEndpoint: ptr(a.NoEndpoint),
		IpAddressType: "ipv4", Name: ptr(a.Name), ProtocolType: a.Protocol, Tags: a.Tags, Version: a.Version, ImportInfo: a.ImportInfo, Warnings: a.Warnings,
	}
	if a.AddressType != "" {
		out.IpAddressType = a.AddressType
	}
	if a.Config.Selection != "" {
		out.RouteSelectionExpression = ptr(a.Config.Selection)
	}
	if a.Config.KeySelection != "" {
		out.ApiKeySelectionExpression = ptr(a.Config.KeySelection)
	}
	if a.webSocket() {
		out.DisableSchemaValidation = ptr(a.Config.NoValidation)
	}
	return out
}

// load returns an API of the scope, or NotFoundException.
func load(r store.Reader, s scope, id string) (gatewayAPI, error) {
	a, ok, err := record.Get[gatewayAPI](r, s.api(id))
	if err == nil && !ok {
		err = notFound("API", s.account+":"+id)
	}
	return a, err
}

// read returns an API outside of a transaction.
func (g *Gateway) read(ctx context.Context, id string) (a gatewayAPI, err error) {
	err = g.deps.Store.View(ctx, func(r store.Reader) error {
		a, err = load(r, scopeOf(ctx), id)
		return err
	})
	return a, err
}

// change runs fn on an API's record in one transaction, and has the stages with auto-deploy follow.
func (g *Gateway) change(ctx context.Context, id string, fn func(tx store.Txn, a *gatewayAPI) error) (a gatewayAPI, err error) {
	s := scopeOf(ctx)
	err = g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if a, err = load(tx, s, id); err != nil {
			return err
		}
		if err := fn(tx, &a); err != nil {
			return err
		}
		if err := g.deployItself(tx, s, &a); err != nil {
			return err
		}
		return record.Set(tx, s.api(id), a)
	})
	return a, err
}

func (g *Gateway) getAPI(ctx context.Context, in *api.GetApiInput) (*api.GetApiOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	return (*api.GetApiOutput)(g.view(&a)), nil
}

func (g *Gateway) getAPIs(ctx context.Context, in *api.GetApisInput) (*api.GetApisOutput, error) {
	out := &api.GetApisOutput{}
	var err error
	out.Items, out.NextToken, err = listed(ctx, g, scopeOf(ctx).apis(), paging{in.MaxResults, in.NextToken}, func(a *gatewayAPI) (v api.Api) {
		members.Copy(&v, g.view(a))
		return v
	})
	return out, err
}

func (g *Gateway) updateAPI(ctx context.Context, in *api.UpdateApiInput) (*api.UpdateApiOutput, error) {
	if err := g.mayPass(ctx, in.CredentialsArn); err != nil {
		return nil, err
	}
	s := settings{
		in.CorsConfiguration, in.RouteSelectionExpression, in.ApiKeySelectionExpression, in.Target, in.RouteKey, in.CredentialsArn,
		in.DisableSchemaValidation, in.IpAddressType,
	}
	a, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		if err := s.apply(a); err != nil {
			return err
		}
		if err := a.updateQuick(&s); err != nil {
			return err
		}
		if in.Name != nil {
			a.Name = *in.Name
		}
		if in.Description != nil {
			a.Description = in.Description
		}
		if in.Version != nil {
			a.Version = in.Version
		}
		if in.DisableExecuteApiEndpoint != nil {
			a.NoEndpoint = *in.DisableExecuteApiEndpoint
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return (*api.UpdateApiOutput)(g.view(&a)), nil
}

// updateQuick changes the managed route and integration of an API that was made by quick create.
func (a *gatewayAPI) updateQuick(s *settings) error {
	if s.target == nil && s.routeKey == nil && s.credentials == nil {
		return nil
	}
	for i := range a.Config.Integrations {
		managed := &a.Config.Integrations[i]
		if !value(managed.ApiGatewayManaged) {
			continue
		}
		if err := a.updateManaged(managed, s); err != nil {
			return err
		}
		for j := range a.Config.Routes {
			if r := &a.Config.Routes[j]; value(r.ApiGatewayManaged) && s.routeKey != nil {
				return a.changeRoute(r, &api.UpdateRouteInput{RouteKey: s.routeKey})
			}
		}
		return nil
	}
	return badRequest("Target, RouteKey and CredentialsArn of UpdateApi change what quick create made, and this API was not made by it. Change its routes and integrations.")
}

func (a *gatewayAPI) updateManaged(managed *integration, s *settings) error {
	in := api.UpdateIntegrationInput{IntegrationUri: s.target, CredentialsArn: s.credentials}
	if s.target != nil {
		version, method := quickDefaults(*s.target)
		in.IntegrationType, in.PayloadFormatVersion, in.IntegrationMethod = quickKind(*s.target), &version, &method
	}
	return a.changeIntegration(managed, &in)
}

func (g *Gateway) deleteAPI(ctx context.Context, in *api.DeleteApiInput) (*api.DeleteApiOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := load(tx, s, in.ApiId); err != nil {
			return err
		}
		tx.Delete(s.api(in.ApiId))
		tx.Delete(ownerKey(in.ApiId))
		tx.DeleteRange(s.stages(in.ApiId), s.stages(in.ApiId).End())
		tx.DeleteRange(s.deployments(in.ApiId), s.deployments(in.ApiId).End())
		return nil
	})
	return &api.DeleteApiOutput{}, err
}

func (g *Gateway) deleteCORS(ctx context.Context, in *api.DeleteCorsConfigurationInput) (*api.DeleteCorsConfigurationOutput, error) {
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		a.Config.CORS = nil
		return nil
	})
	return &api.DeleteCorsConfigurationOutput{}, err
}
