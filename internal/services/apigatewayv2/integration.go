package apigatewayv2

import (
	"context"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/store"
)

// defaultTimeoutMS is the integration timeout of HTTP APIs, and the longest one, in milliseconds.
const defaultTimeoutMS = 30_000

// functionOf returns the function ARN in an integration URI: the ARN itself, or API Gateway's invocation path around it.
func functionOf(uri string) (string, error) {
	if _, rest, ok := strings.Cut(uri, ":lambda:path/2015-03-31/functions/"); ok {
		uri = strings.TrimSuffix(rest, "/invocations")
	}
	if p := strings.Split(uri, ":"); len(p) < 7 || p[0] != "arn" || p[2] != "lambda" || p[5] != "function" || p[6] == "" {
		return "", badRequest("Invalid function ARN or invalid uri: %s", uri)
	}
	return uri, nil
}

func (i *integration) view() *api.CreateIntegrationOutput {
	return &api.CreateIntegrationOutput{
		ConnectionType: "INTERNET", Description: i.Description, IntegrationId: ptr(i.ID), IntegrationMethod: ptr("POST"), IntegrationType: "AWS_PROXY",
		IntegrationUri: ptr(i.URI), PayloadFormatVersion: ptr("2.0"), TimeoutInMillis: ptr(i.TimeoutMS),
	}
}

// proxy are the members of an integration that matter for a Lambda proxy; the rest is refused.
type proxy struct {
	kind, connection, passthrough, content, method, payload string
	uri                                                     *string
	timeoutMS                                               *int32
	others                                                  bool
}

// check fills i from p.
func (p *proxy) check(operation string, i *integration) error {
	no := refused{operation: operation}
	no.when(p.kind != "AWS_PROXY", "IntegrationType "+p.kind)
	no.when(p.connection != "" && p.connection != "INTERNET", "ConnectionType "+p.connection)
	no.when(p.payload != "2.0", "PayloadFormatVersion "+p.payload+" (only 2.0)")
	no.when(p.method != "" && p.method != "POST", "IntegrationMethod "+p.method+" (a function is invoked with POST)")
	no.when(p.passthrough != "" || p.content != "", "PassthroughBehavior and ContentHandlingStrategy")
	no.when(p.others, "ConnectionId, CredentialsArn, IntegrationSubtype, RequestParameters, RequestTemplates, ResponseParameters, TemplateSelectionExpression and TlsConfig")
	if no.err != nil {
		return no.err
	}
	if p.uri == nil {
		return badRequest("IntegrationUri is required for an AWS_PROXY integration.")
	}
	if _, err := functionOf(*p.uri); err != nil {
		return err
	}
	i.URI, i.TimeoutMS = *p.uri, defaultTimeoutMS
	if p.timeoutMS != nil {
		i.TimeoutMS = *p.timeoutMS
	}
	if i.TimeoutMS < 50 || i.TimeoutMS > defaultTimeoutMS {
		return badRequest("Invalid TimeoutInMillis %d: give 50 to %d.", i.TimeoutMS, defaultTimeoutMS)
	}
	return nil
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (g *Gateway) createIntegration(ctx context.Context, in *api.CreateIntegrationInput) (*api.CreateIntegrationOutput, error) {
	id, err := g.newID(7)
	if err != nil {
		return nil, err
	}
	i := integration{ID: id, Description: in.Description}
	payload := value(in.PayloadFormatVersion)
	if payload == "" {
		payload = "1.0"
	}
	p := proxy{
		kind: in.IntegrationType, connection: in.ConnectionType, passthrough: in.PassthroughBehavior, content: in.ContentHandlingStrategy,
		method: value(in.IntegrationMethod), payload: payload, uri: in.IntegrationUri, timeoutMS: in.TimeoutInMillis,
		others: in.ConnectionId != nil || in.CredentialsArn != nil || in.IntegrationSubtype != nil || in.RequestParameters != nil || in.RequestTemplates != nil ||
			in.ResponseParameters != nil || in.TemplateSelectionExpression != nil || in.TlsConfig != nil,
	}
	if err := p.check("CreateIntegration", &i); err != nil {
		return nil, err
	}
	_, err = g.change(ctx, in.ApiId, func(_ store.Txn, a *httpAPI) error {
		if len(a.Config.Integrations) >= maxIntegrations {
			return badRequest("An API has at most %d integrations.", maxIntegrations)
		}
		a.Config.Integrations = append(a.Config.Integrations, i)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return i.view(), nil
}

func findIntegration(c *config, id string) (*integration, error) {
	if i := c.integration(id); i >= 0 {
		return &c.Integrations[i], nil
	}
	return nil, notFound("Integration", id)
}

func (g *Gateway) getIntegration(ctx context.Context, in *api.GetIntegrationInput) (*api.GetIntegrationOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	i, err := findIntegration(&a.Config, in.IntegrationId)
	if err != nil {
		return nil, err
	}
	return (*api.GetIntegrationOutput)(i.view()), nil
}

func (g *Gateway) getIntegrations(ctx context.Context, in *api.GetIntegrationsInput) (*api.GetIntegrationsOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	out := &api.GetIntegrationsOutput{Items: []api.Integration{}}
	for _, i := range a.Config.Integrations {
		out.Items = append(out.Items, api.Integration(*i.view()))
	}
	return out, nil
}

func (g *Gateway) updateIntegration(ctx context.Context, in *api.UpdateIntegrationInput) (*api.UpdateIntegrationOutput, error) {
	var out *api.CreateIntegrationOutput
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *httpAPI) error {
		i, err := findIntegration(&a.Config, in.IntegrationId)
		if err != nil {
			return err
		}
		p := proxy{
			kind: in.IntegrationType, connection: in.ConnectionType, passthrough: in.PassthroughBehavior, content: in.ContentHandlingStrategy,
			method: value(in.IntegrationMethod), payload: value(in.PayloadFormatVersion), uri: in.IntegrationUri, timeoutMS: in.TimeoutInMillis,
			others: in.ConnectionId != nil || in.CredentialsArn != nil || in.IntegrationSubtype != nil || in.RequestParameters != nil || in.RequestTemplates != nil ||
				in.ResponseParameters != nil || in.TemplateSelectionExpression != nil || in.TlsConfig != nil,
		}
		if p.kind == "" {
			p.kind = "AWS_PROXY"
		}
		if p.payload == "" {
			p.payload = "2.0"
		}
		if p.uri == nil {
			p.uri = ptr(i.URI)
		}
		if p.timeoutMS == nil {
			p.timeoutMS = ptr(i.TimeoutMS)
		}
		if in.Description != nil {
			i.Description = in.Description
		}
		if err := p.check("UpdateIntegration", i); err != nil {
			return err
		}
		out = i.view()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return (*api.UpdateIntegrationOutput)(out), nil
}

func (g *Gateway) deleteIntegration(ctx context.Context, in *api.DeleteIntegrationInput) (*api.DeleteIntegrationOutput, error) {
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *httpAPI) error {
		i := a.Config.integration(in.IntegrationId)
		if i < 0 {
			return notFound("Integration", in.IntegrationId)
		}
		if n := slices.IndexFunc(a.Config.Routes, func(r route) bool { return r.Integration == in.IntegrationId }); n >= 0 {
			return conflict("Cannot delete Integration '%s' due to it being referenced by a Route '%s'.", in.IntegrationId, a.Config.Routes[n].ID)
		}
		a.Config.Integrations = slices.Delete(a.Config.Integrations, i, i+1)
		return nil
	})
	return &api.DeleteIntegrationOutput{}, err
}
