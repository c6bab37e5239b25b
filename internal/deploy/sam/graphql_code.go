package sam

import "strings"

func (g *graphQLAPI) functionConfigurations() ([]*resource, error) {
	var made []*resource
	for key, v := range g.properties.dict("Functions").all() {
		d := v.(*dict)
		if id := d.get("Id"); truthy(id) {
			if withoutNull(d).len() != 1 {
				return nil, invalid(key, "'Id' cannot be defined with other properties in Function.")
			}
			g.functions[key] = id
			continue
		}
		p := dictOf("ApiId", g.apiID, "Name", key)
		if v := d.get("Name"); truthy(v) {
			p.set("Name", v)
		}
		inline, uri := d.get("InlineCode"), d.get("CodeUri")
		switch {
		case truthy(inline) && truthy(uri):
			return nil, invalid(key, "Both 'InlineCode' and 'CodeUri' cannot be defined at the same time.")
		case truthy(inline):
			p.set("Code", inline)
		case truthy(uri):
			p.set("CodeS3Location", uri)
		default:
			return nil, invalid(key, "One of 'InlineCode' or 'CodeUri' must be set.")
		}
		source, err := g.sourceOf(key, d.get("DataSource"))
		if err != nil {
			return nil, err
		}
		runtime, err := runtimeOf(key, d)
		if err != nil {
			return nil, err
		}
		p.with("DataSourceName", source, "MaxBatchSize", d.get("MaxBatchSize"), "Description", d.get("Description"), "Runtime", runtime)
		if v := d.dict("Sync"); v.len() > 0 {
			p.set("SyncConfig", withoutNull(v))
		}
		r := g.part("AWS::AppSync::FunctionConfiguration", g.id+key, p)
		g.functions[key] = getAtt(r.id, "FunctionId")
		made = append(made, r)
	}
	return made, nil
}

func runtimeOf(key string, d *dict) (any, error) {
	r := d.dict("Runtime")
	if r == nil {
		return nil, invalid(key, "'Runtime' must be defined as a property in %s.", key)
	}
	return dictOf("Name", r.get("Name"), "RuntimeVersion", r.get("Version")), nil
}

// sourceOf is the name of the data source of a function.
func (g *graphQLAPI) sourceOf(key string, v any) (any, error) {
	if !truthy(v) {
		return nil, invalid(key, "'DataSource' must be set.")
	}
	s, ok := text(v)
	if !ok {
		return v, nil
	}
	if strings.EqualFold(s, "none") {
		if g.none == nil {
			id := g.id + "NoneDataSource"
			g.none = g.part("AWS::AppSync::DataSource", id, dictOf("ApiId", g.apiID, "Name", id, "Type", "NONE"))
		}
		return getAtt(g.none.id, "Name"), nil
	}
	if source := g.sources[s]; source != nil {
		return source, nil
	}
	return nil, invalid(key, "Either define DataSource '%s' in 'DataSources' or use intrinsic function like GetAtt, ImportValue, Sub or another one to reference a DataSource defined outside of this GraphQLApi resource.", s)
}

// pipelineCode is the code of a resolver that only runs its functions.
const pipelineCode = "\nexport function request(ctx) {\n    return {};\n}\n\nexport function response(ctx) {\n    return ctx.prev.result;\n}\n"

func (g *graphQLAPI) resolvers() ([]*resource, error) {
	var made []*resource
	for typ, v := range g.properties.dict("Resolvers").all() {
		for key, v := range v.(*dict).all() {
			r, err := g.resolver(typ, key, v.(*dict))
			if err != nil {
				return nil, err
			}
			made = append(made, r)
		}
	}
	return made, nil
}

func (g *graphQLAPI) resolver(typ, key string, d *dict) (*resource, error) {
	inline, uri := d.get("InlineCode"), d.get("CodeUri")
	if truthy(inline) && truthy(uri) {
		return nil, invalid(key, "Both 'InlineCode' and 'CodeUri' cannot be defined at the same time.")
	}
	p := dictOf("ApiId", g.apiID, "FieldName", key, "TypeName", typ, "Kind", "PIPELINE")
	if truthy(inline) || truthy(uri) {
		runtime, err := runtimeOf(key, d)
		if err != nil {
			return nil, err
		}
		p.with("Code", inline, "CodeS3Location", uri, "Runtime", runtime)
	} else {
		p.with("Code", pipelineCode, "Runtime", dictOf("Name", "APPSYNC_JS", "RuntimeVersion", "1.0.0"))
	}
	if v := d.get("FieldName"); truthy(v) {
		p.set("FieldName", v)
	}
	pipeline := asList(d.get("Pipeline"))
	if len(pipeline) == 0 {
		return nil, invalid(key, "Resolver '%s' must have Pipeline defined. Unit resolvers are not supported. If you need a Unit resolver you can use AppSync resource.", key)
	}
	ids := make([]any, len(pipeline))
	for i, v := range pipeline {
		s := python(v)
		if ids[i] = g.functions[s]; ids[i] == nil {
			return nil, invalid(key, "Function '%s' does not exist.", s)
		}
	}
	p.set("PipelineConfig", dictOf("Functions", ids))
	if v := d.dict("Caching"); v.len() > 0 {
		p.set("CachingConfig", withoutNull(v))
	}
	if v := d.get("MaxBatchSize"); truthy(v) {
		p.set("MaxBatchSize", v)
	}
	r := newResource("AWS::AppSync::Resolver", g.id+typ+key, g.attributes, p)
	r.dependsOn = []any{g.id + "Schema"}
	return r, nil
}
