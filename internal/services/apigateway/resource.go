package apigateway

import (
	"context"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
)

// maxResources is how many resources an API has at most (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html);
// it is ten times AWS's default, which can be raised there too.
const maxResources = 3000

// editResource runs fn on a resource in one transaction. An API that does not exist is reported as a resource that does not, as AWS does.
func (g *Gateway) editResource(ctx context.Context, id, resource string, fn func(d *draft, r *aws.Resource) error) error {
	s := scopeOf(ctx)
	return g.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, err := load(tx, s, id)
		if isNotFound(err) {
			return noResource()
		}
		if err != nil {
			return err
		}
		r, ok := d.tree.Resources[resource]
		if !ok {
			return noResource()
		}
		if err := fn(d, r); err != nil {
			return err
		}
		return d.write(tx, s)
	})
}

// viewResource runs fn with a resource.
func (g *Gateway) viewResource(ctx context.Context, id, resource string, fn func(t *api.Tree, r *aws.Resource) error) error {
	err := g.view(ctx, id, func(_ store.Reader, _ *api.RestAPI, t *api.Tree) error {
		r, ok := t.Resources[resource]
		if !ok {
			return noResource()
		}
		return fn(t, r)
	})
	if isNotFound(err) && strings.Contains(err.Error(), "API identifier") {
		return noResource()
	}
	return err
}

// addResource makes a resource below parent.
func (g *Gateway) addResource(t *api.Tree, parent *aws.Resource, part string) (*aws.Resource, error) {
	if len(t.Resources) >= maxResources {
		return nil, limitExceeded("Maximum number of resources for this API has been reached: %d. Split the API.", maxResources)
	}
	id, err := g.newID(6)
	if err != nil {
		return nil, err
	}
	r := &aws.Resource{Id: ptr(id), Path: ptr(api.Join(*parent.Path, part))}
	if err := t.Place(parent, part, r); err != nil {
		return nil, err
	}
	t.Resources[id] = r
	return r, nil
}

func (g *Gateway) createResource(ctx context.Context, in *aws.CreateResourceInput) (out *aws.CreateResourceOutput, err error) {
	err = g.editResource(ctx, in.RestApiId, in.ParentId, func(d *draft, parent *aws.Resource) error {
		out, err = g.addResource(d.tree, parent, in.PathPart)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// shown returns a resource as clients see it: its methods by their names alone, unless they ask for them whole.
func shown(r *aws.Resource, embed []string) *aws.Resource {
	v := *r
	if slices.Contains(embed, "methods") || len(v.ResourceMethods) == 0 {
		return &v
	}
	v.ResourceMethods = make(map[string]aws.Method, len(r.ResourceMethods))
	for name := range r.ResourceMethods {
		v.ResourceMethods[name] = aws.Method{}
	}
	return &v
}

func (g *Gateway) getResource(ctx context.Context, in *aws.GetResourceInput) (out *aws.GetResourceOutput, err error) {
	err = g.viewResource(ctx, in.RestApiId, in.ResourceId, func(_ *api.Tree, r *aws.Resource) error { out = shown(r, in.Embed); return nil })
	return out, err
}

func (g *Gateway) getResources(ctx context.Context, in *aws.GetResourcesInput) (*aws.GetResourcesOutput, error) {
	out := &aws.GetResourcesOutput{}
	err := g.view(ctx, in.RestApiId, func(_ store.Reader, _ *api.RestAPI, t *api.Tree) (err error) {
		all := make([]aws.Resource, 0, len(t.Resources))
		for _, r := range t.Resources {
			all = append(all, *shown(r, in.Embed))
		}
		out.Items, out.Position, err = page(all, func(r *aws.Resource) string { return *r.Path }, in.Position, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// moved is a resource that is moved within its tree.
type moved struct {
	tree     *api.Tree
	resource *aws.Resource
}

var resourcePatches = patch.Table[moved]{Wording: patch.Listed, Paths: []patch.Path[moved]{
	{Pattern: "/parentId", Ops: "replace", Apply: func(m *moved, e patch.Edit) error {
		if m.resource.ParentId == nil {
			return badRequest("Root resource cannot update its parentId.")
		}
		parent, ok := m.tree.Resources[e.Text()]
		if !ok {
			return noResource()
		}
		for above := parent; above != nil; above = m.tree.Resources[text(above.ParentId)] {
			if above == m.resource {
				return badRequest("Resources cannot be cyclical.")
			}
		}
		return m.tree.Place(parent, *m.resource.PathPart, m.resource)
	}},
	{Pattern: "/pathPart", Ops: "replace", Apply: func(m *moved, e patch.Edit) error {
		if m.resource.ParentId == nil {
			return badRequest("Root resource cannot update its pathPart.")
		}
		return m.tree.Place(m.tree.Resources[*m.resource.ParentId], e.Text(), m.resource)
	}},
}}

func (g *Gateway) updateResource(ctx context.Context, in *aws.UpdateResourceInput) (out *aws.UpdateResourceOutput, err error) {
	err = g.editResource(ctx, in.RestApiId, in.ResourceId, func(d *draft, r *aws.Resource) error {
		if err := resourcePatches.Apply(&moved{d.tree, r}, in.PatchOperations); err != nil {
			return err
		}
		d.tree.SetPaths()
		out = shown(r, nil)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) deleteResource(ctx context.Context, in *aws.DeleteResourceInput) (*aws.DeleteResourceOutput, error) {
	err := g.editResource(ctx, in.RestApiId, in.ResourceId, func(d *draft, r *aws.Resource) error {
		if r.ParentId == nil {
			return badRequest("Root resource cannot be deleted.")
		}
		below := *r.Path + "/"
		for id, o := range d.tree.Resources {
			if id == *r.Id || strings.HasPrefix(*o.Path, below) {
				delete(d.tree.Resources, id)
			}
		}
		return nil
	})
	return &aws.DeleteResourceOutput{}, err
}
