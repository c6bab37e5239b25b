package schemas

import (
	"context"
	"strconv"
	"time"

	api "lambent.dev/lambent/internal/awsapi/schemas"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// schemaRecord is a schema.
type schemaRecord struct {
	Registry, Name string
	Description    string            `json:",omitempty"`
	Tags           map[string]string `json:",omitempty"`
	// Latest is the number of the newest version, Last the greatest that was given, and Versions how many there are.
	Latest, Last, Versions int64
	Modified               time.Time
	// Found is what discovery knows of the schema; nil for schemas that it did not make.
	Found *found `json:",omitempty"`
}

// versionRecord is a version of a schema.
type versionRecord struct {
	Number  int64
	Type    string
	Content string
	Created time.Time
}

// add writes a new version of the schema.
func (r *schemaRecord) add(tx store.Txn, p place, kind, content string, now time.Time) (versionRecord, error) {
	r.Last++
	r.Latest, r.Modified = r.Last, now
	r.Versions++
	v := versionRecord{Number: r.Last, Type: kind, Content: content, Created: now}
	if err := record.Set(tx, p.version(r.Registry, r.Name, v.Number), v); err != nil {
		return v, err
	}
	return v, record.Set(tx, p.schema(r.Registry, r.Name), *r)
}

// find returns a schema with a version of it: the newest when text is nil.
func find(r store.Reader, p place, registry, name string, text *string) (sc schemaRecord, v versionRecord, err error) {
	if _, err = get[registryRecord](r, p.registry(registry), noRegistry(registry)); err != nil {
		return sc, v, err
	}
	if sc, err = get[schemaRecord](r, p.schema(registry, name), noSchema(registry, name)); err != nil {
		return sc, v, err
	}
	number := sc.Latest
	if text != nil {
		if number, err = strconv.ParseInt(*text, 10, 64); err != nil {
			return sc, v, invalid("schemaVersion must be a whole number, and is %q.", *text)
		}
	}
	v, err = get[versionRecord](r, p.version(registry, name, number), notFound("Version %d of the schema %s does not exist.", number, name))
	return sc, v, err
}

func (s *Service) viewSchema(ctx context.Context, p place, registry, name string, version *string) (sc schemaRecord, v versionRecord, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		sc, v, err = find(r, p, registry, name, version)
		return err
	})
	return sc, v, storeError(err)
}

func numbered(n int64) *string { return new(strconv.FormatInt(n, 10)) }

func (s *Service) createSchema(ctx context.Context, in *api.CreateSchemaInput) (*api.CreateSchemaOutput, error) {
	p := placeOf(ctx)
	switch {
	case !schemaName.MatchString(in.SchemaName):
		return nil, invalid("The schema name %q must have 1 to 385 letters, digits and the characters . - _ / @.", in.SchemaName)
	case len(in.Tags) > maxTags:
		return nil, tooManyTags()
	}
	if err := checkContent(in.Type, in.Content); err != nil {
		return nil, err
	}
	r := schemaRecord{Registry: in.RegistryName, Name: in.SchemaName, Description: opt.Value(in.Description), Tags: in.Tags}
	var v versionRecord
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := get[registryRecord](tx, p.registry(in.RegistryName), noRegistry(in.RegistryName)); err != nil {
			return err
		}
		there, err := record.Has(tx, p.schema(in.RegistryName, in.SchemaName))
		if err != nil || there {
			if there {
				err = conflict("Schema with name %s already exists.", in.SchemaName)
			}
			return err
		}
		fresh := r
		v, err = fresh.add(tx, p, in.Type, in.Content, s.now())
		return err
	})
	return &api.CreateSchemaOutput{
		Description: in.Description, LastModified: &v.Created, SchemaArn: new(p.schemaARN(in.RegistryName, in.SchemaName)), SchemaName: &in.SchemaName, SchemaVersion: numbered(v.Number),
		Tags: in.Tags, Type: &in.Type, VersionCreatedDate: &v.Created,
	}, storeError(err)
}

// updateSchema changes the description, and makes a new version of a content that is another than that of the newest. A discovered schema that is changed is
// discovered from anew.
func (s *Service) updateSchema(ctx context.Context, in *api.UpdateSchemaInput) (*api.UpdateSchemaOutput, error) {
	p := placeOf(ctx)
	var r schemaRecord
	var v versionRecord
	err := s.deps.Store.Update(ctx, func(tx store.Txn) (err error) {
		if r, v, err = find(tx, p, in.RegistryName, in.SchemaName, nil); err != nil {
			return err
		}
		if in.Description != nil {
			r.Description = *in.Description
		}
		kind, content := v.Type, v.Content
		if in.Type != "" {
			kind = in.Type
		}
		if in.Content != nil {
			content = *in.Content
		}
		if kind == v.Type && content == v.Content {
			r.Modified = s.now()
			return record.Set(tx, p.schema(r.Registry, r.Name), r)
		}
		if err := checkContent(kind, content); err != nil {
			return err
		}
		if r.Versions >= maxVersions {
			return invalid("The schema %s has %d versions, which is the most. Delete one first.", r.Name, r.Versions)
		}
		r.Found = nil
		v, err = r.add(tx, p, kind, content, s.now())
		return err
	})
	return &api.UpdateSchemaOutput{
		Description: opt.Of(r.Description), LastModified: &r.Modified, SchemaArn: new(p.schemaARN(r.Registry, r.Name)), SchemaName: &r.Name, SchemaVersion: numbered(v.Number),
		Tags: r.Tags, Type: &v.Type, VersionCreatedDate: &v.Created,
	}, storeError(err)
}

