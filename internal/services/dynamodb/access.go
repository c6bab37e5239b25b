package dynamodb

import (
	"context"
	"maps"
	"slices"
	"strconv"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
	"lambent.dev/lambent/internal/services/dynamodb/partiql"
	"lambent.dev/lambent/internal/store"
)

// The condition keys of DynamoDB
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html).
const (
	conditionKeys     = "dynamodb:LeadingKeys"
	conditionAttrs    = "dynamodb:Attributes"
	conditionSelect   = "dynamodb:Select"
	conditionReturn   = "dynamodb:ReturnValues"
	conditionScan     = "dynamodb:FullTableScan"
	conditionCapacity = "dynamodb:ReturnConsumedCapacity"
)

// access returns what each operation needs permission for.
func (s *Service) access() map[string]service.Access {
	return map[string]service.Access{
		"BatchExecuteStatement": {Open: true}, // each statement is decided for itself, where it is run
		"ExecuteStatement":      service.OnAll("dynamodb:PartiQLSelect", s.executeTargets),
		"ExecuteTransaction":    service.OnAll("dynamodb:PartiQLSelect", s.executeTransactionTargets),
		"BatchGetItem":          service.OnAll("dynamodb:BatchGetItem", s.batchGetTargets),
		"BatchWriteItem":        service.OnAll("dynamodb:BatchWriteItem", s.batchWriteTargets),
		"CreateTable": service.OnAll("dynamodb:CreateTable", func(ctx context.Context, in *ddb.CreateTableInput) ([]service.Target, error) {
			targets := onTable(ctx, in.TableName)
			if len(in.Tags) > 0 {
				targets = append(targets, service.Target{Action: "dynamodb:TagResource", ARN: targets[0].ARN})
			}
			return targets, nil
		}),
		"DeleteItem": service.OnAll("dynamodb:DeleteItem", func(ctx context.Context, in *ddb.DeleteItemInput) ([]service.Target, error) {
			f := facts{keys: []attr.Map{in.Key}, names: in.ExpressionAttributeNames, sources: []*string{in.ConditionExpression}, returns: in.ReturnValues, capacity: in.ReturnConsumedCapacity}
			f.attributes = keysOf(in.Expected)
			return s.onItems(ctx, in.TableName, "", f)
		}),
		"DeleteTable":               onTableOf("dynamodb:DeleteTable", func(in *ddb.DeleteTableInput) string { return in.TableName }),
		"DescribeContinuousBackups": onTableOf("dynamodb:DescribeContinuousBackups", func(in *ddb.DescribeContinuousBackupsInput) string { return in.TableName }),
		"DescribeEndpoints":         service.OnAny("dynamodb:DescribeEndpoints"),
		"DescribeLimits":            service.OnAny("dynamodb:DescribeLimits"),
		"DescribeTable":             onTableOf("dynamodb:DescribeTable", func(in *ddb.DescribeTableInput) string { return in.TableName }),
		"DescribeTimeToLive":        onTableOf("dynamodb:DescribeTimeToLive", func(in *ddb.DescribeTimeToLiveInput) string { return in.TableName }),
		"GetItem": service.OnAll("dynamodb:GetItem", func(ctx context.Context, in *ddb.GetItemInput) ([]service.Target, error) {
			f := facts{keys: []attr.Map{in.Key}, names: in.ExpressionAttributeNames, sources: []*string{in.ProjectionExpression}, capacity: in.ReturnConsumedCapacity}
			f.attributes, f.selects = in.AttributesToGet, selectOf("", in.ProjectionExpression, in.AttributesToGet)
			return s.onItems(ctx, in.TableName, "", f)
		}),
		"ListTables":         service.OnAny("dynamodb:ListTables"),
		"ListTagsOfResource": onTableOf("dynamodb:ListTagsOfResource", func(in *ddb.ListTagsOfResourceInput) string { return in.ResourceArn }),
		"PutItem": service.OnAll("dynamodb:PutItem", func(ctx context.Context, in *ddb.PutItemInput) ([]service.Target, error) {
			f := facts{keys: []attr.Map{in.Item}, names: in.ExpressionAttributeNames, sources: []*string{in.ConditionExpression}, returns: in.ReturnValues, capacity: in.ReturnConsumedCapacity}
			f.attributes = keysOf(in.Expected)
			return s.onItems(ctx, in.TableName, "", f)
		}),
		"Query": service.OnAll("dynamodb:Query", s.queryTargets),
		"Scan": service.OnAll("dynamodb:Scan", func(ctx context.Context, in *ddb.ScanInput) ([]service.Target, error) {
			f := facts{
				names: in.ExpressionAttributeNames, sources: []*string{in.ProjectionExpression, in.FilterExpression}, capacity: in.ReturnConsumedCapacity,
				selects: selectOf(in.Select, in.ProjectionExpression, in.AttributesToGet), attributes: append(keysOf(in.ScanFilter), in.AttributesToGet...),
			}
			return s.onItems(ctx, in.TableName, deref(in.IndexName), f)
		}),
		"TagResource":        onTableOf("dynamodb:TagResource", func(in *ddb.TagResourceInput) string { return in.ResourceArn }),
		"TransactGetItems":   service.OnAll("dynamodb:GetItem", s.transactGetTargets),
		"TransactWriteItems": service.OnAll("dynamodb:PutItem", s.transactWriteTargets),
		"UntagResource":      onTableOf("dynamodb:UntagResource", func(in *ddb.UntagResourceInput) string { return in.ResourceArn }),
		"UpdateItem": service.OnAll("dynamodb:UpdateItem", func(ctx context.Context, in *ddb.UpdateItemInput) ([]service.Target, error) {
			f := facts{
				keys: []attr.Map{in.Key}, names: in.ExpressionAttributeNames, sources: []*string{in.UpdateExpression, in.ConditionExpression},
				returns: in.ReturnValues, capacity: in.ReturnConsumedCapacity, attributes: append(keysOf(in.Expected), keysOf(in.AttributeUpdates)...),
			}
			return s.onItems(ctx, in.TableName, "", f)
		}),
		"UpdateTable":      onTableOf("dynamodb:UpdateTable", func(in *ddb.UpdateTableInput) string { return in.TableName }),
		"UpdateTimeToLive": onTableOf("dynamodb:UpdateTimeToLive", func(in *ddb.UpdateTimeToLiveInput) string { return in.TableName }),
	}
}

