package sam

func graphQLModel() model {
	need := func(name string) modelField { return modelField{name, anyModel, true} }
	authorizer := []modelField{
		{"Type", modelOf(func(v any) bool {
			return is(v, iamAuthorizer, "API_KEY", "AWS_LAMBDA", "OPENID_CONNECT", "AMAZON_COGNITO_USER_POOLS")
		}, "unexpected value", "value_error.const"), true},
		{"LambdaAuthorizer", objectModel(append(optional("AuthorizerResultTtlInSeconds", "IdentityValidationExpression"), need("AuthorizerUri"))...), false},
		{"OpenIDConnect", objectModel(optional("AuthTTL", "ClientId", "IatTTL", "Issuer")...), false},
		{"UserPool", objectModel(append(optional("AppIdClientRegex", "AwsRegion", "DefaultAction"), need("UserPoolId"))...), false},
	}
	runtime := modelField{"Runtime", objectModel(need("Name"), need("Version")), false}
	sync := modelField{"Sync", objectModel(need("ConflictDetection"), modelField{"ConflictHandler", anyModel, false},
		modelField{"LambdaConflictHandlerConfig", objectModel(need("LambdaConflictHandlerArn")), false}), false}
	return objectModel(append([]modelField{
		{"Auth", objectModel(append(append([]modelField{}, authorizer...), modelField{"Additional", listModel(objectModel(authorizer...)), false})...), true},
		{"Tags", mapModel, false},
		{"Name", anyModel, false},
		{"XrayEnabled", boolModel, false},
		{"SchemaInline", anyModel, false},
		{"SchemaUri", anyModel, false},
		{"Logging", eitherModel(objectModel(optional("CloudWatchLogsRoleArn", "ExcludeVerboseContent", "FieldLogLevel")...), boolModel), false},
		{"DataSources", objectModel(
			modelField{"DynamoDb", dictModel(objectModel(append(optional("ServiceRoleArn", "TableArn", "Name", "Description", "Region", "UseCallerCredentials", "Versioned"), need("TableName"),
				modelField{"Permissions", listModel(modelOf(func(v any) bool { return is(v, "Read", "Write") }, "unexpected value", "value_error.const")), false},
				modelField{"DeltaSync", objectModel(need("BaseTableTTL"), need("DeltaSyncTableName"), need("DeltaSyncTableTTL")), false})...)), false},
			modelField{"Lambda", dictModel(objectModel(append(optional("ServiceRoleArn", "Name", "Description"), need("FunctionArn"))...)), false}), false},
		{"Functions", dictModel(objectModel(append([]modelField{{"DataSource", orIntrinsic(textModel), false}, runtime},
			append(optional("InlineCode", "CodeUri", "Description", "MaxBatchSize", "Id"), modelField{"Name", textModel, false}, sync)...)...)), false},
		{"Resolvers", dictModel(dictModel(objectModel(append([]modelField{
			{"FieldName", textModel, false}, {"Caching", objectModel(need("Ttl"), modelField{"CachingKeys", listModel(anyModel), false}), false},
		}, append(optional("InlineCode", "CodeUri", "MaxBatchSize"), modelField{"Pipeline", listModel(textModel), false}, runtime, sync)...)...))), false},
		{"ApiKeys", dictModel(objectModel(optional("ApiKeyId", "Description", "ExpiresOn")...)), false},
		{"DomainName", objectModel(need("CertificateArn"), need("DomainName"), modelField{"Description", anyModel, false}), false},
		{"Cache", objectModel(append(optional("AtRestEncryptionEnabled", "TransitEncryptionEnabled"), need("ApiCachingBehavior"), need("Ttl"), need("Type"))...), false},
	}, optional("Visibility", "OwnerContact", "IntrospectionConfig", "QueryDepthLimit", "ResolverCountLimit")...)...)
}
