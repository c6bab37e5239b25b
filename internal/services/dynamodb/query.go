package dynamodb

import (
	"context"
	"strings"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (s *Service) query(ctx context.Context, in *ddb.QueryInput) (*ddb.QueryOutput, error) {
	q, tests, err := s.parseQuery(in)
	if err != nil {
		return nil, err
	}
	var out page
	t, err := s.readTable(ctx, placeOf(ctx), in.TableName)
	if err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(r store.Reader) error {
		src, err := q.open(t)
		if err != nil {
			return err
		}
		if err := t.checkProjection(q.projection); err != nil {
			return err
		}
		if q.keyErr != nil {
			return q.keyErr
		}
		span, err := src.keySpan(tests)
		if err != nil {
			return err
		}
		if err := src.checkFilter(q.filter, q.legacyFilter); err != nil {
			return err
		}
		span.Reverse = in.ScanIndexForward != nil && !*in.ScanIndexForward
		if q.startKey != nil {
			if err := src.checkQueryStart(q.startKey, tests); err != nil {
				return err
			}
			span = src.after(span, q.startKey)
		}
		if err := s.admitRead(src); err != nil {
			return err
		}
		q.seen = s.seer(src, q.consistent)
		if out, err = q.run(r, src, span); err == nil {
			s.spend(t, q.units(src, out.size, out.fetched), false)
		}
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.QueryOutput{Items: out.items, Count: &out.count, ScannedCount: &out.scanned, LastEvaluatedKey: out.lastKey, ConsumedCapacity: out.capacity}, nil
}

// parseQuery checks what can be checked without the table.
func (s *Service) parseQuery(in *ddb.QueryInput) (*reading, []expr.KeyTest, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, nil, err
	}
	if in.Limit != nil && *in.Limit < 1 {
		return nil, nil, violated("", "Limit", "Member must have value greater than or equal to 1")
	}
	switch in.Select {
	case "", ddb.SelectSpecificAttributes, ddb.SelectCount, ddb.SelectAllAttributes, ddb.SelectAllProjectedAttributes:
	default:
		return nil, nil, violated("'"+in.Select+"'", "select", "Member must satisfy enum value set: [SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]")
	}
	err := checkParameters(
		[]expression{{"ProjectionExpression", in.ProjectionExpression}, {"FilterExpression", in.FilterExpression}, {"KeyConditionExpression", in.KeyConditionExpression}},
		[]legacy{
			{"AttributesToGet", in.AttributesToGet != nil},
			{"QueryFilter", in.QueryFilter != nil},
			{"ConditionalOperator", in.ConditionalOperator != ""},
			{"KeyConditions", in.KeyConditions != nil && in.KeyConditionExpression != nil},
		}, in.ExpressionAttributeNames != nil, in.ExpressionAttributeValues != nil)
	if err != nil {
		return nil, nil, err
	}
	q := &reading{
		table: in.TableName, indexName: deref(in.IndexName), selectMode: in.Select, limit: int(deref(in.Limit)), consistent: isTrue(in.ConsistentRead),
		startKey: in.ExclusiveStartKey, capacity: in.ReturnConsumedCapacity,
	}
	p, err := expr.NewPlaceholders(in.ExpressionAttributeNames, in.ExpressionAttributeValues)
	if err != nil {
		return nil, nil, validation(err)
	}
	keys, err := s.condition("KeyConditionExpression", in.KeyConditionExpression, p)
	if err != nil {
		return nil, nil, err
	}
	if err := s.parseReading(q, in.FilterExpression, in.ProjectionExpression, p); err != nil {
		return nil, nil, err
	}
	if err := q.parseLegacy(in.AttributesToGet, in.QueryFilter, in.ConditionalOperator); err != nil {
		return nil, nil, err
	}
	if keys == nil && in.KeyConditions == nil {
		return nil, nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	if keys == nil {
		byAttribute, err := comparisons(in.KeyConditions)
		if err != nil {
			return nil, nil, err
		}
		var tests []expr.KeyTest
		tests, q.keyErr = keyTests(byAttribute)
		return q, tests, q.checkSelect()
	}
	tests, err := keys.KeyTests(make([]expr.KeyTest, 0, 2))
	if err != nil {
		return nil, nil, validation(err)
	}
	return q, tests, q.checkSelect()
}

// parseLegacy takes what stands in the place of filter and projection in requests without expressions.
func (rd *reading) parseLegacy(attributes []string, filter map[string]ddb.Condition, operator string) error {
	pr, err := attributesToGet(attributes)
	if err != nil {
		return err
	}
	c, err := legacyFilter(filter, operator)
	if err != nil {
		return err
	}
	if pr != nil {
		rd.projection, rd.legacyProjection = pr, true
	}
	if c != nil {
		rd.filter, rd.legacyFilter = c, true
	}
	return nil
}

// parseReading parses filter and projection, the last expressions of a request.
func (s *Service) parseReading(rd *reading, filter, projected *string, p *expr.Placeholders) (err error) {
	if rd.filter, err = s.condition("FilterExpression", filter, p); err != nil {
		return err
	}
	if rd.projection, err = s.projection(projected, p); err != nil {
		return err
	}
	return validation(p.Unused())
}

// keySpan returns the keys that the conditions of a query select.
func (src source) keySpan(tests []expr.KeyTest) (store.Span, error) {
	ks := src.schema()
	if len(tests) > max(len(ks.all), 2) {
		return store.Span{}, invalid("Conditions can be of length 1 or 2 only")
	}
	var values []attr.Value
	for _, a := range ks.hash {
		t, err := testOf(tests, a)
		if err != nil {
			return store.Span{}, err
		}
		if t.Op != expr.KeyEqual {
			return store.Span{}, invalid(msgKeyCondition)
		}
		values = append(values, t.Low)
	}
	prefix := src.prefix().Raw(appendHash(nil, values...))
	left := len(tests) - len(ks.hash)
	if left > len(ks.sort) {
		return store.Span{}, invalid(msgKeyCondition)
	}
	if err := checkPrefix(ks.sort, tests); err != nil {
		return store.Span{}, err
	}
	for _, a := range ks.sort[:left] {
		t, err := testOf(tests, a)
		if err != nil {
			return store.Span{}, err
		}
		if left--; left == 0 {
			return sortSpan(prefix, t), nil
		}
		if t.Op != expr.KeyEqual { // only the last condition may be a range
			return store.Span{}, invalid(msgKeyCondition)
		}
		prefix = prefix.Raw(attr.AppendSortKey(nil, t.Low))
	}
	return prefix.Span(), nil
}

// checkPrefix checks the conditions on several sort attributes: only the last of them that has one may have a range, and all before it an equality.
func checkPrefix(sort []keyAttr, tests []expr.KeyTest) error {
	if len(sort) < 2 {
		return nil
	}
	last := -1
	test := make([]*expr.KeyTest, len(sort))
	for i, a := range sort {
		for j := range tests {
			if tests[j].Name == a.name {
				test[i], last = &tests[j], i
			}
		}
	}
	var missing []string
	for i := range max(last, 0) {
		if test[i] == nil || test[i].Op != expr.KeyEqual {
			missing = append(missing, sort[i].name)
		}
	}
	if missing != nil {
		return invalid("RANGE key attributes %s must have equality conditions specified in the query because a condition is present on key attribute %s",
			strings.Join(missing, ", "), sort[last].name)
	}
	return nil
}

const msgKeyCondition = "Query key condition not supported"

// testOf returns the checked test of a key attribute, which must be there.
func testOf(tests []expr.KeyTest, a keyAttr) (expr.KeyTest, error) {
	for _, t := range tests {
		if t.Name == a.name {
			return t, checkTest(t, a)
		}
	}
	return expr.KeyTest{}, invalid("Query condition missed key schema element: %s", a.name)
}

// checkTest checks the operands of a key condition against the type of the key.
func checkTest(t expr.KeyTest, a keyAttr) error {
	for _, v := range []attr.Value{t.Low, t.High} {
		if v == nil {
			continue
		}
		if v.Type() != a.typ {
			return invalidValue("Condition parameter type does not match schema type")
		}
		if a.typ != attr.N && v.Len() == 0 && t.Op != expr.KeyBeginsWith {
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", emptyKind(a.typ), a.name)
		}
	}
	return nil
}

// sortSpan returns the keys under prefix whose sort key meets the condition.
func sortSpan(prefix key.Key, t expr.KeyTest) store.Span {
	span := prefix.Span()
	low := prefix.Raw(attr.AppendSortKey(nil, t.Low))
	switch t.Op {
	case expr.KeyEqual:
		return low.Span()
	case expr.KeyLess:
		span.Hi = low
	case expr.KeyLessEqual:
		span.Hi = low.End()
	case expr.KeyGreater:
		span.Lo = low.End()
	case expr.KeyGreaterEqual:
		span.Lo = low
	case expr.KeyBetween:
		span.Lo = low
		span.Hi = prefix.Raw(attr.AppendSortKey(nil, t.High)).End()
	case expr.KeyBeginsWith:
		return prefix.Raw(attr.AppendSortPrefix(nil, t.Low)).Span()
	}
	return span
}

// checkFilter refuses filters on the key by which the source is read.
func (src source) checkFilter(filter *expr.Condition, legacy bool) error {
	if filter == nil {
		return nil
	}
	for _, name := range filter.Names() {
		if src.schema().has(name) {
			parameter := "Filter Expression"
			if legacy {
				parameter = "QueryFilter"
			}
			return invalid("%s can only contain non-primary key attributes: Primary key attribute: %s", parameter, name)
		}
	}
	return src.table.checkPaths(filter.Paths())
}

// checkQueryStart checks that a start key lies in what the query selects.
func (src source) checkQueryStart(start attr.Map, tests []expr.KeyTest) error {
	if err := src.checkStart(start); err != nil {
		return err
	}
	span, err := src.keySpan(tests)
	if err != nil {
		return err
	}
	at := string(src.position(start))
	if at >= string(span.Lo) && (span.Hi == nil || at < string(span.Hi)) {
		return nil
	}
	for _, a := range src.schema().hash {
		if t, err := testOf(tests, a); err == nil && !attr.Equal(t.Low, start.Get(a.name)) {
			return invalid("The provided starting key is outside query boundaries based on provided conditions")
		}
	}
	return invalid("The provided starting key does not match the range key predicate")
}
