package sam

// graphQLSchema are the properties of AWS::Serverless::GraphQLApi, see
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-graphqlapi.html.
var graphQLSchema = schema{
	{"Name", anything, 0},
	{"Tags", aMap, literal},
	{"XrayEnabled", anything, 0},
	{"Auth", aMap, required | literal},
	{"SchemaInline", aText, literal},
	{"SchemaUri", aText, literal},
	{"Logging", boolOrMap, literal},
	{"DataSources", aMap, literal},
	{"Functions", aMap, literal},
	{"Resolvers", aMap, literal},
	{"ApiKeys", aMap, literal},
	{"DomainName", aMap, literal},
	{"Cache", aMap, literal},
	{"Visibility", anything, 0},
	{"OwnerContact", anything, 0},
	{"IntrospectionConfig", anything, 0},
	{"QueryDepthLimit", anything, 0},
	{"ResolverCountLimit", anything, 0},
}

// graphQLAPI is one AWS::Serverless::GraphQLApi while it is expanded.
type graphQLAPI struct {
	*transform
	*source
	apiID any
	// sources are the names of the data sources, and functions the ids of the functions, by their names in the template.
	sources, functions map[string]any
	// none is the data source of functions that need none.
	none *resource
}

// graphQL expands AWS::Serverless::GraphQLApi into an AppSync API with its schema, data sources, functions and resolvers.
func (t *transform) graphQL(s *source) ([]*resource, error) {
	if err := graphQLModel().check(s.properties).first(s.id); err != nil {
		return nil, err
	}
	g := &graphQLAPI{t, s, getAtt(s.id, "ApiId"), map[string]any{}, map[string]any{}, nil}
	made, err := g.main()
	if err != nil {
		return nil, err
	}
	for _, part := range []func() ([]*resource, error){g.keys, g.cache, g.dataSources, g.domain, g.functionConfigurations, g.resolvers} {
		more, err := part()
		if err != nil {
			return nil, err
		}
		made = append(made, more...)
	}
	if g.none != nil {
		made = append(made, g.none)
	}
	return made, nil
}

// part makes a resource with the attributes of the API.
func (g *graphQLAPI) part(typ, id string, properties *dict) *resource {
	r := newResource(typ, id, g.attributes, properties)
	r.dependsOn = g.dependsOn
	return r
}

// main makes the API, its schema, the role for its logs, and the permissions of its authorizers.
func (g *graphQLAPI) main() ([]*resource, error) {
	p := dictOf("Name", g.id, "XrayEnabled", g.get("XrayEnabled"))
	for _, k := range []string{"Name", "Visibility", "OwnerContact", "IntrospectionConfig", "QueryDepthLimit", "ResolverCountLimit"} {
		if v := g.get(k); truthy(v) {
			p.set(k, v)
		}
	}
	functions, err := g.authenticate(p)
	if err != nil {
		return nil, err
	}
	tags := g.properties.dict("Tags").copy()
	tags.set("graphqlapi:createdBy", "SAM")
	p.set("Tags", tagList(tags))
	made := []*resource{g.part("AWS::AppSync::GraphQLApi", g.id, p)}
	role := g.log(p)
	inline, uri := g.get("SchemaInline"), g.get("SchemaUri")
	switch {
	case !truthy(inline) && !truthy(uri):
		return nil, invalid(g.id, "One of 'SchemaInline' or 'SchemaUri' must be set.")
	case truthy(inline) && truthy(uri):
		return nil, invalid(g.id, "Both 'SchemaInline' and 'SchemaUri' cannot be defined at the same time.")
	}
	made = append(made, g.part("AWS::AppSync::GraphQLSchema", g.id+"Schema", dictOf("ApiId", g.apiID, "Definition", inline, "DefinitionS3Location", uri)))
	for i, f := range functions {
		more, err := g.connectTo(g.id+"ToLambdaAuthConnector"+python(int64(i+1)),
			dictOf("Type", "AWS::AppSync::GraphQLApi", "Arn", ref(g.id), "ResourceId", g.apiID), dictOf("Type", "AWS::Lambda::Function", "Arn", f), "Write")
		if err != nil {
			return nil, err
		}
		made = append(made, more...)
	}
	if role != nil {
		made = append(made, role)
	}
	return made, nil
}