func onTable(ctx context.Context, nameOrARN string) []service.Target {
	return []service.Target{{ARN: tableARN(placeOf(ctx), tableName(nameOrARN))}}
}

func onTableOf[In any](action string, name func(in *In) string) service.Access {
	return service.OnAll(action, func(ctx context.Context, in *In) ([]service.Target, error) { return onTable(ctx, name(in)), nil })
}

// facts are what the condition keys of a request on items are made from.
type facts struct {
	keys                       []attr.Map // items or keys
	hashes                     []attr.Value
	attributes                 []string // named by parameters of the time before expressions
	names                      map[string]string
	sources                    []*string
	selects, returns, capacity string
}

// onItems returns the target of a request on the items of a table or an index.
func (s *Service) onItems(ctx context.Context, nameOrARN, index string, f facts) ([]service.Target, error) {
	p := placeOf(ctx)
	t := service.Target{ARN: tableARN(p, tableName(nameOrARN)), Condition: map[string][]string{}}
	if index != "" {
		t.ARN += "/index/" + index
	}
	if len(f.keys) > 0 {
		table, err := s.knownTable(ctx, p, nameOrARN)
		if err != nil {
			return nil, err
		}
		if table != nil {
			for _, k := range f.keys {
				f.hashes = append(f.hashes, k.Get(table.hash.name))
			}
		}
	}
	for _, v := range f.hashes {
		if v != nil {
			t.Condition[conditionKeys] = append(t.Condition[conditionKeys], leadingKey(v))
		}
	}
	f.conditions(t.Condition)
	return []service.Target{t}, nil
}

// conditions adds the condition keys that do not depend on the table.
func (f *facts) conditions(c map[string][]string) {
	attrs := map[string]bool{}
	for _, name := range f.attributes {
		attrs[name] = true
	}
	for _, k := range f.keys {
		for name := range k.All() {
			attrs[string(name)] = true
		}
	}
	for _, src := range f.sources {
		if src != nil {
			for _, name := range expr.Attributes(*src, f.names) {
				attrs[name] = true
			}
		}
	}
	if len(attrs) > 0 {
		c[conditionAttrs] = slices.Sorted(maps.Keys(attrs))
	}
	for key, v := range map[string]string{conditionSelect: f.selects, conditionReturn: f.returns, conditionCapacity: f.capacity} {
		if v != "" {
			c[key] = []string{v}
		}
	}
}

