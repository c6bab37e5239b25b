package dynamodb

import (
	"context"
	"errors"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/dynamodb/partiql"
	"lambent.dev/lambent/internal/store"
)

// batchExecuteStatement runs statements one by one: each answers for itself, also for its permission.
func (s *Service) batchExecuteStatement(ctx context.Context, in *ddb.BatchExecuteStatementInput) (*ddb.BatchExecuteStatementOutput, error) {
	statements := make([]*partiql.Statement, len(in.Statements))
	failures := make([]error, len(in.Statements))
	reads := 0
	for i, st := range in.Statements {
		if statements[i], failures[i] = parseStatement(st.Statement, st.Parameters); failures[i] == nil && statements[i].Kind == partiql.Select {
			reads++
		}
	}
	out := &ddb.BatchExecuteStatementOutput{}
	consumed := tableUnits{}
	for i, stmt := range statements {
		if failures[i] == nil && reads > 0 && stmt.Kind != partiql.Select {
			return nil, invalid("All statements of a batch must read, or all must write: statement %d does not do what the others do", i+1)
		}
	}
	for i, stmt := range statements {
		response := ddb.BatchStatementResponse{}
		if stmt != nil {
			response.TableName = ptr(tableName(stmt.Table))
		}
		err := failures[i]
		if err == nil {
			response.Item, err = s.executeInBatch(ctx, stmt, &in.Statements[i], consumed)
		}
		if err != nil {
			if response.Error = batchError(err); response.Error == nil {
				return nil, err
			}
		}
		out.Responses = append(out.Responses, response)
	}
	out.ConsumedCapacity = consumed.report(in.ReturnConsumedCapacity, capacityPlain)
	return out, nil
}

// executeInBatch runs one statement of a batch, and returns the item of a read.
func (s *Service) executeInBatch(ctx context.Context, stmt *partiql.Statement, in *ddb.BatchStatementRequest, consumed tableUnits) (attr.Map, error) {
	targets, err := s.statementTargets(ctx, stmt)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		if err := s.door.Allow(ctx, t); err != nil {
			return nil, err
		}
	}
	switch stmt.Kind {
	case partiql.Select:
		var item attr.Map
		p := placeOf(ctx)
		err := s.store.View(ctx, func(r store.Reader) error {
			found, t, n, err := s.selectOne(r, p, stmt)
			if err != nil {
				return err
			}
			item = found
			consumed.add(t.Name, units{table: readUnits(n, isTrue(in.ConsistentRead))})
			return nil
		})
		return item, storeError(err)
	case partiql.Exists:
		return nil, invalid("EXISTS is a condition of ExecuteTransaction, and no statement of its own")
	}
	done, err := s.executeWrite(ctx, stmt, in.ReturnValuesOnConditionCheckFailure)
	if err != nil {
		return nil, err
	}
	consumed.add(done.table.Name, done.units)
	return returnedBy(stmt, done), nil
}

// selectOne reads the one item that a SELECT of a batch or a transaction names by its key, and returns the columns and the size of the whole.
func (s *Service) selectOne(r store.Reader, p place, stmt *partiql.Statement) (item attr.Map, t *table, size int, err error) {
	if t, err = s.itemTable(r, p, stmt.Table); err != nil {
		return nil, nil, 0, err
	}
	key, rest, err := t.splitKey(stmt.Where)
	if err != nil || stmt.Index != "" {
		return nil, t, 0, invalid("Select statements within BatchExecuteStatement must specify the primary key in the where clause.")
	}
	if item, size, err = (get{key: key}).read(r, t); err != nil {
		return nil, t, 0, err
	}
	if item == nil || rest != nil && !rest.Match(item) {
		return nil, t, size, nil
	}
	return stmt.Project(item), t, size, nil
}

// batchError returns how a batch reports what went wrong with one statement, or nil for what ends the batch.
func batchError(err error) *ddb.BatchStatementError {
	var e *service.Error
	if !errors.As(err, &e) {
		return nil
	}
	codes := map[string]string{
		codeValidation: ddb.BatchStatementErrorCodeEnumValidationError, codeNotFound: ddb.BatchStatementErrorCodeEnumResourceNotFound,
		codeCondition: ddb.BatchStatementErrorCodeEnumConditionalCheckFailed, codeDuplicate: ddb.BatchStatementErrorCodeEnumDuplicateItem,
		codeCollection: ddb.BatchStatementErrorCodeEnumItemCollectionSizeLimitExceeded,
		codeThroughput: ddb.BatchStatementErrorCodeEnumProvisionedThroughputExceeded,
		codeConflict:   ddb.BatchStatementErrorCodeEnumTransactionConflict, codeAccessDenied: ddb.BatchStatementErrorCodeEnumAccessDenied,
	}
	code, ok := codes[e.Code]
	if !ok {
		return nil
	}
	out := &ddb.BatchStatementError{Code: code, Message: &e.Message}
	if d, ok := e.Detail.(*ddb.ConditionalCheckFailedException); ok {
		out.Item = d.Item
	}
	return out
}

