package apigateway

import (
	"context"
	"encoding/json"
	"slices"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// maxCompression is the greatest value of minimumCompressionSize, in bytes.
const maxCompression = 10 << 20

const compressionComplaint = "Invalid minimum compression size, must be between 0 and 10485760"

// models are those that every API starts with; they do not differ from AWS's, as clients name and validate with them.
func defaultModels(newID func(n int) (string, error)) (map[string]*aws.Model, error) {
	out := map[string]*aws.Model{}
	for _, m := range []aws.Model{
		{
			Name: ptr("Empty"), Description: ptr("This is a default empty schema model"),
			Schema: ptr("{\n  \"$schema\": \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Empty Schema\",\n  \"type\" : \"object\"\n}"),
		},
		{
			Name: ptr("Error"), Description: ptr("This is a default error schema model"),
			Schema: ptr("{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Error Schema\",\n  \"type\" : \"object\",\n  \"properties\" : {\n    \"message\" : { \"type\" : \"string\" }\n  }\n}"),
		},
	} {
		id, err := newID(6)
		if err != nil {
			return nil, err
		}
		m.Id, m.ContentType = ptr(id), ptr("application/json")
		out[*m.Name] = &m
	}
	return out, nil
}

// draft is an API with its tree while it is made or changed.
type draft struct {
	api.RestAPI
	tree *api.Tree
}

// newTree returns the tree of an API without methods.
func (g *Gateway) newTree() (*api.Tree, error) {
	root, err := g.newID(10)
	if err != nil {
		return nil, err
	}
	models, err := defaultModels(g.newID)
	if err != nil {
		return nil, err
	}
	return &api.Tree{
		KeySource: aws.ApiKeySourceTypeHeader, Models: models,
		Resources: map[string]*aws.Resource{root: {Id: ptr(root), Path: ptr("/")}},
	}, nil
}

func (g *Gateway) createRestAPI(ctx context.Context, in *aws.CreateRestApiInput) (*aws.CreateRestApiOutput, error) {
	id, err := g.newID(10)
	if err != nil {
		return nil, err
	}
	tree, err := g.newTree()
	if err != nil {
		return nil, err
	}
	if in.CloneFrom != nil && *in.CloneFrom != "" {
		if err := g.view(ctx, *in.CloneFrom, func(_ store.Reader, _ *api.RestAPI, t *api.Tree) error { tree = t; return nil }); err != nil {
			return nil, err
		}
	}
	d := draft{tree: tree, RestAPI: api.RestAPI{
		ID: id, Name: in.Name, Description: in.Description, Version: optional(text(in.Version)), Tags: in.Tags,
		SecurityPolicy: in.SecurityPolicy, AccessMode: in.EndpointAccessMode,
	}}
	if in.EndpointConfiguration != nil {
		d.Endpoint = *in.EndpointConfiguration
	}
	if len(in.BinaryMediaTypes) > 0 {
		tree.BinaryMediaTypes = in.BinaryMediaTypes
	}
	if in.MinimumCompressionSize != nil {
		tree.MinimumCompression = in.MinimumCompressionSize
	}
	if in.ApiKeySource != "" {
		tree.KeySource = in.ApiKeySource
	}
	if in.Policy != nil {
		tree.Policy = *in.Policy
	}
	if in.DisableExecuteApiEndpoint != nil {
		tree.NoEndpoint = *in.DisableExecuteApiEndpoint
	}
	if err := d.check(in.EndpointConfiguration != nil); err != nil {
		return nil, err
	}
	if err := g.insert(ctx, &d, nil); err != nil {
		return nil, err
	}
	return view(&d.RestAPI, d.tree), nil
}

// check fills in the defaults of an API and validates it. configured tells that the client gave an endpoint configuration.
func (d *draft) check(configured bool) error {
	switch {
	case d.Name == "":
		return badRequest("API name is required and cannot be empty.")
	case len(d.Name) > 1024:
		return badRequest("Invalid API name specified: it has %d characters, and may have 1024.", len(d.Name))
	case d.Description != nil && *d.Description == "":
		return badRequest("Description cannot be an empty string")
	case d.tree.MinimumCompression != nil && (*d.tree.MinimumCompression < 0 || *d.tree.MinimumCompression > maxCompression):
		return badRequest("%s", compressionComplaint)
	}
	if err := checkPolicy(d.tree.Policy); err != nil {
		return err
	}
	return checkEndpoint(&d.Endpoint, configured)
}

// checkPolicy tells whether a resource policy is a document at all. What it says is read when it is evaluated.
func checkPolicy(policy string) error {
	var document map[string]json.RawMessage
	if policy != "" && json.Unmarshal([]byte(policy), &document) != nil {
		return badRequest("Invalid policy document. Please check the policy syntax and ensure that Principals are valid.")
	}
	return nil
}

func checkEndpoint(e *aws.EndpointConfiguration, configured bool) error {
	switch {
	case configured && len(e.Types) == 0:
		return badRequest("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
	case len(e.Types) > 1:
		return badRequest("Cannot create an api with multiple Endpoint Types.")
	case len(e.Types) == 0:
		e.Types = []string{aws.EndpointTypeEdge}
	}
	private := e.Types[0] == aws.EndpointTypePrivate
	switch {
	case private && e.IpAddressType == aws.IpAddressTypeIpv4:
		return badRequest("Only dualstack ipAddressType is supported for Private APIs.")
	case !private && len(e.VpcEndpointIds) > 0:
		return badRequest("VPCEndpoints can only be specified with PRIVATE apis.")
	case e.IpAddressType == "" && private:
		e.IpAddressType = aws.IpAddressTypeDualstack
	case e.IpAddressType == "":
		e.IpAddressType = aws.IpAddressTypeIpv4
	}
	return nil
}

// insert stores a new API, which has its id, with what more writes.
func (g *Gateway) insert(ctx context.Context, d *draft, more func(tx store.Txn, s api.Scope) error) error {
	s := scopeOf(ctx)
	d.Created = g.deps.Clock.Now().UTC()
	return g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if taken, err := record.Has(tx, api.OwnerKey(d.ID)); err != nil {
			return err
		} else if taken {
			return conflict("The API id %s is taken. Try again.", d.ID)
		}
		if err := record.Set(tx, api.OwnerKey(d.ID), api.Owner(s)); err != nil {
			return err
		}
		if more != nil {
			if err := more(tx, s); err != nil {
				return err
			}
		}
		return d.write(tx, s)
	})
}