func (s *Service) describeSchema(ctx context.Context, in *api.DescribeSchemaInput) (*api.DescribeSchemaOutput, error) {
	p := placeOf(ctx)
	r, v, err := s.viewSchema(ctx, p, in.RegistryName, in.SchemaName, in.SchemaVersion)
	return &api.DescribeSchemaOutput{
		Content: &v.Content, Description: opt.Of(r.Description), LastModified: &r.Modified, SchemaArn: new(p.schemaARN(r.Registry, r.Name)), SchemaName: &r.Name, SchemaVersion: numbered(v.Number),
		Tags: r.Tags, Type: &v.Type, VersionCreatedDate: &v.Created,
	}, err
}

func (s *Service) deleteSchema(ctx context.Context, in *api.DeleteSchemaInput) (*api.DeleteSchemaOutput, error) {
	p := placeOf(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, _, err := find(tx, p, in.RegistryName, in.SchemaName, nil); err != nil {
			return err
		}
		tx.Delete(p.schema(in.RegistryName, in.SchemaName))
		span := p.versions(in.RegistryName, in.SchemaName).Span()
		tx.DeleteRange(span.Lo, span.Hi)
		return nil
	})
	return &api.DeleteSchemaOutput{}, storeError(err)
}

// deleteSchemaVersion deletes a version that is not the only one. When it is the newest, the one before it becomes that.
func (s *Service) deleteSchemaVersion(ctx context.Context, in *api.DeleteSchemaVersionInput) (*api.DeleteSchemaVersionOutput, error) {
	p := placeOf(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, v, err := find(tx, p, in.RegistryName, in.SchemaName, &in.SchemaVersion)
		if err != nil {
			return err
		}
		if r.Versions == 1 {
			return invalid("Version %d is the only one of the schema %s. Delete the schema instead.", v.Number, r.Name)
		}
		tx.Delete(p.version(r.Registry, r.Name, v.Number))
		r.Versions--
		r.Modified = s.now()
		if v.Number == r.Latest {
			span := p.versions(r.Registry, r.Name).Span()
			span.Hi, span.Reverse, span.Limit = p.version(r.Registry, r.Name, v.Number), true, 1
			for row, err := range record.Range[versionRecord](tx, span) {
				if err != nil {
					return err
				}
				r.Latest = row.Value.Number
			}
		}
		return record.Set(tx, p.schema(r.Registry, r.Name), r)
	})
	return &api.DeleteSchemaVersionOutput{}, storeError(err)
}

func (s *Service) listSchemas(ctx context.Context, in *api.ListSchemasInput) (*api.ListSchemasOutput, error) {
	p := placeOf(ctx)
	if _, err := view[registryRecord](ctx, s, p.registry(in.RegistryName), noRegistry(in.RegistryName)); err != nil {
		return nil, err
	}
	out := &api.ListSchemasOutput{Schemas: []api.SchemaSummary{}}
	next, err := list(ctx, s, p.schemas(in.RegistryName), in.SchemaNamePrefix, in.NextToken, in.Limit, func(_ string, r schemaRecord) bool {
		out.Schemas = append(out.Schemas, api.SchemaSummary{
			LastModified: &r.Modified, SchemaArn: new(p.schemaARN(r.Registry, r.Name)), SchemaName: &r.Name, Tags: r.Tags, VersionCount: &r.Versions,
		})
		return true
	})
	out.NextToken = next
	return out, err
}

func (s *Service) listSchemaVersions(ctx context.Context, in *api.ListSchemaVersionsInput) (*api.ListSchemaVersionsOutput, error) {
	p := placeOf(ctx)
	if _, _, err := s.viewSchema(ctx, p, in.RegistryName, in.SchemaName, nil); err != nil {
		return nil, err
	}
	out := &api.ListSchemaVersionsOutput{SchemaVersions: []api.SchemaVersionSummary{}}
	next, err := list(ctx, s, p.versions(in.RegistryName, in.SchemaName), nil, in.NextToken, in.Limit, func(_ string, v versionRecord) bool {
		out.SchemaVersions = append(out.SchemaVersions, api.SchemaVersionSummary{
			SchemaArn: new(p.schemaARN(in.RegistryName, in.SchemaName)), SchemaName: &in.SchemaName, SchemaVersion: numbered(v.Number), Type: v.Type,
		})
		return true
	})
	out.NextToken = next
	return out, err
}

func (s *Service) exportSchema(ctx context.Context, in *api.ExportSchemaInput) (*api.ExportSchemaOutput, error) {
	p := placeOf(ctx)
	if in.Type != api.TypeJSONSchemaDraft4 {
		return nil, invalid("A schema is exported as JSONSchemaDraft4, and not as %s.", in.Type)
	}
	r, v, err := s.viewSchema(ctx, p, in.RegistryName, in.SchemaName, in.SchemaVersion)
	if err != nil {
		return nil, err
	}
	content := v.Content
	if v.Type == api.TypeOpenApi3 {
		if content, err = toDraft4(r.Name, content); err != nil {
			return nil, err
		}
	}
	return &api.ExportSchemaOutput{Content: &content, SchemaArn: new(p.schemaARN(r.Registry, r.Name)), SchemaName: &r.Name, SchemaVersion: numbered(v.Number), Type: &in.Type}, nil
}
