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
		"CreateBackup":   onTableOf(s, "dynamodb:CreateBackup", func(in *ddb.CreateBackupInput) string { return in.TableName }),
		"DeleteBackup":   service.On("dynamodb:DeleteBackup", func(_ context.Context, in *ddb.DeleteBackupInput) string { return in.BackupArn }),
		"DescribeBackup": service.On("dynamodb:DescribeBackup", func(_ context.Context, in *ddb.DescribeBackupInput) string { return in.BackupArn }),
		"CreateGlobalTable": service.OnAll("dynamodb:CreateGlobalTable", func(ctx context.Context, in *ddb.CreateGlobalTableInput) ([]service.Target, error) {
			return s.onGlobal(ctx, in.GlobalTableName)
		}),
		"DescribeGlobalTable": service.On("dynamodb:DescribeGlobalTable", func(ctx context.Context, in *ddb.DescribeGlobalTableInput) string {
			return globalTableARN(placeOf(ctx), in.GlobalTableName)
		}),
		"DescribeGlobalTableSettings": service.On("dynamodb:DescribeGlobalTableSettings", func(ctx context.Context, in *ddb.DescribeGlobalTableSettingsInput) string {
			return globalTableARN(placeOf(ctx), in.GlobalTableName)
		}),
		"ListGlobalTables": service.OnAny("dynamodb:ListGlobalTables"),
		"UpdateGlobalTable": service.OnAll("dynamodb:UpdateGlobalTable", func(ctx context.Context, in *ddb.UpdateGlobalTableInput) ([]service.Target, error) {
			return s.onGlobal(ctx, in.GlobalTableName)
		}),
		"UpdateGlobalTableSettings": service.OnAll("dynamodb:UpdateGlobalTableSettings", func(ctx context.Context, in *ddb.UpdateGlobalTableSettingsInput) ([]service.Target, error) {
			return s.onGlobal(ctx, in.GlobalTableName)
		}),
		"DescribeTableReplicaAutoScaling":     onTableOf(s, "dynamodb:DescribeTableReplicaAutoScaling", func(in *ddb.DescribeTableReplicaAutoScalingInput) string { return in.TableName }),
		"DescribeKinesisStreamingDestination": onTableOf(s, "dynamodb:DescribeKinesisStreamingDestination", func(in *ddb.DescribeKinesisStreamingDestinationInput) string { return in.TableName }),
		"DisableKinesisStreamingDestination":  onTableOf(s, "dynamodb:DisableKinesisStreamingDestination", func(in *ddb.DisableKinesisStreamingDestinationInput) string { return in.TableName }),
		"EnableKinesisStreamingDestination":   onTableOf(s, "dynamodb:EnableKinesisStreamingDestination", func(in *ddb.EnableKinesisStreamingDestinationInput) string { return in.TableName }),
		"UpdateKinesisStreamingDestination":   onTableOf(s, "dynamodb:UpdateKinesisStreamingDestination", func(in *ddb.UpdateKinesisStreamingDestinationInput) string { return in.TableName }),
		"ListBackups":                         service.OnAny("dynamodb:ListBackups"),
		"DescribeExport":                      service.On("dynamodb:DescribeExport", func(_ context.Context, in *ddb.DescribeExportInput) string { return in.ExportArn }),
		"DescribeImport":                      service.On("dynamodb:DescribeImport", func(_ context.Context, in *ddb.DescribeImportInput) string { return in.ImportArn }),
		"ExportTableToPointInTime":            onTableOf(s, "dynamodb:ExportTableToPointInTime", func(in *ddb.ExportTableToPointInTimeInput) string { return in.TableArn }),
		"ImportTable":                         onTableOf(s, "dynamodb:ImportTable", func(in *ddb.ImportTableInput) string { return in.TableCreationParameters.TableName }),
		"DescribeContributorInsights":         onTableOf(s, "dynamodb:DescribeContributorInsights", func(in *ddb.DescribeContributorInsightsInput) string { return in.TableName }),
		"ListContributorInsights":             service.OnAny("dynamodb:ListContributorInsights"),
		"UpdateContributorInsights":           onTableOf(s, "dynamodb:UpdateContributorInsights", func(in *ddb.UpdateContributorInsightsInput) string { return in.TableName }),
		"ListExports":                         service.OnAny("dynamodb:ListExports"),
		"ListImports":                         service.OnAny("dynamodb:ListImports"),
		"RestoreTableFromBackup": service.OnAll("dynamodb:RestoreTableFromBackup", func(ctx context.Context, in *ddb.RestoreTableFromBackupInput) ([]service.Target, error) {
			targets, err := s.onTable(ctx, in.TargetTableName)
			return append(targets, service.Target{ARN: in.BackupArn}), err
		}),
		"RestoreTableToPointInTime": service.OnAll("dynamodb:RestoreTableToPointInTime", func(ctx context.Context, in *ddb.RestoreTableToPointInTimeInput) ([]service.Target, error) {
			source := deref(in.SourceTableName)
			if in.SourceTableArn != nil {
				source = *in.SourceTableArn
			}
			targets, err := s.onTable(ctx, in.TargetTableName)
			if err != nil {
				return nil, err
			}
			from, err := s.onTable(ctx, source)
			return append(targets, from...), err
		}),
		"UpdateContinuousBackups": onTableOf(s, "dynamodb:UpdateContinuousBackups", func(in *ddb.UpdateContinuousBackupsInput) string { return in.TableName }),
		"DeleteResourcePolicy": service.OnAll("dynamodb:DeleteResourcePolicy", func(ctx context.Context, in *ddb.DeleteResourcePolicyInput) ([]service.Target, error) {
			return s.onResource(ctx, in.ResourceArn)
		}),
		"GetResourcePolicy": service.OnAll("dynamodb:GetResourcePolicy", func(ctx context.Context, in *ddb.GetResourcePolicyInput) ([]service.Target, error) {
			return s.onResource(ctx, in.ResourceArn)
		}),
		"PutResourcePolicy": service.OnAll("dynamodb:PutResourcePolicy", func(ctx context.Context, in *ddb.PutResourcePolicyInput) ([]service.Target, error) {
			return s.onResource(ctx, in.ResourceArn)
		}),
		"BatchExecuteStatement": {Open: true}, // each statement is decided for itself, where it is run
		"ExecuteStatement":      service.OnAll("dynamodb:PartiQLSelect", s.executeTargets),
		"ExecuteTransaction":    service.OnAll("dynamodb:PartiQLSelect", s.executeTransactionTargets),
		"BatchGetItem":          service.OnAll("dynamodb:BatchGetItem", s.batchGetTargets),
		"BatchWriteItem":        service.OnAll("dynamodb:BatchWriteItem", s.batchWriteTargets),
		"CreateTable": service.OnAll("dynamodb:CreateTable", func(ctx context.Context, in *ddb.CreateTableInput) ([]service.Target, error) {
			targets, err := s.onTable(ctx, in.TableName)
			if err != nil {
				return nil, err
			}
			if in.ResourcePolicy != nil {
				targets = append(targets, service.Target{Action: "dynamodb:PutResourcePolicy", ARN: targets[0].ARN})
			}
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
		"DeleteTable":               onTableOf(s, "dynamodb:DeleteTable", func(in *ddb.DeleteTableInput) string { return in.TableName }),
		"DescribeContinuousBackups": onTableOf(s, "dynamodb:DescribeContinuousBackups", func(in *ddb.DescribeContinuousBackupsInput) string { return in.TableName }),
		"DescribeEndpoints":         service.OnAny("dynamodb:DescribeEndpoints"),
		"DescribeLimits":            service.OnAny("dynamodb:DescribeLimits"),
		"DescribeTable":             onTableOf(s, "dynamodb:DescribeTable", func(in *ddb.DescribeTableInput) string { return in.TableName }),
		"DescribeTimeToLive":        onTableOf(s, "dynamodb:DescribeTimeToLive", func(in *ddb.DescribeTimeToLiveInput) string { return in.TableName }),
		"GetItem": service.OnAll("dynamodb:GetItem", func(ctx context.Context, in *ddb.GetItemInput) ([]service.Target, error) {
			f := facts{keys: []attr.Map{in.Key}, names: in.ExpressionAttributeNames, sources: []*string{in.ProjectionExpression}, capacity: in.ReturnConsumedCapacity}
			f.attributes, f.selects = in.AttributesToGet, selectOf("", in.ProjectionExpression, in.AttributesToGet)
			return s.onItems(ctx, in.TableName, "", f)
		}),
		"ListTables":         service.OnAny("dynamodb:ListTables"),
		"ListTagsOfResource": onTableOf(s, "dynamodb:ListTagsOfResource", func(in *ddb.ListTagsOfResourceInput) string { return in.ResourceArn }),
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
		"TagResource":        onTableOf(s, "dynamodb:TagResource", func(in *ddb.TagResourceInput) string { return in.ResourceArn }),
		"TransactGetItems":   service.OnAll("dynamodb:GetItem", s.transactGetTargets),
		"TransactWriteItems": service.OnAll("dynamodb:PutItem", s.transactWriteTargets),
		"UntagResource":      onTableOf(s, "dynamodb:UntagResource", func(in *ddb.UntagResourceInput) string { return in.ResourceArn }),
		"UpdateItem": service.OnAll("dynamodb:UpdateItem", func(ctx context.Context, in *ddb.UpdateItemInput) ([]service.Target, error) {
			f := facts{
				keys: []attr.Map{in.Key}, names: in.ExpressionAttributeNames, sources: []*string{in.UpdateExpression, in.ConditionExpression},
				returns: in.ReturnValues, capacity: in.ReturnConsumedCapacity, attributes: append(keysOf(in.Expected), keysOf(in.AttributeUpdates)...),
			}
			return s.onItems(ctx, in.TableName, "", f)
		}),
		"UpdateTable": service.OnAll("dynamodb:UpdateTable", func(ctx context.Context, in *ddb.UpdateTableInput) ([]service.Target, error) {
			targets, err := s.onTable(ctx, in.TableName)
			for _, u := range in.ReplicaUpdates {
				if u.Create != nil {
					targets = append(targets, service.Target{Action: "dynamodb:CreateTableReplica", ARN: targets[0].ARN})
				}
				if u.Delete != nil {
					targets = append(targets, service.Target{Action: "dynamodb:DeleteTableReplica", ARN: targets[0].ARN})
				}
			}
			return targets, err
		}),
		"UpdateTimeToLive": onTableOf(s, "dynamodb:UpdateTimeToLive", func(in *ddb.UpdateTimeToLiveInput) string { return in.TableName }),
	}
}

