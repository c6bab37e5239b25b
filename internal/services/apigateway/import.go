package apigateway

import (
	"context"
	"errors"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/openapi"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// importing is an import on its way.
type importing struct {
	body           []byte
	basePath       string
	endpoint       string
	ignoreParts    bool
	failOnWarnings bool
}

// newImporting reads the parameters of an import
// (https://docs.aws.amazon.com/apigateway/latest/api/API_ImportRestApi.html).
func newImporting(body []byte, parameters map[string]string, failOnWarnings *bool) (*importing, error) {
	i := &importing{body: body, failOnWarnings: isTrue(failOnWarnings)}
	for _, name := range sortedKeys(parameters) {
		value := parameters[name]
		switch strings.ToLower(name) {
		case "basepath":
			i.basePath = strings.ToLower(value)
			if value != "ignore" && value != "prepend" && value != "split" {
				return nil, badRequest("Invalid value for the parameter basepath: %s. It must be ignore, prepend or split.", value)
			}
		case "endpointconfigurationtypes":
			i.endpoint = value
		case "ignore":
			if value != "documentation" {
				return nil, badRequest("Invalid value for the parameter ignore: %s. Only documentation can be ignored.", value)
			}
			i.ignoreParts = true
		case "mode", "failonwarnings": // the members of the call, which clients may send as parameters too
		default:
			return nil, unsupported("ImportRestApi", "parameters."+name)
		}
	}
	return i, nil
}

// into imports the document into an API. base is a tree from which ids are taken.
func (i *importing) into(g *Gateway, d *draft, base *api.Tree) (*openapi.Result, error) {
	result, err := openapi.Import(i.body, d.tree, base, openapi.Options{APIID: d.ID, BasePath: i.basePath, NewID: g.newID})
	var found *openapi.Error
	switch {
	case errors.As(err, &found):
		return nil, badRequest("%s", found.Error())
	case openapi.IsNoDocument(err):
		return nil, badRequest("Invalid OpenAPI input.")
	case err != nil:
		return nil, err
	}
	if i.failOnWarnings && len(result.Warnings) > 0 {
		return nil, badRequest("Warnings found during import:\n\t%s", strings.Join(result.Warnings, "\n\t"))
	}
	d.Warnings = result.Warnings
	if result.Name != "" {
		d.Name = result.Name
	}
	if result.Description != nil {
		d.Description = result.Description
	}
	if result.Version != nil {
		d.Version = result.Version
	}
	for name, value := range result.Tags {
		if d.Tags == nil {
			d.Tags = map[string]string{}
		}
		d.Tags[name] = value
	}
	if i.endpoint != "" {
		d.Endpoint = aws.EndpointConfiguration{Types: strings.Split(i.endpoint, ",")}
	}
	if len(result.VPCEndpoints) > 0 {
		d.Endpoint.VpcEndpointIds = result.VPCEndpoints
	}
	if result.SecurityPolicy != "" {
		d.SecurityPolicy = result.SecurityPolicy
	}
	if result.AccessMode != "" {
		d.AccessMode = result.AccessMode
	}
	for _, a := range d.tree.Authorizers {
		completeAuthorizer(a)
		if err := checkAuthorizer(a); err != nil {
			return nil, badRequest("Errors found during import:\n\tUnable to create authorizer '%s': %s", *a.Name, api.Message(err))
		}
	}
	return result, d.check(i.endpoint != "")
}

// mayPassAll tells whether the caller may have API Gateway use the roles of a tree.
func (g *Gateway) mayPassAll(ctx context.Context, t *api.Tree) error {
	asked := map[string]bool{}
	ask := func(role *string) error {
		if role == nil || asked[*role] {
			return nil
		}
		asked[*role] = true
		return g.mayPass(ctx, role)
	}
	for _, a := range t.Authorizers {
		if err := ask(a.AuthorizerCredentials); err != nil {
			return err
		}
	}
	for _, r := range t.Resources {
		for _, m := range r.ResourceMethods {
			if m.MethodIntegration != nil {
				if err := ask(m.MethodIntegration.Credentials); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// emptyTree returns a tree with a root alone.
func (g *Gateway) emptyTree() (*api.Tree, error) {
	t, err := g.newTree()
	if err == nil {
		t.Models = nil
	}
	return t, err
}

func (g *Gateway) importRestAPI(ctx context.Context, in *aws.ImportRestApiInput) (*aws.ImportRestApiOutput, error) {
	i, err := newImporting(in.Body, in.Parameters, in.FailOnWarnings)
	if err != nil {
		return nil, err
	}
	d := draft{}
	if d.ID, err = g.newID(10); err != nil {
		return nil, err
	}
	if d.tree, err = g.emptyTree(); err != nil {
		return nil, err
	}
	result, err := i.into(g, &d, nil)
	if err != nil {
		return nil, err
	}
	if err := g.mayPassAll(ctx, d.tree); err != nil {
		return nil, err
	}
	err = g.insert(ctx, &d, func(tx store.Txn, s api.Scope) error {
		return g.addParts(tx, s, d.ID, i, result, true)
	})
	if err != nil {
		return nil, err
	}
	return view(&d.RestAPI, d.tree), nil
}

// addParts stores the documentation parts of an import.
func (g *Gateway) addParts(tx store.Txn, s api.Scope, id string, i *importing, result *openapi.Result, overwrite bool) error {
	if i.ignoreParts || len(result.Parts) == 0 {
		return nil
	}
	ids, err := g.setParts(tx, s, id, result.Parts, overwrite)
	if err != nil || result.PartsVersion == "" {
		return err
	}
	v := api.DocumentationVersion{Version: result.PartsVersion, Created: g.deps.Clock.Now().UTC()}
	for n := range ids {
		v.Parts = append(v.Parts, result.Parts[n])
	}
	return record.Set(tx, s.Version(id, v.Version), v)
}

func (g *Gateway) putRestAPI(ctx context.Context, in *aws.PutRestApiInput) (out *aws.PutRestApiOutput, err error) {
	i, err := newImporting(in.Body, in.Parameters, in.FailOnWarnings)
	if err != nil {
		return nil, err
	}
	var roles *api.Tree
	overwrite := in.Mode == aws.PutModeOverwrite
	change := func(tx store.Txn, d *draft) error {
		base := d.tree
		if overwrite {
			root := base.Root()
			d.tree = &api.Tree{KeySource: aws.ApiKeySourceTypeHeader, Resources: map[string]*aws.Resource{*root.Id: {Id: root.Id, Path: root.Path}}}
		}
		result, err := i.into(g, d, base)
		if err != nil {
			return err
		}
		roles, out = d.tree, view(&d.RestAPI, d.tree)
		out.Tags = shownTags(out.Tags)
		if tx == nil {
			return nil
		}
		return g.addParts(tx, scopeOf(ctx), in.RestApiId, i, result, overwrite)
	}
	// What the document needs of roles is asked before the transaction, in which other services cannot be called.
	err = g.deps.Store.View(ctx, func(r store.Reader) error {
		d, err := load(r, scopeOf(ctx), in.RestApiId)
		if isNotFound(err) && openapi.Readable(i.body) != nil {
			return badRequest("Invalid OpenAPI input.")
		}
		if err != nil {
			return err
		}
		return change(nil, d)
	})
	if err != nil {
		return nil, err
	}
	if err := g.mayPassAll(ctx, roles); err != nil {
		return nil, err
	}
	if err := g.edit(ctx, in.RestApiId, change); err != nil {
		return nil, err
	}
	return out, nil
}

// setParts stores documentation parts: one at the place of another takes its id. With overwrite nothing else is left.
func (g *Gateway) setParts(tx store.Txn, s api.Scope, id string, parts []api.DocumentationPart, overwrite bool) ([]string, error) {
	old := map[string]string{}
	for row, err := range record.Range[api.DocumentationPart](tx, s.Parts(id).Span()) {
		if err != nil {
			return nil, err
		}
		old[placeOf(&row.Value.Location)] = row.Value.ID
	}
	if overwrite {
		tx.DeleteRange(s.Parts(id), s.Parts(id).End())
		old = map[string]string{}
	}
	if len(old)+len(parts) > maxParts {
		return nil, limitExceeded("Maximum number of documentation parts for this API has been reached: %d.", maxParts)
	}
	var ids []string
	for i := range parts {
		p := &parts[i]
		if err := checkPart(p); err != nil {
			return nil, err
		}
		if p.ID = old[placeOf(&p.Location)]; p.ID == "" {
			var err error
			if p.ID, err = g.newID(6); err != nil {
				return nil, err
			}
		}
		ids = append(ids, p.ID)
		if err := record.Set(tx, s.Part(id, p.ID), *p); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func (g *Gateway) importParts(ctx context.Context, in *aws.ImportDocumentationPartsInput) (*aws.ImportDocumentationPartsOutput, error) {
	parts, warnings, err := openapi.Documentation(in.Body)
	var found *openapi.Error
	switch {
	case errors.As(err, &found):
		return nil, badRequest("%s", found.Error())
	case openapi.IsNoDocument(err):
		return nil, badRequest("Unable to build importer with provided input.")
	case err != nil:
		return nil, err
	}
	if isTrue(in.FailOnWarnings) && len(warnings) > 0 {
		return nil, badRequest("Warnings found during import:\n\t%s", strings.Join(warnings, "\n\t"))
	}
	s, out := scopeOf(ctx), &aws.ImportDocumentationPartsOutput{Warnings: warnings}
	err = g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadAPI(tx, s, in.RestApiId); err != nil {
			return err
		}
		out.Ids, err = g.setParts(tx, s, in.RestApiId, parts, in.Mode == aws.PutModeOverwrite)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
