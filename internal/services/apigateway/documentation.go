package apigateway

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxParts is how many documentation parts an API has at most
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html).
const maxParts = 2000

func noPart() error    { return notFound("Invalid Documentation part identifier specified") }
func noVersion() error { return notFound("Invalid Documentation version specified") }

func partView(p *api.DocumentationPart) *aws.DocumentationPart {
	return &aws.DocumentationPart{Id: ptr(p.ID), Location: &p.Location, Properties: ptr(p.Properties)}
}

// locations are the members of a location beside its type, by type
// (https://docs.aws.amazon.com/apigateway/latest/api/API_DocumentationPartLocation.html).
var locations = map[string]string{
	aws.DocumentationPartTypeApi: "", aws.DocumentationPartTypeAuthorizer: "name", aws.DocumentationPartTypeModel: "name",
	aws.DocumentationPartTypeResource: "path", aws.DocumentationPartTypeMethod: "path,method",
	aws.DocumentationPartTypePathParameter: "path,method,name", aws.DocumentationPartTypeQueryParameter: "path,method,name", aws.DocumentationPartTypeRequestHeader: "path,method,name",
	aws.DocumentationPartTypeRequestBody: "path,method", aws.DocumentationPartTypeResponse: "path,method,statusCode",
	aws.DocumentationPartTypeResponseHeader: "path,method,statusCode,name", aws.DocumentationPartTypeResponseBody: "path,method,statusCode",
}

// checkPart validates a documentation part and fills in the defaults of its location.
func checkPart(p *api.DocumentationPart) error {
	l := &p.Location
	members, ok := locations[l.Type]
	if !ok {
		return badRequest("Invalid location: there are no documentation parts of type %q.", l.Type)
	}
	allowed := strings.Split(members, ",")
	for _, m := range []struct {
		name  string
		value *string
	}{{"path", l.Path}, {"method", l.Method}, {"statusCode", l.StatusCode}, {"name", l.Name}} {
		takes := slices.Contains(allowed, m.name)
		switch {
		case !takes && m.value != nil:
			return badRequest("Invalid location: a documentation part of type %s has no %s.", l.Type, m.name)
		case takes && m.name == "name" && text(m.value) == "":
			return badRequest("Invalid location: a documentation part of type %s needs a name.", l.Type)
		}
	}
	if l.Path == nil && slices.Contains(allowed, "path") {
		l.Path = ptr("/")
	}
	var properties map[string]json.RawMessage
	if json.Unmarshal([]byte(p.Properties), &properties) != nil {
		return badRequest("Documentation part properties must be a JSON object.")
	}
	return nil
}

// placeOf is what must differ between the parts of an API.
func placeOf(l *aws.DocumentationPartLocation) string {
	return strings.Join([]string{l.Type, text(l.Path), text(l.Method), text(l.StatusCode), text(l.Name)}, "\x00")
}

// editParts runs fn with the documentation parts of an API in one transaction.
func (g *Gateway) editParts(ctx context.Context, id string, fn func(tx store.Txn, s api.Scope, all []api.DocumentationPart) error) error {
	s := scopeOf(ctx)
	return g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadAPI(tx, s, id); err != nil {
			return err
		}
		all, err := record.List[api.DocumentationPart](tx, s.Parts(id).Span())
		if err != nil {
			return err
		}
		return fn(tx, s, all)
	})
}

func (g *Gateway) createPart(ctx context.Context, in *aws.CreateDocumentationPartInput) (*aws.CreateDocumentationPartOutput, error) {
	p := api.DocumentationPart{Location: *in.Location, Properties: in.Properties}
	err := g.editParts(ctx, in.RestApiId, func(tx store.Txn, s api.Scope, all []api.DocumentationPart) error {
		if err := checkPart(&p); err != nil {
			return err
		}
		if len(all) >= maxParts {
			return limitExceeded("Maximum number of documentation parts for this API has been reached: %d.", maxParts)
		}
		var err error
		if p.ID, err = g.idFor(ctx, 6); err != nil {
			return err
		}
		for i := range all {
			if all[i].ID != p.ID && placeOf(&all[i].Location) == placeOf(&p.Location) {
				return conflict("Documentation part already exists for the specified location: type '%s', path '%s', method '%s', name '%s', statusCode '%s'",
					p.Location.Type, text(p.Location.Path), text(p.Location.Method), text(p.Location.Name), text(p.Location.StatusCode))
			}
		}
		return record.Set(tx, s.Part(in.RestApiId, p.ID), p)
	})
	if err != nil {
		return nil, err
	}
	return partView(&p), nil
}

