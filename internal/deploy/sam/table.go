package sam

// tableSchema are the properties of AWS::Serverless::SimpleTable, see
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-simpletable.html.
var tableSchema = schema{
	{"PointInTimeRecoverySpecification", anything, 0}, {"PrimaryKey", mapOfTexts, 0}, {"ProvisionedThroughput", mapOfNumbers, 0}, {"TableName", textOrMap, 0}, {"Tags", aMap, 0}, {"SSESpecification", aMap, 0},
}

// table expands AWS::Serverless::SimpleTable into a table with a key of one attribute.
func (t *transform) table(s *source) ([]*resource, error) {
	attribute, typ := any("id"), any("S")
	if key := s.properties.dict("PrimaryKey"); key.len() > 0 {
		for _, k := range []string{"Name", "Type"} {
			if err := inResource(s.id, "PrimaryKey."+k).present(key.get(k)); err != nil {
				return nil, err
			}
		}
		attribute = key.get("Name")
		switch given := key.get("Type"); {
		case is(given, "String"):
		case is(given, "Number"):
			typ = "N"
		case is(given, "Binary"):
			typ = "B"
		default:
			return nil, invalid(s.id, "Invalid 'Type' \"%s\".", python(given))
		}
	}
	p := dictOf("AttributeDefinitions", []any{dictOf("AttributeName", attribute, "AttributeType", typ)}, "KeySchema", []any{dictOf("AttributeName", attribute, "KeyType", "HASH")})
	for _, k := range []string{"PointInTimeRecoverySpecification", "ProvisionedThroughput", "SSESpecification", "TableName"} {
		if v := s.get(k); truthy(v) {
			p.set(k, v)
		}
	}
	if !p.has("ProvisionedThroughput") {
		p.set("BillingMode", "PAY_PER_REQUEST")
	}
	if tags := s.properties.dict("Tags"); tags.len() > 0 {
		p.set("Tags", tagList(tags))
	}
	return []*resource{s.main("AWS::DynamoDB::Table", p)}, nil
}