func (s *Service) onTable(ctx context.Context, nameOrARN string) ([]service.Target, error) {
	t, _, err := s.target(ctx, nameOrARN)
	return []service.Target{t}, err
}

// onGlobal returns the targets of a change of a global table of the version 2017.11.29: itself, and the table of the request's region.
func (s *Service) onGlobal(ctx context.Context, name string) ([]service.Target, error) {
	targets, err := s.onTable(ctx, name)
	return append([]service.Target{{ARN: globalTableARN(placeOf(ctx), name)}}, targets...), err
}

// onResource returns the target of an operation on the policy of a table or a stream.
func (s *Service) onResource(ctx context.Context, arn string) ([]service.Target, error) {
	if _, _, _, ok := parseStreamARN(arn); ok {
		return s.onStream(ctx, arn)
	}
	return s.onTable(ctx, arn)
}

// onStream returns the target of an operation on a stream.
func (s *Service) onStream(ctx context.Context, arn string) ([]service.Target, error) {
	target := service.Target{ARN: arn}
	err := s.store.View(ctx, func(r store.Reader) error {
		sr, err := findStream(r, placeOf(ctx), arn)
		if err == nil {
			target.Policy = sr.Policy.text()
		}
		return err
	})
	if service.Code(err) == codeNotFound || service.Code(err) == codeValidation {
		err = nil // the operation says so
	}
	return []service.Target{target}, err
}