// write stores an API and its working tree.
func (d *draft) write(tx store.Txn, s api.Scope) error {
	stored, _, err := d.tree.Encode()
	if err != nil {
		return err
	}
	if len(stored) > store.MaxValue {
		return limitExceeded("The definition of API %s takes %d bytes when it is compressed; at most %d are stored. Split the API, or shorten its templates and models.", d.ID, len(stored), store.MaxValue)
	}
	tx.Set(s.Working(d.ID), stored)
	return record.Set(tx, s.API(d.ID), d.RestAPI)
}

// view returns the public form of an API. The outputs of the other calls are the same type.
func view(a *api.RestAPI, t *api.Tree) *aws.RestApi {
	out := &aws.RestApi{
		Id: ptr(a.ID), Name: ptr(a.Name), Description: a.Description, CreatedDate: ptr(a.Created), Version: a.Version, Warnings: a.Warnings,
		BinaryMediaTypes: t.BinaryMediaTypes, MinimumCompressionSize: t.MinimumCompression, ApiKeySource: t.KeySource,
		EndpointConfiguration: &a.Endpoint, Policy: optional(t.Policy), Tags: a.Tags, DisableExecuteApiEndpoint: ptr(t.NoEndpoint),
		SecurityPolicy: a.SecurityPolicy, EndpointAccessMode: a.AccessMode,
	}
	if root := t.Root(); root != nil {
		out.RootResourceId = root.Id
	}
	return out
}