func (g *Gateway) getPart(ctx context.Context, in *aws.GetDocumentationPartInput) (*aws.GetDocumentationPartOutput, error) {
	s := scopeOf(ctx)
	var p api.DocumentationPart
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		found, ok, err := record.Get[api.DocumentationPart](r, s.Part(in.RestApiId, in.DocumentationPartId))
		if err == nil && !ok {
			err = noPart()
		}
		p = found
		return err
	})
	if err != nil {
		return nil, err
	}
	return partView(&p), nil
}

func (g *Gateway) getParts(ctx context.Context, in *aws.GetDocumentationPartsInput) (*aws.GetDocumentationPartsOutput, error) {
	s, out := scopeOf(ctx), &aws.GetDocumentationPartsOutput{}
	if in.LocationStatus == aws.LocationStatusTypeUndocumented {
		return nil, unsupported("GetDocumentationParts", "locationStatus UNDOCUMENTED")
	}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		if _, err := loadAPI(r, s, in.RestApiId); err != nil {
			return err
		}
		all, err := record.List[api.DocumentationPart](r, s.Parts(in.RestApiId).Span())
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(p api.DocumentationPart) bool {
			return in.Type != "" && p.Location.Type != in.Type || in.Path != nil && text(p.Location.Path) != *in.Path || in.NameQuery != nil && !strings.Contains(text(p.Location.Name), *in.NameQuery)
		})
		var items []api.DocumentationPart
		items, out.Position, err = page(all, func(p *api.DocumentationPart) string { return placeOf(&p.Location) + p.ID }, in.Position, in.Limit)
		out.Items = make([]aws.DocumentationPart, len(items))
		for i := range items {
			out.Items[i] = *partView(&items[i])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

var partPatches = patch.Table[api.DocumentationPart]{Wording: patch.Listed, Paths: []patch.Path[api.DocumentationPart]{
	{Pattern: "/properties", Ops: "replace", Apply: patch.Plain(func(p *api.DocumentationPart) *string { return &p.Properties })},
}}

func (g *Gateway) updatePart(ctx context.Context, in *aws.UpdateDocumentationPartInput) (*aws.UpdateDocumentationPartOutput, error) {
	s := scopeOf(ctx)
	var p api.DocumentationPart
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		found, ok, err := record.Get[api.DocumentationPart](tx, s.Part(in.RestApiId, in.DocumentationPartId))
		if err != nil {
			return err
		}
		if p = found; !ok {
			return noPart()
		}
		if err := partPatches.Apply(&p, in.PatchOperations); err != nil {
			return err
		}
		if err := checkPart(&p); err != nil {
			return err
		}
		return record.Set(tx, s.Part(in.RestApiId, p.ID), p)
	})
	if err != nil {
		return nil, err
	}
	return partView(&p), nil
}

func (g *Gateway) deletePart(ctx context.Context, in *aws.DeleteDocumentationPartInput) (*aws.DeleteDocumentationPartOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadAPI(tx, s, in.RestApiId); err != nil {
			return err
		}
		there, err := record.Has(tx, s.Part(in.RestApiId, in.DocumentationPartId))
		if err == nil && !there {
			err = noPart()
		}
		tx.Delete(s.Part(in.RestApiId, in.DocumentationPartId))
		return err
	})
	return &aws.DeleteDocumentationPartOutput{}, err
}

func versionView(v *api.DocumentationVersion) *aws.DocumentationVersion {
	return &aws.DocumentationVersion{Version: ptr(v.Version), CreatedDate: ptr(v.Created), Description: v.Description}
}

