package apigatewayv2

import (
	"context"
	"maps"
	"strconv"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func (g *Gateway) createAPI(ctx context.Context, in *api.CreateApiInput) (*api.CreateApiOutput, error) {
	no := refused{operation: "CreateApi"}
	no.when(in.ProtocolType != "HTTP", "ProtocolType "+in.ProtocolType)
	no.when(in.Target != nil || in.RouteKey != nil, "Target and RouteKey (quick create)")
	no.when(in.CredentialsArn != nil, "CredentialsArn")
	no.when(in.RouteSelectionExpression != nil && *in.RouteSelectionExpression != routeSelection, "RouteSelectionExpression")
	no.when(in.IpAddressType == "dualstack", "IpAddressType dualstack")
	if no.err != nil {
		return nil, no.err
	}
	a := httpAPI{
		Name: in.Name, Description: in.Description, Version: in.Version, Tags: in.Tags,
		NoEndpoint: in.DisableExecuteApiEndpoint != nil && *in.DisableExecuteApiEndpoint,
		Config:     config{CORS: in.CorsConfiguration},
	}
	if err := g.insert(ctx, &a); err != nil {
		return nil, err
	}
	return g.view(a), nil
}

// insert gives a its id and stores it.
func (g *Gateway) insert(ctx context.Context, a *httpAPI) error {
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

// routeSelection is the only route selection expression of HTTP APIs.
const routeSelection = "$request.method $request.path"

// view returns the API's public form. The outputs of the other API calls have the same members.
func (g *Gateway) view(a httpAPI) *api.CreateApiOutput {
	return &api.CreateApiOutput{
		ApiEndpoint: ptr(g.endpoint(a.ID)), ApiId: ptr(a.ID), ApiGatewayManaged: nil,
		ApiKeySelectionExpression: ptr("$request.header.x-api-key"), RouteSelectionExpression: ptr(routeSelection),
		CorsConfiguration: a.Config.CORS, CreatedDate: ptr(a.Created), Description: a.Description,
		DisableExecuteApiEndpoint: ptr(a.NoEndpoint), IpAddressType: "ipv4", Name: ptr(a.Name), ProtocolType: "HTTP",
		Tags: a.Tags, Version: a.Version,
	}
}

// load returns an API of the scope, or NotFoundException.
func load(r store.Reader, s scope, id string) (httpAPI, error) {
	a, ok, err := record.Get[httpAPI](r, s.api(id))
	if err == nil && !ok {
		err = notFound("API", s.account+":"+id)
	}
	return a, err
}

// read returns an API outside of a transaction.
func (g *Gateway) read(ctx context.Context, id string) (a httpAPI, err error) {
	err = g.deps.Store.View(ctx, func(r store.Reader) error {
		a, err = load(r, scopeOf(ctx), id)
		return err
	})
	return a, err
}

// change runs fn on an API's record in one transaction.
func (g *Gateway) change(ctx context.Context, id string, fn func(tx store.Txn, a *httpAPI) error) (a httpAPI, err error) {
	s := scopeOf(ctx)
	err = g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if a, err = load(tx, s, id); err != nil {
			return err
		}
		if err := fn(tx, &a); err != nil {
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
	return (*api.GetApiOutput)(g.view(a)), nil
}

func (g *Gateway) getAPIs(ctx context.Context, in *api.GetApisInput) (*api.GetApisOutput, error) {
	s := scopeOf(ctx)
	limit, err := maxResults(in.MaxResults)
	if err != nil {
		return nil, err
	}
	span := s.apis().Span()
	if in.NextToken != nil {
		span.Lo = append(s.api(*in.NextToken), 0)
	}
	out := &api.GetApisOutput{Items: []api.Api{}}
	err = g.deps.Store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[httpAPI](r, span) {
			if err != nil {
				return err
			}
			if len(out.Items) == limit {
				out.NextToken = out.Items[limit-1].ApiId
				return nil
			}
			out.Items = append(out.Items, g.item(row.Value))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) item(a httpAPI) api.Api {
	v := g.view(a)
	return api.Api{
		ApiEndpoint: v.ApiEndpoint, ApiId: v.ApiId, ApiKeySelectionExpression: v.ApiKeySelectionExpression, CorsConfiguration: v.CorsConfiguration,
		CreatedDate: v.CreatedDate, Description: v.Description, DisableExecuteApiEndpoint: v.DisableExecuteApiEndpoint, IpAddressType: v.IpAddressType,
		Name: a.Name, ProtocolType: "HTTP", RouteSelectionExpression: routeSelection, Tags: v.Tags, Version: v.Version,
	}
}

func maxResults(s *string) (int, error) {
	if s == nil {
		return 100, nil
	}
	n, err := strconv.Atoi(*s)
	if err != nil || n < 1 || n > 500 {
		return 0, badRequest("Invalid maxResults %q: give a number from 1 to 500.", *s)
	}
	return n, nil
}

func (g *Gateway) updateAPI(ctx context.Context, in *api.UpdateApiInput) (*api.UpdateApiOutput, error) {
	no := refused{operation: "UpdateApi"}
	no.when(in.Target != nil || in.RouteKey != nil, "Target and RouteKey (quick create)")
	no.when(in.CredentialsArn != nil, "CredentialsArn")
	no.when(in.RouteSelectionExpression != nil && *in.RouteSelectionExpression != routeSelection, "RouteSelectionExpression")
	no.when(in.IpAddressType == "dualstack", "IpAddressType dualstack")
	if no.err != nil {
		return nil, no.err
	}
	a, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *httpAPI) error {
		if in.Name != nil {
			a.Name = *in.Name
		}
		if in.Description != nil {
			a.Description = in.Description
		}
		if in.Version != nil {
			a.Version = in.Version
		}
		if in.CorsConfiguration != nil {
			a.Config.CORS = in.CorsConfiguration
		}
		if in.DisableExecuteApiEndpoint != nil {
			a.NoEndpoint = *in.DisableExecuteApiEndpoint
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return (*api.UpdateApiOutput)(g.view(a)), nil
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

// tagged returns the API id and the stage ("" for the API itself) that a tag call's ARN names:
// arn:aws:apigateway:<region>::/apis/<id>[/stages/<name>].
func tagged(arn string) (id, stage string, err error) {
	parts := splitPath(arn)
	switch {
	case len(parts) == 3 && parts[1] == "apis":
		return parts[2], "", nil
	case len(parts) == 5 && parts[1] == "apis" && parts[3] == "stages":
		return parts[2], parts[4], nil
	}
	return "", "", badRequest("Invalid resource ARN %s: give the ARN of an API or a stage.", arn)
}

// changeTags runs fn on the tags of an API or a stage.
func (g *Gateway) changeTags(ctx context.Context, arn string, fn func(tags map[string]string)) error {
	id, name, err := tagged(arn)
	if err != nil {
		return err
	}
	edit := func(tags map[string]string) map[string]string {
		tags = maps.Clone(tags)
		if tags == nil {
			tags = map[string]string{}
		}
		fn(tags)
		return tags
	}
	if name != "" {
		_, err = g.changeStage(ctx, id, name, func(_ store.Txn, st *stage) error {
			st.Tags = edit(st.Tags)
			return nil
		})
		return err
	}
	_, err = g.change(ctx, id, func(_ store.Txn, a *httpAPI) error {
		a.Tags = edit(a.Tags)
		return nil
	})
	return err
}

func (g *Gateway) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return &api.TagResourceOutput{}, g.changeTags(ctx, in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

func (g *Gateway) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return &api.UntagResourceOutput{}, g.changeTags(ctx, in.ResourceArn, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
}

func (g *Gateway) getTags(ctx context.Context, in *api.GetTagsInput) (*api.GetTagsOutput, error) {
	id, name, err := tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &api.GetTagsOutput{Tags: map[string]string{}}
	err = g.deps.Store.View(ctx, func(r store.Reader) error {
		a, err := load(r, scopeOf(ctx), id)
		if err != nil {
			return err
		}
		tags := a.Tags
		if name != "" {
			st, err := loadStage(r, scopeOf(ctx), id, name)
			if err != nil {
				return err
			}
			tags = st.Tags
		}
		maps.Copy(out.Tags, tags)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