func (s *Service) executeTransaction(ctx context.Context, in *ddb.ExecuteTransactionInput) (*ddb.ExecuteTransactionOutput, error) {
	statements := make([]*partiql.Statement, len(in.TransactStatements))
	reads := 0
	for i, st := range in.TransactStatements {
		var err error
		if statements[i], err = parseStatement(st.Statement, st.Parameters); err != nil {
			return nil, err
		}
		if statements[i].Kind == partiql.Select {
			reads++
		}
		switch {
		case statements[i].Returning != partiql.ReturnNothing:
			return nil, invalid("Validation failed in TransactStatements[%d]: RETURNING clause is not supported in ExecuteTransaction.", i)
		case statements[i].Kind == partiql.Select && statements[i].Index != "":
			return nil, invalid("Validation failed in TransactStatements[%d]: Reads on indices are not supported within transactions.", i)
		}
	}
	if reads > 0 && reads < len(statements) {
		return nil, invalid("All statements of a transaction must read, or all must write or check")
	}
	if reads > 0 {
		return s.readTransaction(ctx, statements, in)
	}
	return s.writeTransaction(ctx, statements, in)
}

// readTransaction reads the items of SELECT statements in one state of the store.
func (s *Service) readTransaction(ctx context.Context, statements []*partiql.Statement, in *ddb.ExecuteTransactionInput) (*ddb.ExecuteTransactionOutput, error) {
	out := &ddb.ExecuteTransactionOutput{}
	p := placeOf(ctx)
	err := s.store.View(ctx, func(r store.Reader) error {
		out.Responses = nil
		consumed := tableUnits{}
		for _, stmt := range statements {
			item, t, n, err := s.selectOne(r, p, stmt)
			if err != nil {
				return err
			}
			out.Responses = append(out.Responses, ddb.ItemResponse{Item: item})
			consumed.add(t.Name, units{table: 2 * readUnits(n, true)})
		}
		out.ConsumedCapacity = consumed.report(in.ReturnConsumedCapacity, capacityRead)
		return nil
	})
	if err != nil {
		return nil, storeError(err)
	}
	return out, nil
}

// writeTransaction makes the writes and checks the conditions of statements, all or none.
func (s *Service) writeTransaction(ctx context.Context, statements []*partiql.Statement, in *ddb.ExecuteTransactionInput) (*ddb.ExecuteTransactionOutput, error) {
	digest, err := requestDigest(in.TransactStatements)
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	writes := make([]*write, len(statements))
	var done []written
	repeated := false
	err = s.store.Update(ctx, func(tx store.Txn) (err error) {
		done = nil
		if repeated, err = s.useToken(tx, p, in.ClientRequestToken, digest); err != nil {
			return err
		}
		for i, stmt := range statements {
			t, err := s.itemTable(tx, p, stmt.Table)
			if err != nil {
				return err
			}
			if writes[i], err = t.statementWrite(stmt, in.TransactStatements[i].ReturnValuesOnConditionCheckFailure); err != nil {
				return err
			}
		}
		if !repeated {
			done, err = s.applyAll(tx, p, writes)
		}
		return err
	})
	if errors.Is(err, store.ErrConflict) {
		return nil, conflict(len(writes))
	}
	if err != nil {
		return nil, storeError(err)
	}
	out := &ddb.ExecuteTransactionOutput{Responses: []ddb.ItemResponse{}}
	if repeated {
		again, err := s.repeatedWrite(ctx, p, writes, in.ReturnConsumedCapacity)
		if err != nil {
			return nil, err
		}
		out.ConsumedCapacity = again.ConsumedCapacity
		return out, nil
	}
	consumed := tableUnits{}
	for _, d := range done {
		consumed.add(d.table.Name, d.units.double())
	}
	out.ConsumedCapacity = consumed.report(in.ReturnConsumedCapacity, capacityWrite)
	return out, nil
}