// leadingKey returns a partition key as policies write it.
func leadingKey(v attr.Value) string {
	if v.Type() == attr.B {
		return string(v.Bytes())
	}
	return v.Text()
}

// keysOf returns the attributes that are the keys of a parameter.
func keysOf[V any](m map[string]V) []string { return slices.Collect(maps.Keys(m)) }

func selectOf(mode string, projection *string, attributes []string) string {
	switch {
	case mode != "":
		return mode
	case projection != nil || attributes != nil:
		return ddb.SelectSpecificAttributes
	}
	return ddb.SelectAllAttributes
}

// knownTable returns a table for what a decision about permissions needs of it, the names of its keys. These change only with another table
// of the name: the one that is kept in memory is right, and is dropped when this process deletes the table.
func (s *Service) knownTable(ctx context.Context, p place, nameOrARN string) (*table, error) {
	if t := s.tables.known(p.table(tableName(nameOrARN))); t != nil {
		return t, nil
	}
	return s.peekTable(ctx, p, nameOrARN)
}

// peekTable returns a table, or nil.
func (s *Service) peekTable(ctx context.Context, p place, nameOrARN string) (t *table, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		t, err = s.findTable(r, p, nameOrARN)
		return err
	})
	return t, err
}

func (s *Service) queryTargets(ctx context.Context, in *ddb.QueryInput) ([]service.Target, error) {
	f := facts{
		names: in.ExpressionAttributeNames, sources: []*string{in.ProjectionExpression, in.FilterExpression, in.KeyConditionExpression},
		capacity: in.ReturnConsumedCapacity, selects: selectOf(in.Select, in.ProjectionExpression, in.AttributesToGet),
		attributes: slices.Concat(keysOf(in.KeyConditions), keysOf(in.QueryFilter), in.AttributesToGet),
	}
	table, err := s.knownTable(ctx, placeOf(ctx), in.TableName)
	if err != nil {
		return nil, err
	}
	if _, tests, err := parseQuery(in); err == nil && table != nil {
		src := source{table: table}
		if in.IndexName != nil {
			src.index = table.index(*in.IndexName)
		}
		hash, _ := src.keys()
		for _, t := range tests {
			if t.Name == hash.name {
				f.hashes = append(f.hashes, t.Low)
			}
		}
	}
	return s.onItems(ctx, in.TableName, deref(in.IndexName), f)
}

func (s *Service) batchGetTargets(ctx context.Context, in *ddb.BatchGetItemInput) (targets []service.Target, err error) {
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		req := in.RequestItems[name]
		f := facts{
			keys: req.Keys, names: req.ExpressionAttributeNames, sources: []*string{req.ProjectionExpression},
			selects: selectOf("", req.ProjectionExpression, req.AttributesToGet), attributes: req.AttributesToGet, capacity: in.ReturnConsumedCapacity,
		}
		t, err := s.onItems(ctx, name, "", f)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t...)
	}
	return targets, nil
}

func (s *Service) batchWriteTargets(ctx context.Context, in *ddb.BatchWriteItemInput) (targets []service.Target, err error) {
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		f := facts{capacity: in.ReturnConsumedCapacity}
		for _, w := range in.RequestItems[name] {
			if w.PutRequest != nil {
				f.keys = append(f.keys, w.PutRequest.Item)
			}
			if w.DeleteRequest != nil {
				f.keys = append(f.keys, w.DeleteRequest.Key)
			}
		}
		t, err := s.onItems(ctx, name, "", f)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t...)
	}
	return targets, nil
}

func (s *Service) transactGetTargets(ctx context.Context, in *ddb.TransactGetItemsInput) (targets []service.Target, err error) {
	for _, item := range in.TransactItems {
		if item.Get == nil {
			continue // refused by the operation
		}
		g := item.Get
		f := facts{keys: []attr.Map{g.Key}, names: g.ExpressionAttributeNames, sources: []*string{g.ProjectionExpression}, selects: selectOf("", g.ProjectionExpression, nil), capacity: in.ReturnConsumedCapacity}
		t, err := s.onItems(ctx, g.TableName, "", f)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t...)
	}
	return targets, nil
}

