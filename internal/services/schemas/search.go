package schemas

import (
	"context"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/schemas"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// searchSchemas finds the schemas of a registry whose names or versions hold all of the keywords, in any case.
func (s *Service) searchSchemas(ctx context.Context, in *api.SearchSchemasInput) (*api.SearchSchemasOutput, error) {
	p := placeOf(ctx)
	if _, err := view[registryRecord](ctx, s, p.registry(in.RegistryName), noRegistry(in.RegistryName)); err != nil {
		return nil, err
	}
	words := strings.Fields(strings.ToLower(in.Keywords))
	if len(words) == 0 {
		return nil, invalid("keywords must hold a word.")
	}
	out := &api.SearchSchemasOutput{Schemas: []api.SearchSchemaSummary{}}
	var failed error
	next, err := list(ctx, s, p.schemas(in.RegistryName), nil, in.NextToken, in.Limit, func(_ string, r schemaRecord) bool {
		versions, err := s.versionsWith(ctx, p, &r, words)
		if err != nil {
			failed = err
		}
		if len(versions) == 0 {
			return false
		}
		out.Schemas = append(out.Schemas, api.SearchSchemaSummary{
			RegistryName: &in.RegistryName, SchemaArn: new(p.schemaARN(r.Registry, r.Name)), SchemaName: &r.Name, SchemaVersions: versions,
		})
		return true
	})
	if err == nil {
		err = failed
	}
	out.NextToken = next
	return out, err
}

// versionsWith returns the versions of a schema that hold all words, which are in lower case.
func (s *Service) versionsWith(ctx context.Context, p place, r *schemaRecord, words []string) (out []api.SearchSchemaVersionSummary, err error) {
	err = s.deps.Store.View(ctx, func(rd store.Reader) error {
		out = nil
		for row, err := range record.Range[versionRecord](rd, p.versions(r.Registry, r.Name).Span()) {
			if err != nil {
				return err
			}
			text, v := strings.ToLower(r.Name+"\n"+row.Value.Content), row.Value
			all := true
			for _, w := range words {
				all = all && strings.Contains(text, w)
			}
			if all {
				out = append(out, api.SearchSchemaVersionSummary{CreatedDate: &v.Created, SchemaVersion: numbered(v.Number), Type: v.Type})
			}
		}
		return nil
	})
	return out, storeError(err)
}