// connectTo makes what a connector would.
func (g *graphQLAPI) connectTo(id string, from, to *dict, permissions ...any) ([]*resource, error) {
	return g.connector(&source{id: id, typ: typeConnector, attributes: newDict(), properties: dictOf("Source", from, "Destination", to, "Permissions", permissions)})
}

// authenticate writes who may use the API; it returns the functions that decide about it.
func (g *graphQLAPI) authenticate(p *dict) ([]any, error) {
	auth := g.properties.dict("Auth")
	var functions []any
	write := func(a, to *dict, additional bool, path string) error {
		to.set("AuthenticationType", a.get("Type"))
		given := 0
		for _, k := range []string{"LambdaAuthorizer", "OpenIDConnect", "UserPool"} {
			if a.get(k) != nil {
				given++
			}
		}
		if given > 1 {
			return invalid(g.id, "'%s' has more than one authentication configuration defined.", path)
		}
		for _, kind := range [][3]string{
			{"AWS_LAMBDA", "LambdaAuthorizer", "LambdaAuthorizerConfig"}, {"OPENID_CONNECT", "OpenIDConnect", "OpenIDConnectConfig"}, {"AMAZON_COGNITO_USER_POOLS", "UserPool", "UserPoolConfig"},
		} {
			if !is(a.get("Type"), kind[0]) {
				continue
			}
			config := withoutNull(a.dict(kind[1]))
			if config == nil {
				return invalid(g.id, "'%s' must be defined if type is '%s'.", kind[1], kind[0])
			}
			if kind[1] == "UserPool" && additional {
				config.remove("DefaultAction")
			}
			if config.len() > 0 {
				to.set(kind[2], config)
			}
			if kind[1] == "LambdaAuthorizer" {
				functions = append(functions, config.get("AuthorizerUri"))
			}
		}
		return nil
	}
	if err := write(auth, p, false, "Auth"); err != nil {
		return nil, err
	}
	var additional []any
	for i, v := range asList(auth.get("Additional")) {
		path := "Auth"
		if i > 0 {
			path = "Auth.Additional." + python(int64(i))
		}
		provider := newDict()
		if err := write(v.(*dict), provider, true, path); err != nil {
			return nil, err
		}
		additional = append(additional, provider)
	}
	if additional != nil {
		p.set("AdditionalAuthenticationProviders", additional)
	}
	return functions, nil
}

// withoutNull copies a mapping without what has no value; nil stays nil.
func withoutNull(d *dict) *dict {
	if d == nil {
		return nil
	}
	out := newDict()
	for k, v := range d.all() {
		if v != nil {
			out.set(k, v)
		}
	}
	return out
}

// log writes what the API logs; it returns the role for it, unless the template names one.
func (g *graphQLAPI) log(p *dict) *resource {
	if g.get("Logging") == false {
		return nil
	}
	given := g.properties.dict("Logging")
	config := dictOf("FieldLogLevel", "ALL")
	for _, k := range []string{"ExcludeVerboseContent", "FieldLogLevel"} {
		if v := given.get(k); truthy(v) {
			config.set(k, v)
		}
	}
	p.set("LogConfig", config)
	if v := given.get("CloudWatchLogsRoleArn"); truthy(v) {
		config.set("CloudWatchLogsRoleArn", v)
		return nil
	}
	role := g.part("AWS::IAM::Role", g.id+"CloudWatchRole", dictOf("AssumeRolePolicyDocument", assumeRole("appsync.amazonaws.com"),
		"ManagedPolicyArns", []any{sub("arn:${AWS::Partition}:iam::aws:policy/service-role/AWSAppSyncPushToCloudWatchLogs")}))
	config.set("CloudWatchLogsRoleArn", role.arn())
	return role
}

func (g *graphQLAPI) keys() ([]*resource, error) {
	var made []*resource
	for k, v := range g.properties.dict("ApiKeys").all() {
		d := v.(*dict)
		made = append(made, g.part("AWS::AppSync::ApiKey", g.id+k, dictOf("ApiId", g.apiID, "ApiKeyId", d.get("ApiKeyId"), "Description", d.get("Description"), "Expires", d.get("ExpiresOn"))))
	}
	return made, nil
}