func (s *Service) transactWriteTargets(ctx context.Context, in *ddb.TransactWriteItemsInput) (targets []service.Target, err error) {
	add := func(action, table string, f facts) error {
		f.capacity = in.ReturnConsumedCapacity
		t, err := s.onItems(ctx, table, "", f)
		if err != nil {
			return err
		}
		t[0].Action = action
		targets = append(targets, t...)
		return nil
	}
	for _, item := range in.TransactItems {
		if a := item.Put; a != nil {
			err = add("dynamodb:PutItem", a.TableName, facts{keys: []attr.Map{a.Item}, names: a.ExpressionAttributeNames, sources: []*string{a.ConditionExpression}})
		}
		if a := item.Update; a != nil && err == nil {
			err = add("dynamodb:UpdateItem", a.TableName, facts{keys: []attr.Map{a.Key}, names: a.ExpressionAttributeNames, sources: []*string{a.ConditionExpression, &a.UpdateExpression}})
		}
		if a := item.Delete; a != nil && err == nil {
			err = add("dynamodb:DeleteItem", a.TableName, facts{keys: []attr.Map{a.Key}, names: a.ExpressionAttributeNames, sources: []*string{a.ConditionExpression}})
		}
		if a := item.ConditionCheck; a != nil && err == nil {
			err = add("dynamodb:ConditionCheckItem", a.TableName, facts{keys: []attr.Map{a.Key}, names: a.ExpressionAttributeNames, sources: []*string{&a.ConditionExpression}})
		}
		if err != nil {
			return nil, err
		}
	}
	return targets, nil
}

func (s *Service) executeTargets(ctx context.Context, in *ddb.ExecuteStatementInput) ([]service.Target, error) {
	stmt, err := parseStatement(in.Statement, in.Parameters)
	if err != nil {
		return nil, err
	}
	return s.statementTargets(ctx, stmt)
}

func (s *Service) executeTransactionTargets(ctx context.Context, in *ddb.ExecuteTransactionInput) (targets []service.Target, err error) {
	for _, st := range in.TransactStatements {
		stmt, err := parseStatement(st.Statement, st.Parameters)
		if err != nil {
			return nil, err
		}
		t, err := s.statementTargets(ctx, stmt)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t...)
	}
	return targets, nil
}

// statementTargets returns what a PartiQL statement needs permission for.
func (s *Service) statementTargets(ctx context.Context, stmt *partiql.Statement) ([]service.Target, error) {
	f := facts{}
	action := "dynamodb:PartiQLSelect"
	switch stmt.Kind {
	case partiql.Insert:
		action, f.keys = "dynamodb:PartiQLInsert", []attr.Map{stmt.Item}
	case partiql.Update:
		action, f.attributes = "dynamodb:PartiQLUpdate", stmt.Changes.Names()
	case partiql.Delete:
		action = "dynamodb:PartiQLDelete"
	default:
		f.selects = ddb.SelectAllAttributes
		if stmt.Columns != nil {
			f.selects = ddb.SelectSpecificAttributes
		}
		for _, path := range stmt.Columns {
			f.attributes = append(f.attributes, path[0].Name)
		}
	}
	t, err := s.knownTable(ctx, placeOf(ctx), stmt.Table)
	if err != nil {
		return nil, err
	}
	if stmt.Where != nil {
		f.attributes = append(f.attributes, stmt.Where.Names()...)
	}
	if t != nil {
		f.hashes = t.partitions(stmt)
	}
	targets, err := s.onItems(ctx, stmt.Table, stmt.Index, f)
	if err != nil {
		return nil, err
	}
	targets[0].Action = action
	if stmt.Kind == partiql.Select {
		targets[0].Condition[conditionScan] = []string{strconv.FormatBool(f.hashes == nil)}
	}
	return targets, nil
}

// partitions returns the partition keys that the condition of a statement limits it to; nil means all.
func (t *table) partitions(stmt *partiql.Statement) []attr.Value {
	src := source{table: t}
	if stmt.Index != "" {
		if src.index = t.index(stmt.Index); src.index == nil {
			return nil
		}
	}
	hash, _ := src.keys()
	for _, c := range stmt.Where.Conjuncts() {
		if test, ok := c.KeyTest(); ok && test.Op == expr.KeyEqual && test.Name == hash.name {
			return []attr.Value{test.Low}
		}
		if name, values, ok := c.Choices(); ok && name == hash.name {
			return values
		}
	}
	return nil
}