func onTableOf[In any](s *Service, action string, name func(in In) string) service.Access {
	return service.OnAll(action, func(ctx context.Context, in In) ([]service.Target, error) { return s.onTable(ctx, name(in)) })
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
	t, table, err := s.target(ctx, nameOrARN)
	if err != nil {
		return nil, err
	}
	t.Condition = map[string][]string{}
	if index != "" {
		t.ARN += "/index/" + index
	}
	if table != nil {
		for _, k := range f.keys {
			f.hashes = append(f.hashes, k.Get(table.keys.hash[0].name))
		}
	}
	for _, v := range f.hashes {
		if v != nil {
			t.Condition[conditionKeys] = append(t.Condition[conditionKeys], leadingKey(v))
		}
	}
	s.addConditions(t.Condition, &f)
	return []service.Target{t}, nil
}

// addConditions adds the condition keys of f that do not depend on the table.
func (s *Service) addConditions(c map[string][]string, f *facts) {
	attrs := slices.Clone(f.attributes)
	for _, k := range f.keys {
		for name := range k.All() {
			attrs = append(attrs, string(name))
		}
	}
	for _, src := range f.sources {
		if src != nil {
			attrs = append(attrs, s.exprs.Attributes(*src, f.names)...)
		}
	}
	if len(attrs) > 0 {
		slices.Sort(attrs)
		c[conditionAttrs] = slices.Compact(attrs)
	}
	set := func(key, v string) {
		if v != "" {
			c[key] = []string{v}
		}
	}
	set(conditionSelect, f.selects)
	set(conditionReturn, f.returns)
	set(conditionCapacity, f.capacity)
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

// target returns the table as something to get permission for: its ARN, owner and policy.
func (s *Service) target(ctx context.Context, nameOrARN string) (service.Target, *table, error) {
	p := placeOf(ctx)
	t, err := s.knownTable(ctx, p, nameOrARN)
	if err != nil {
		return service.Target{}, nil, err
	}
	owner, name, ok := p.of(nameOrARN)
	if !ok {
		return service.Target{ARN: nameOrARN}, nil, nil
	}
	target := service.Target{ARN: tableARN(owner, name)}
	if owner != p {
		target.Owner = owner.account
	}
	if t == nil {
		return target, nil, nil
	}
	target.Policy = t.Policy.text()
	for _, region := range t.Replicas { // a write needs them too
		if _, err := s.knownTable(ctx, t.place.in(region), t.Name); err != nil {
			return target, t, err
		}
	}
	return target, t, nil
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
	if _, tests, err := s.parseQuery(in); err == nil && table != nil {
		src := source{table: table}
		if in.IndexName != nil {
			src.index = table.index(*in.IndexName)
		}
		for _, a := range src.schema().hash {
			for _, t := range tests {
				if t.Name == a.name {
					f.hashes = append(f.hashes, t.Low)
				}
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
	hash := src.schema().hash
	if len(hash) > 1 {
		return nil
	}
	for _, c := range stmt.Where.Conjuncts() {
		if test, ok := c.KeyTest(); ok && test.Op == expr.KeyEqual && test.Name == hash[0].name {
			return []attr.Value{test.Low}
		}
		if name, values, ok := c.Choices(); ok && name == hash[0].name {
			return values
		}
	}
	return nil
}
