package apigateway

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
)

// modelName is what the name of a model may be.
var modelName = regexp.MustCompile(`^[a-zA-Z0-9]+$`)

// maxSchema is the size of a model's schema in bytes.
const maxSchema = 400 << 10

func noModel(name string) error { return notFound("Invalid model name specified: %s", name) }

// checkSchema validates the schema of a model. It is read as what it is when it is used.
func checkSchema(contentType string, schema *string) error {
	if text(schema) == "" {
		return badRequest("Model schema must have at least 1 property or array items defined")
	}
	if len(*schema) > maxSchema {
		return badRequest("The schema is %d bytes long; at most %d are accepted.", len(*schema), maxSchema)
	}
	var document map[string]json.RawMessage
	if strings.HasSuffix(contentType, "json") && json.Unmarshal([]byte(*schema), &document) != nil {
		return badRequest("Invalid model schema specified. It must be a JSON object.")
	}
	return nil
}

func (g *Gateway) createModel(ctx context.Context, in *aws.CreateModelInput) (out *aws.CreateModelOutput, err error) {
	err = g.edit(ctx, in.RestApiId, func(_ store.Txn, d *draft) error {
		switch {
		case in.Name == "":
			return badRequest("Model name must be non-empty")
		case !modelName.MatchString(in.Name):
			return badRequest("Model name must be alphanumeric: %s", in.Name)
		case d.tree.Models[in.Name] != nil:
			return conflict("Model name already exists for this REST API")
		}
		if err := checkSchema(in.ContentType, in.Schema); err != nil {
			return err
		}
		id, err := g.newID(6)
		if err != nil {
			return err
		}
		out = &aws.Model{Id: ptr(id), Name: ptr(in.Name), Description: optional(text(in.Description)), Schema: in.Schema, ContentType: ptr(in.ContentType)}
		if d.tree.Models == nil {
			d.tree.Models = map[string]*aws.Model{}
		}
		d.tree.Models[in.Name] = out
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// findModel returns a model; an API that does not exist is reported as a model that does not, as AWS does.
func (g *Gateway) findModel(ctx context.Context, id, name string) (found *aws.Model, t *api.Tree, err error) {
	err = g.view(ctx, id, func(_ store.Reader, _ *api.RestAPI, tree *api.Tree) error {
		t = tree
		found = tree.Models[name]
		return nil
	})
	if isNotFound(err) || err == nil && found == nil {
		err = noModel(name)
	}
	return found, t, err
}

func (g *Gateway) getModel(ctx context.Context, in *aws.GetModelInput) (*aws.GetModelOutput, error) {
	m, t, err := g.findModel(ctx, in.RestApiId, in.ModelName)
	if err != nil || !isTrue(in.Flatten) {
		return m, err
	}
	flat := *m
	if flat.Schema, err = t.FlatSchema(m); err != nil {
		return nil, err
	}
	return &flat, nil
}

func (g *Gateway) getModels(ctx context.Context, in *aws.GetModelsInput) (*aws.GetModelsOutput, error) {
	out := &aws.GetModelsOutput{}
	err := g.view(ctx, in.RestApiId, func(_ store.Reader, _ *api.RestAPI, t *api.Tree) (err error) {
		out.Items, out.Position, err = page(values(t.Models), func(m *aws.Model) string { return *m.Name }, in.Position, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// values returns what a map points to.
func values[V any](m map[string]*V) []V {
	out := make([]V, 0, len(m))
	for _, v := range m {
		out = append(out, *v)
	}
	return out
}

var modelPatches = patch.Table[aws.Model]{Wording: patch.Listed, Paths: []patch.Path[aws.Model]{
	{Pattern: "/description", Ops: "replace", Apply: patch.Text(func(m *aws.Model) **string { return &m.Description })},
	{Pattern: "/schema", Ops: "replace", Apply: patch.Text(func(m *aws.Model) **string { return &m.Schema })},
}}

func (g *Gateway) updateModel(ctx context.Context, in *aws.UpdateModelInput) (out *aws.UpdateModelOutput, err error) {
	err = g.editModel(ctx, in.RestApiId, in.ModelName, func(_ *draft, m *aws.Model) error {
		if err := modelPatches.Apply(m, in.PatchOperations); err != nil {
			return err
		}
		out = m
		return checkSchema(*m.ContentType, m.Schema)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) editModel(ctx context.Context, id, name string, fn func(d *draft, m *aws.Model) error) error {
	err := g.edit(ctx, id, func(_ store.Txn, d *draft) error {
		m, ok := d.tree.Models[name]
		if !ok {
			return noModel(name)
		}
		return fn(d, m)
	})
	if isNotFound(err) {
		return noModel(name)
	}
	return err
}

func (g *Gateway) deleteModel(ctx context.Context, in *aws.DeleteModelInput) (*aws.DeleteModelOutput, error) {
	err := g.editModel(ctx, in.RestApiId, in.ModelName, func(d *draft, _ *aws.Model) error {
		if used := userOf(d.tree, in.ModelName); used != "" {
			return conflict("Cannot delete model '%s', is referenced in %s", in.ModelName, used)
		}
		delete(d.tree.Models, in.ModelName)
		return nil
	})
	return &aws.DeleteModelOutput{}, err
}

// userOf returns what uses a model, or "".
func userOf(t *api.Tree, model string) string {
	for _, r := range slices.Backward(byPath(t)) {
		for _, method := range sortedKeys(r.ResourceMethods) {
			m := r.ResourceMethods[method]
			for _, name := range m.RequestModels {
				if name == model {
					return "method request: " + strings.TrimSuffix(*r.Path, "/") + slash(*r.Path) + method
				}
			}
			for status, response := range m.MethodResponses {
				for _, name := range response.ResponseModels {
					if name == model {
						return "method response: " + strings.TrimSuffix(*r.Path, "/") + slash(*r.Path) + method + "/" + status
					}
				}
			}
		}
	}
	return ""
}

// slash separates a path from a method in a message: AWS writes "//GET" for the root.
func slash(path string) string {
	if path == "/" {
		return "//"
	}
	return "/"
}

// byPath returns the resources of a tree, the deepest of a path last.
func byPath(t *api.Tree) []*aws.Resource {
	return slices.SortedFunc(maps.Values(t.Resources), func(a, b *aws.Resource) int { return strings.Compare(*a.Path, *b.Path) })
}