func (g *graphQLAPI) cache() ([]*resource, error) {
	given := g.properties.dict("Cache")
	if given.len() == 0 {
		return nil, nil
	}
	p := withoutNull(given)
	p.set("ApiId", g.apiID)
	return []*resource{g.part("AWS::AppSync::ApiCache", g.id+"ApiCache", p)}, nil
}

func (g *graphQLAPI) domain() ([]*resource, error) {
	given := g.properties.dict("DomainName")
	if given.len() == 0 {
		return nil, nil
	}
	domain := g.part("AWS::AppSync::DomainName", g.id+"DomainName", withoutNull(given))
	return []*resource{domain, g.part("AWS::AppSync::DomainNameApiAssociation", g.id+"DomainNameApiAssociation", dictOf("ApiId", g.apiID, "DomainName", domain.ref()))}, nil
}

// dataSources makes the data sources, with roles by which AppSync uses them.
func (g *graphQLAPI) dataSources() ([]*resource, error) {
	all := g.properties.dict("DataSources")
	var made []*resource
	for key, v := range all.dict("DynamoDb").all() {
		d := v.(*dict)
		p := dictOf("Type", "AMAZON_DYNAMODB", "DynamoDBConfig", g.tableConfig(d))
		table := d.get("TableArn")
		if !truthy(table) {
			table = sub("arn:${AWS::Partition}:dynamodb:${__Region__}:${AWS::AccountId}:table/${__TableName__}", "__TableName__", d.get("TableName"), "__Region__", g.region(d))
		}
		permissions := asList(d.get("Permissions"))
		if len(permissions) == 0 {
			permissions = []any{"Read", "Write"}
		}
		more, err := g.dataSource(key, "DynamoDB", d, p, dictOf("Type", "AWS::DynamoDB::Table", "Arn", table), "ToTableConnector", permissions)
		if err != nil {
			return nil, err
		}
		made = append(made, more...)
	}
	for key, v := range all.dict("Lambda").all() {
		d := v.(*dict)
		p := dictOf("Type", "AWS_LAMBDA", "LambdaConfig", dictOf("LambdaFunctionArn", d.get("FunctionArn")))
		more, err := g.dataSource(key, "Lambda", d, p, dictOf("Type", "AWS::Lambda::Function", "Arn", d.get("FunctionArn")), "ToLambdaConnector", []any{"Write"})
		if err != nil {
			return nil, err
		}
		made = append(made, more...)
	}
	return made, nil
}

func (g *graphQLAPI) region(d *dict) any {
	if v := d.get("Region"); truthy(v) {
		return v
	}
	return ref("AWS::Region")
}

func (g *graphQLAPI) tableConfig(d *dict) *dict {
	config := dictOf("AwsRegion", g.region(d), "TableName", d.get("TableName"))
	for _, k := range []string{"UseCallerCredentials", "Versioned"} {
		if v := d.get(k); truthy(v) {
			config.set(k, v)
		}
	}
	if v := d.dict("DeltaSync"); v.len() > 0 {
		config.set("DeltaSyncConfig", v)
	}
	return config
}

func (g *graphQLAPI) dataSource(key, kind string, d, p, to *dict, suffix string, permissions []any) ([]*resource, error) {
	id := g.id + key + kind + "DataSource"
	p.set("ApiId", g.apiID)
	p.set("Name", key)
	if v := d.get("Name"); truthy(v) {
		p.set("Name", v)
	}
	if v := d.get("Description"); v != nil {
		p.set("Description", v)
	}
	r := g.part("AWS::AppSync::DataSource", id, p)
	g.sources[key] = getAtt(id, "Name")
	if v := d.get("ServiceRoleArn"); truthy(v) {
		p.set("ServiceRoleArn", v)
		return []*resource{r}, nil
	}
	role := g.part("AWS::IAM::Role", id+"Role", dictOf("AssumeRolePolicyDocument", assumeRole("appsync.amazonaws.com")))
	p.set("ServiceRoleArn", role.arn())
	more, err := g.connectTo(id+suffix, dictOf("Type", "AWS::AppSync::DataSource", "Arn", getAtt(id, "DataSourceArn"), "RoleName", role.ref()), to, permissions...)
	return append([]*resource{r, role}, more...), err
}
