package sam

// table expands AWS::Serverless::SimpleTable into a table with one key.
func (t *transform) table(s source) error {
	name, typ := any("id"), "S"
	if v, has := s.properties["PrimaryKey"]; has {
		key, ok := v.(object)
		if !ok || key["Name"] == nil || key["Type"] == nil {
			return invalid(s.id, "'PrimaryKey' is missing required Property 'Name' or 'Type'.")
		}
		name = key["Name"]
		if typ, ok = map[any]string{"String": "S", "Number": "N", "Binary": "B"}[t.resolve(key["Type"])]; !ok {
			return invalid(s.id, "Invalid 'Type' \"%v\". Supported are String, Number and Binary.", key["Type"])
		}
	}
	p := object{
		"AttributeDefinitions": []any{object{"AttributeName": name, "AttributeType": typ}},
		"KeySchema":            []any{object{"AttributeName": name, "KeyType": "HASH"}},
		"BillingMode":          "PAY_PER_REQUEST",
	}
	if v, has := s.properties["ProvisionedThroughput"]; has {
		p["ProvisionedThroughput"] = v
		delete(p, "BillingMode")
	}
	s.copyTo(p, "TableName", "SSESpecification", "PointInTimeRecoverySpecification")
	if v, has := s.properties["Tags"]; has {
		tags, ok := tagList("", v)
		if !ok {
			return invalid(s.id, "Type of property 'Tags' is invalid.")
		}
		p["Tags"] = tags
	}
	t.out[s.id] = s.primary("AWS::DynamoDB::Table", p)
	return nil
}
