package dynamodb

import (
	"maps"
	"slices"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
)

// What follows turns the parameters of the time before expressions into what expressions become, so that everything after knows one form
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html).

// checkOperator checks that ConditionalOperator joins something.
func checkOperator(operator string, comparisons int) error {
	switch {
	case operator == "":
		return nil
	case comparisons == 0:
		return invalid("ConditionalOperator cannot be used without Filter or Expected")
	case comparisons == 1:
		return invalid("ConditionalOperator can only be used when Filter or Expected has two or more elements")
	}
	return nil
}

// expect returns the condition of Expected, or nil.
func expect(expected map[string]ddb.ExpectedAttributeValue, operator string) (*expr.Condition, error) {
	if err := checkOperator(operator, len(expected)); err != nil || len(expected) == 0 {
		return nil, err
	}
	byAttribute := make(map[string]expr.Comparison, len(expected))
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		c, err := expectation(name, expected[name])
		if err != nil {
			return nil, err
		}
		byAttribute[name] = c
	}
	return expr.NewCondition(byAttribute, operator == ddb.ConditionalOperatorOr), nil
}

// expectation returns what an element of Expected asks for.
func expectation(name string, e ddb.ExpectedAttributeValue) (c expr.Comparison, err error) {
	values := e.AttributeValueList
	if e.Value != nil {
		values = []attr.Value{e.Value}
	}
	for _, v := range values {
		if err := v.Err(); err != nil {
			return c, validation(err)
		}
	}
	exists := e.Exists == nil || *e.Exists
	shown := "null"
	if e.Exists != nil {
		shown = "true"
	}
	switch {
	case e.AttributeValueList != nil && e.Value != nil:
		return c, invalidValue("Value and AttributeValueList cannot be used together for Attribute: %s", name)
	case e.ComparisonOperator != "" && e.Exists != nil:
		return c, invalidValue("Exists and ComparisonOperator cannot be used together for Attribute: %s", name)
	case e.ComparisonOperator != "" && e.ComparisonOperator != ddb.ComparisonOperatorNull && e.ComparisonOperator != ddb.ComparisonOperatorNotNull && values == nil:
		return c, invalidValue("Value or AttributeValueList must be used with ComparisonOperator: %s for Attribute: %s", e.ComparisonOperator, name)
	case e.ComparisonOperator != "":
		c = expr.Comparison{Operator: e.ComparisonOperator, Values: values}
	case e.AttributeValueList != nil:
		return c, invalidValue("AttributeValueList can only be used with a ComparisonOperator for Attribute: %s", name)
	case exists && e.Value == nil:
		return c, invalidValue("Value must be provided when Exists is %s for Attribute: %s", shown, name)
	case !exists && e.Value != nil:
		return c, invalidValue("Value cannot be used when Exists is false for Attribute: %s", name)
	case exists:
		c = expr.Comparison{Operator: ddb.ComparisonOperatorEq, Values: values}
	default:
		c = expr.Comparison{Operator: ddb.ComparisonOperatorNull}
	}
	return c, validation(c.Check())
}

// comparisons checks the elements of a filter or of KeyConditions.
func comparisons(conditions map[string]ddb.Condition) (map[string]expr.Comparison, error) {
	out := make(map[string]expr.Comparison, len(conditions))
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		c := expr.Comparison{Operator: conditions[name].ComparisonOperator, Values: conditions[name].AttributeValueList}
		for _, v := range c.Values {
			if err := v.Err(); err != nil {
				return nil, validation(err)
			}
		}
		if err := c.Check(); err != nil {
			return nil, validation(err)
		}
		out[name] = c
	}
	return out, nil
}

// legacyFilter returns the condition of QueryFilter or ScanFilter, or nil.
func legacyFilter(conditions map[string]ddb.Condition, operator string) (*expr.Condition, error) {
	byAttribute, err := comparisons(conditions)
	if err != nil {
		return nil, err
	}
	if err := checkOperator(operator, len(conditions)); err != nil || len(conditions) == 0 {
		return nil, err
	}
	return expr.NewCondition(byAttribute, operator == ddb.ConditionalOperatorOr), nil
}

// keyTests returns what checked KeyConditions ask for.
func keyTests(byAttribute map[string]expr.Comparison) ([]expr.KeyTest, error) {
	if len(byAttribute) == 0 {
		return nil, invalid("Conditions can be of length 1 or 2 only")
	}
	var tests []expr.KeyTest
	for _, name := range slices.Sorted(maps.Keys(byAttribute)) {
		t, err := byAttribute[name].KeyTest(name)
		if err != nil {
			return nil, validation(err)
		}
		tests = append(tests, t)
	}
	return tests, nil
}

// legacyUpdate returns the update of AttributeUpdates, or nil.
func legacyUpdate(updates map[string]ddb.AttributeValueUpdate) (*expr.Update, error) {
	if updates == nil {
		return nil, nil
	}
	byAttribute := make(map[string]expr.Change, len(updates))
	for _, name := range slices.Sorted(maps.Keys(updates)) {
		u := updates[name]
		if err := u.Value.Err(); err != nil {
			return nil, validation(err)
		}
		c := expr.Change{Action: u.Action, Value: u.Value}
		if err := c.Check(); err != nil {
			return nil, validation(err)
		}
		byAttribute[name] = c
	}
	return expr.NewUpdate(byAttribute), nil
}

// attributesToGet returns the projection of AttributesToGet, or nil.
func attributesToGet(names []string) (*expr.Projection, error) {
	if names == nil {
		return nil, nil
	}
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			return nil, invalidValue("Duplicate value in attribute name: %s", name)
		}
		seen[name] = true
	}
	return expr.NewProjection(names), nil
}