// loadAPI returns an API of the scope.
func loadAPI(r store.Reader, s api.Scope, id string) (api.RestAPI, error) {
	a, ok, err := record.Get[api.RestAPI](r, s.API(id))
	if err == nil && !ok {
		err = noAPI(s, id)
	}
	return a, err
}

// load returns an API with its working tree.
func load(r store.Reader, s api.Scope, id string) (*draft, error) {
	a, err := loadAPI(r, s, id)
	if err != nil {
		return nil, err
	}
	t, err := api.LoadWorking(r, s, id)
	if err != nil {
		return nil, err
	}
	return &draft{a, t}, nil
}

// view runs fn with an API and its working tree.
func (g *Gateway) view(ctx context.Context, id string, fn func(r store.Reader, a *api.RestAPI, t *api.Tree) error) error {
	return g.deps.Store.View(ctx, func(r store.Reader) error {
		d, err := load(r, scopeOf(ctx), id)
		if err != nil {
			return err
		}
		return fn(r, &d.RestAPI, d.tree)
	})
}

// edit runs fn on an API and its working tree in one transaction.
func (g *Gateway) edit(ctx context.Context, id string, fn func(tx store.Txn, d *draft) error) error {
	s := scopeOf(ctx)
	return g.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, err := load(tx, s, id)
		if err != nil {
			return err
		}
		if err := fn(tx, d); err != nil {
			return err
		}
		return d.write(tx, s)
	})
}

func (g *Gateway) getRestAPI(ctx context.Context, in *aws.GetRestApiInput) (out *aws.GetRestApiOutput, err error) {
	err = g.view(ctx, in.RestApiId, func(_ store.Reader, a *api.RestAPI, t *api.Tree) error {
		out = view(a, t)
		out.Tags = shownTags(out.Tags)
		return nil
	})
	return out, err
}