func (g *Gateway) createVersion(ctx context.Context, in *aws.CreateDocumentationVersionInput) (*aws.CreateDocumentationVersionOutput, error) {
	v := api.DocumentationVersion{Version: in.DocumentationVersion, Description: in.Description, Created: g.deps.Clock.Now().UTC()}
	err := g.editParts(ctx, in.RestApiId, func(tx store.Txn, s api.Scope, all []api.DocumentationPart) error {
		if v.Version == "" {
			return badRequest("Documentation version must be non-empty")
		}
		there, err := record.Has(tx, s.Version(in.RestApiId, v.Version))
		if err != nil {
			return err
		}
		if there {
			return conflict("Documentation version already exists for this API")
		}
		v.Parts = all
		if err := record.Set(tx, s.Version(in.RestApiId, v.Version), v); err != nil || text(in.StageName) == "" {
			return err
		}
		st, err := loadStage(tx, s, in.RestApiId, *in.StageName)
		if err != nil {
			return err
		}
		st.DocumentationVersion = ptr(v.Version)
		return record.Set(tx, s.Stage(in.RestApiId, *in.StageName), st)
	})
	if err != nil {
		return nil, err
	}
	return versionView(&v), nil
}

func (g *Gateway) getVersion(ctx context.Context, in *aws.GetDocumentationVersionInput) (*aws.GetDocumentationVersionOutput, error) {
	s := scopeOf(ctx)
	var v api.DocumentationVersion
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		if _, err := loadAPI(r, s, in.RestApiId); err != nil {
			return err
		}
		found, ok, err := record.Get[api.DocumentationVersion](r, s.Version(in.RestApiId, in.DocumentationVersion))
		if err == nil && !ok {
			err = noVersion()
		}
		v = found
		return err
	})
	if err != nil {
		return nil, err
	}
	return versionView(&v), nil
}

func (g *Gateway) getVersions(ctx context.Context, in *aws.GetDocumentationVersionsInput) (*aws.GetDocumentationVersionsOutput, error) {
	s, out := scopeOf(ctx), &aws.GetDocumentationVersionsOutput{}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		if _, err := loadAPI(r, s, in.RestApiId); err != nil {
			return err
		}
		all, err := record.List[api.DocumentationVersion](r, s.Versions(in.RestApiId).Span())
		if err != nil {
			return err
		}
		var items []api.DocumentationVersion
		items, out.Position, err = page(all, func(v *api.DocumentationVersion) string { return v.Version }, in.Position, in.Limit)
		out.Items = make([]aws.DocumentationVersion, len(items))
		for i := range items {
			out.Items[i] = *versionView(&items[i])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

var versionPatches = patch.Table[api.DocumentationVersion]{Wording: patch.Listed, Paths: []patch.Path[api.DocumentationVersion]{
	{Pattern: "/description", Ops: "replace", Apply: patch.Text(func(v *api.DocumentationVersion) **string { return &v.Description })},
}}

func (g *Gateway) editVersion(ctx context.Context, id, version string, fn func(tx store.Txn, s api.Scope, v *api.DocumentationVersion) error) error {
	s := scopeOf(ctx)
	return g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadAPI(tx, s, id); err != nil {
			return err
		}
		v, ok, err := record.Get[api.DocumentationVersion](tx, s.Version(id, version))
		if err != nil {
			return err
		}
		if !ok {
			return noVersion()
		}
		return fn(tx, s, &v)
	})
}

func (g *Gateway) updateVersion(ctx context.Context, in *aws.UpdateDocumentationVersionInput) (out *aws.UpdateDocumentationVersionOutput, err error) {
	err = g.editVersion(ctx, in.RestApiId, in.DocumentationVersion, func(tx store.Txn, s api.Scope, v *api.DocumentationVersion) error {
		if err := versionPatches.Apply(v, in.PatchOperations); err != nil {
			return err
		}
		out = versionView(v)
		return record.Set(tx, s.Version(in.RestApiId, v.Version), *v)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) deleteVersion(ctx context.Context, in *aws.DeleteDocumentationVersionInput) (*aws.DeleteDocumentationVersionOutput, error) {
	err := g.editVersion(ctx, in.RestApiId, in.DocumentationVersion, func(tx store.Txn, s api.Scope, v *api.DocumentationVersion) error {
		stages, err := record.List[api.Stage](tx, s.Stages(in.RestApiId).Span())
		if err != nil {
			return err
		}
		for _, st := range stages {
			if text(st.DocumentationVersion) == v.Version {
				return conflict("Documentation version %s is in use by stage %s", v.Version, *st.StageName)
			}
		}
		tx.Delete(s.Version(in.RestApiId, v.Version))
		return nil
	})
	return &aws.DeleteDocumentationVersionOutput{}, err
}
