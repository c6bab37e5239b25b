package apigatewayv2

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/store"
)

const (
	// maxModels is how many models an API has at most.
	maxModels = 100
	// maxSchema bounds a schema, in bytes.
	maxSchema = 400 << 10
)

var modelName = regexp.MustCompile(`^[A-Za-z0-9]{1,128}$`)

// checkModel checks a whole model.
func (a *gatewayAPI) checkModel(m *api.Model) error {
	switch schema := value(m.Schema); {
	case !a.webSocket():
		return badRequest("Models are supported only for WEBSOCKET APIs.")
	case !modelName.MatchString(m.Name):
		return badRequest("Model name must be alphanumeric: %s", m.Name)
	case slices.ContainsFunc(a.Config.Models, func(o api.Model) bool { return o.Name == m.Name && modelID(&o) != modelID(m) }):
		return conflict("Model with name %s already exists for this API", m.Name)
	case len(schema) > maxSchema:
		return badRequest("The schema of model %s is longer than %d bytes.", m.Name, maxSchema)
	case !json.Valid([]byte(schema)) || !strings.HasPrefix(strings.TrimSpace(schema), "{"):
		return badRequest("Invalid model schema specified. The schema must be a JSON object.")
	}
	return nil
}

func (g *Gateway) createModel(ctx context.Context, in *api.CreateModelInput) (*api.CreateModelOutput, error) {
	out := &api.CreateModelOutput{}
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		if len(a.Config.Models) >= maxModels {
			return badRequest("An API has at most %d models.", maxModels)
		}
		id, err := g.newID(6)
		if err != nil {
			return err
		}
		m := api.Model{ModelId: ptr(id), ContentType: ptr("application/json")}
		members.Copy(&m, in)
		if err := a.checkModel(&m); err != nil {
			return err
		}
		a.Config.Models = append(a.Config.Models, m)
		members.Copy(out, &m)
		return nil
	})
	return out, err
}

func (g *Gateway) getModel(ctx context.Context, in *api.GetModelInput) (*api.GetModelOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	m, err := a.Config.model(in.ModelId)
	if err != nil {
		return nil, err
	}
	out := &api.GetModelOutput{}
	members.Copy(out, m)
	return out, nil
}

func (g *Gateway) getModels(ctx context.Context, in *api.GetModelsInput) (*api.GetModelsOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	out := &api.GetModelsOutput{}
	out.Items, out.NextToken, err = items(a.Config.Models, paging{in.MaxResults, in.NextToken}, modelID, func(m *api.Model) api.Model { return *m })
	return out, err
}

func (g *Gateway) updateModel(ctx context.Context, in *api.UpdateModelInput) (*api.UpdateModelOutput, error) {
	out := &api.UpdateModelOutput{}
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		m, err := a.Config.model(in.ModelId)
		if err != nil {
			return err
		}
		changed := *m
		members.Copy(&changed, in)
		if err := a.checkModel(&changed); err != nil {
			return err
		}
		for i := range a.Config.Routes {
			if changed.Name != m.Name && a.Config.Routes[i].uses(m.Name) {
				return conflict("Cannot rename model %s: route %s uses it by this name.", m.Name, a.Config.Routes[i].RouteKey)
			}
		}
		*m = changed
		members.Copy(out, m)
		return nil
	})
	return out, err
}

// uses reports whether a route names a model.
func (r *route) uses(model string) bool {
	for _, name := range r.RequestModels {
		if name == model {
			return true
		}
	}
	return slices.ContainsFunc(r.Responses, func(resp api.RouteResponse) bool {
		for _, name := range resp.ResponseModels {
			if name == model {
				return true
			}
		}
		return false
	})
}

func (g *Gateway) deleteModel(ctx context.Context, in *api.DeleteModelInput) (*api.DeleteModelOutput, error) {
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		m, err := a.Config.model(in.ModelId)
		if err != nil {
			return err
		}
		for i := range a.Config.Routes {
			if r := &a.Config.Routes[i]; r.uses(m.Name) {
				return conflict("Cannot delete model '%s', is referenced in route: %s", m.Name, r.RouteKey)
			}
		}
		a.Config.Models, err = without(a.Config.Models, in.ModelId, "Model", modelID)
		return err
	})
	return &api.DeleteModelOutput{}, err
}