func (g *Gateway) getRestAPIs(ctx context.Context, in *aws.GetRestApisInput) (*aws.GetRestApisOutput, error) {
	s, out := scopeOf(ctx), &aws.GetRestApisOutput{}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		all, err := record.List[api.RestAPI](r, s.APIs().Span())
		if err != nil {
			return err
		}
		var items []api.RestAPI
		if items, out.Position, err = page(all, func(a *api.RestAPI) string { return oldest(a.Created, a.ID) }, in.Position, in.Limit); err != nil {
			return err
		}
		out.Items = make([]aws.RestApi, len(items))
		for i := range items {
			t, err := api.LoadWorking(r, s, items[i].ID)
			if err != nil {
				return err
			}
			out.Items[i] = *view(&items[i], t)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// restAPIPatches are the paths of an API (https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html).
var restAPIPatches = patch.Table[draft]{Wording: patch.Terse, Paths: []patch.Path[draft]{
	{Pattern: "/name", Ops: "replace", Apply: patch.Plain(func(d *draft) *string { return &d.Name })},
	{Pattern: "/description", Ops: "replace,remove", Apply: patch.Text(func(d *draft) **string { return &d.Description })},
	{Pattern: "/version", Ops: "replace,remove", Apply: patch.Text(func(d *draft) **string { return &d.Version })},
	{Pattern: "/apiKeySource", Ops: "replace", Apply: func(d *draft, e patch.Edit) error {
		if e.Text() != aws.ApiKeySourceTypeHeader && e.Text() != aws.ApiKeySourceTypeAuthorizer {
			return badRequest("Invalid ApiKeySourceType specified. Valid options are HEADER,AUTHORIZER")
		}
		d.tree.KeySource = e.Text()
		return nil
	}},
	{Pattern: "/binaryMediaTypes/{}", Ops: "add,replace,remove", Apply: patch.Set(func(d *draft) *[]string { return &d.tree.BinaryMediaTypes })},
	{Pattern: "/minimumCompressionSize", Ops: "replace", Apply: func(d *draft, e patch.Edit) error {
		if e.Text() == "" {
			d.tree.MinimumCompression = nil
			return nil
		}
		return patch.Int(func(d *draft) **int32 { return &d.tree.MinimumCompression }, 0, maxCompression, compressionComplaint)(d, e)
	}},
	{Pattern: "/disableExecuteApiEndpoint", Ops: "replace", Apply: func(d *draft, e patch.Edit) error {
		d.tree.NoEndpoint = patch.IsTrue(e)
		return nil
	}},
	{Pattern: "/policy", Ops: "replace,remove", Apply: patch.Plain(func(d *draft) *string { return &d.tree.Policy })},
	{Pattern: "/securityPolicy", Ops: "replace", Apply: patch.Plain(func(d *draft) *string { return &d.SecurityPolicy })},
	{Pattern: "/endpointAccessMode", Ops: "replace", Apply: patch.Plain(func(d *draft) *string { return &d.AccessMode })},
	{Pattern: "/endpointConfiguration/types/{}", Ops: "add,replace,remove", Apply: func(d *draft, e patch.Edit) error {
		if e.Op != "replace" {
			return badRequest("Invalid patch operation specified. Must be 'add'|'remove'|'replace'")
		}
		if !slices.Contains([]string{aws.EndpointTypeEdge, aws.EndpointTypeRegional, aws.EndpointTypePrivate}, e.Text()) {
			return badRequest("Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
		}
		d.Endpoint.Types = []string{e.Text()}
		if e.Text() == aws.EndpointTypePrivate {
			d.Endpoint.IpAddressType = aws.IpAddressTypeDualstack
		}
		return nil
	}},
	{Pattern: "/endpointConfiguration/ipAddressType", Ops: "replace", Apply: func(d *draft, e patch.Edit) error {
		if e.Text() != aws.IpAddressTypeIpv4 && e.Text() != aws.IpAddressTypeDualstack {
			return badRequest("ipAddressType must be either ipv4 or dualstack.")
		}
		d.Endpoint.IpAddressType = e.Text()
		return nil
	}},
	{Pattern: "/endpointConfiguration/vpcEndpointIds", Ops: "add,remove", Apply: patch.Set(func(d *draft) *[]string { return &d.Endpoint.VpcEndpointIds })},
	{Pattern: "/endpointConfiguration/vpcEndpointIds/{}", Ops: "add,remove", Apply: patch.Set(func(d *draft) *[]string { return &d.Endpoint.VpcEndpointIds })},
}}

func (g *Gateway) updateRestAPI(ctx context.Context, in *aws.UpdateRestApiInput) (out *aws.UpdateRestApiOutput, err error) {
	err = g.edit(ctx, in.RestApiId, func(_ store.Txn, d *draft) error {
		if err := restAPIPatches.Apply(d, in.PatchOperations); err != nil {
			return err
		}
		out = view(&d.RestAPI, d.tree)
		out.Tags = shownTags(out.Tags)
		return d.check(true)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// shownTags are tags as operations show them that name or change one thing: an empty object for none.
func shownTags(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return tags
}

func (g *Gateway) deleteRestAPI(ctx context.Context, in *aws.DeleteRestApiInput) (*aws.DeleteRestApiOutput, error) {
	s, id := scopeOf(ctx), in.RestApiId
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadAPI(tx, s, id); err != nil {
			return err
		}
		if err := leavePlans(tx, s, id, ""); err != nil {
			return err
		}
		tx.Delete(s.API(id))
		tx.Delete(s.Working(id))
		tx.Delete(api.OwnerKey(id))
		for _, k := range []key.Key{s.Trees(id), s.Deployments(id), s.Stages(id), s.Parts(id), s.Versions(id)} {
			tx.DeleteRange(k, k.End())
		}
		return nil
	})
	return &aws.DeleteRestApiOutput{}, err
}
