package dynamodb

import (
	"context"
	"errors"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
	"lambent.dev/lambent/internal/store"
)

func isTrue(b *bool) bool { return b != nil && *b }

// condition parses a condition that may be absent.
func (s *Service) condition(parameter string, source *string, p *expr.Placeholders) (*expr.Condition, error) {
	if source == nil {
		return nil, nil
	}
	c, err := s.exprs.Condition(parameter, *source, p)
	return c, validation(err)
}

// projection parses a projection that may be absent.
func (s *Service) projection(source *string, p *expr.Placeholders) (*expr.Projection, error) {
	if source == nil {
		return nil, nil
	}
	pr, err := s.exprs.Projection(*source, p)
	return pr, validation(err)
}

// project returns the part of an item that a request asked for, in memory of its own.
func project(pr *expr.Projection, item attr.Map) attr.Map {
	if item == nil {
		return nil
	}
	if pr == nil {
		return item.Clone()
	}
	return pr.Apply(item)
}

func (s *Service) putItem(ctx context.Context, in *ddb.PutItemInput) (*ddb.PutItemOutput, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	err := checkParameters([]expression{{"ConditionExpression", in.ConditionExpression}},
		[]legacy{{"Expected", in.Expected != nil}, {"ConditionalOperator", in.ConditionalOperator != ""}},
		in.ExpressionAttributeNames != nil, in.ExpressionAttributeValues != nil)
	if err != nil {
		return nil, err
	}
	if in.ReturnValues != "" && in.ReturnValues != ddb.ReturnValueNone && in.ReturnValues != ddb.ReturnValueAllOld {
		return nil, invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	w := &write{action: actionPut, table: in.TableName, item: in.Item, showOnFailure: in.ReturnValuesOnConditionCheckFailure == ddb.ReturnValueAllOld}
	w.needOld = in.ReturnValues == ddb.ReturnValueAllOld || in.ReturnConsumedCapacity != "" && in.ReturnConsumedCapacity != ddb.ReturnConsumedCapacityNone
	if err := w.checkSize(); err != nil {
		return nil, err
	}
	if err := s.parseWrite(w, nil, in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues); err != nil {
		return nil, err
	}
	if err := w.expect(in.Expected, in.ConditionalOperator); err != nil {
		return nil, err
	}
	done, err := s.write(ctx, w)
	if err != nil {
		return nil, err
	}
	out := &ddb.PutItemOutput{
		ConsumedCapacity:      done.units.report(in.ReturnConsumedCapacity, done.table.Name, capacityPlain),
		ItemCollectionMetrics: done.metrics(in.ReturnItemCollectionMetrics, in.Item),
	}
	if in.ReturnValues == ddb.ReturnValueAllOld {
		out.Attributes = done.old
	}
	return out, nil
}

func (s *Service) deleteItem(ctx context.Context, in *ddb.DeleteItemInput) (*ddb.DeleteItemOutput, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	err := checkParameters([]expression{{"ConditionExpression", in.ConditionExpression}},
		[]legacy{{"Expected", in.Expected != nil}, {"ConditionalOperator", in.ConditionalOperator != ""}},
		in.ExpressionAttributeNames != nil, in.ExpressionAttributeValues != nil)
	if err != nil {
		return nil, err
	}
	if in.ReturnValues != "" && in.ReturnValues != ddb.ReturnValueNone && in.ReturnValues != ddb.ReturnValueAllOld {
		return nil, invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	w := &write{action: actionDelete, table: in.TableName, key: in.Key, showOnFailure: in.ReturnValuesOnConditionCheckFailure == ddb.ReturnValueAllOld}
	if err := in.Key.Err(); err != nil {
		return nil, validation(err)
	}
	if err := s.parseWrite(w, nil, in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues); err != nil {
		return nil, err
	}
	if err := w.expect(in.Expected, in.ConditionalOperator); err != nil {
		return nil, err
	}
	done, err := s.write(ctx, w)
	if err != nil {
		return nil, err
	}
	out := &ddb.DeleteItemOutput{
		ConsumedCapacity:      done.units.report(in.ReturnConsumedCapacity, done.table.Name, capacityPlain),
		ItemCollectionMetrics: done.metrics(in.ReturnItemCollectionMetrics, in.Key),
	}
	if in.ReturnValues == ddb.ReturnValueAllOld {
		out.Attributes = done.old
	}
	return out, nil
}

func (s *Service) updateItem(ctx context.Context, in *ddb.UpdateItemInput) (*ddb.UpdateItemOutput, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	err := checkParameters([]expression{{"UpdateExpression", in.UpdateExpression}, {"ConditionExpression", in.ConditionExpression}},
		[]legacy{{"AttributeUpdates", in.AttributeUpdates != nil}, {"Expected", in.Expected != nil}, {"ConditionalOperator", in.ConditionalOperator != ""}},
		in.ExpressionAttributeNames != nil, in.ExpressionAttributeValues != nil)
	if err != nil {
		return nil, err
	}
	w := &write{action: actionUpdate, table: in.TableName, key: in.Key, showOnFailure: in.ReturnValuesOnConditionCheckFailure == ddb.ReturnValueAllOld}
	if err := in.Key.Err(); err != nil {
		return nil, validation(err)
	}
	if err := s.parseWrite(w, in.UpdateExpression, in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues); err != nil {
		return nil, err
	}
	if in.AttributeUpdates != nil {
		if w.update, err = legacyUpdate(in.AttributeUpdates); err != nil {
			return nil, err
		}
	}
	if err := w.expect(in.Expected, in.ConditionalOperator); err != nil {
		return nil, err
	}
	done, err := s.write(ctx, w)
	if err != nil {
		return nil, err
	}
	return &ddb.UpdateItemOutput{
		Attributes:            w.returned(in.ReturnValues, done),
		ConsumedCapacity:      done.units.report(in.ReturnConsumedCapacity, done.table.Name, capacityPlain),
		ItemCollectionMetrics: done.metrics(in.ReturnItemCollectionMetrics, in.Key),
	}, nil
}

// returned returns what ReturnValues asks for of an update.
func (w *write) returned(mode string, done written) attr.Map {
	var m attr.Map
	switch mode {
	case ddb.ReturnValueAllOld:
		return done.old
	case ddb.ReturnValueAllNew:
		return done.new
	case ddb.ReturnValueUpdatedOld:
		if w.update != nil && done.old != nil {
			m = w.update.Changed(true).Apply(done.old)
		}
	case ddb.ReturnValueUpdatedNew:
		if w.update != nil {
			m = w.update.Changed(false).Apply(done.new)
		}
	}
	if m.Len() == 0 {
		return nil
	}
	return m
}

// parseWrite parses the expressions of a write; nil stands for those that it does not have.
func (s *Service) parseWrite(w *write, update, cond *string, names map[string]string, values attr.Map) error {
	if update == nil && cond == nil && names == nil && values == nil {
		return nil
	}
	p, err := expr.NewPlaceholders(names, values)
	if err != nil {
		return validation(err)
	}
	if update != nil {
		if w.update, err = s.exprs.Update(*update, p); err != nil {
			return validation(err)
		}
	}
	if w.condition, err = s.condition("ConditionExpression", cond, p); err != nil {
		return err
	}
	return validation(p.Unused())
}

// expect gives the write the condition of Expected, when there is one.
func (w *write) expect(expected map[string]ddb.ExpectedAttributeValue, operator string) error {
	c, err := expect(expected, operator)
	if c != nil {
		w.condition = c
	}
	return err
}

// write makes one write in a transaction of its own. What it returns does not belong to the transaction.
func (s *Service) write(ctx context.Context, w *write) (written, error) {
	var done written
	p := placeOf(ctx)
	err := s.store.Update(ctx, func(tx store.Txn) error {
		var err error
		done, err = s.apply(tx, p, w)
		done.old = done.old.Clone()
		if err == nil {
			done.new = done.new.Clone()
		}
		return showItem(err)
	})
	return done, storeError(err)
}

// showItem copies the item that a failed condition shows out of the transaction.
func showItem(err error) error {
	var e *service.Error
	if !errors.As(err, &e) {
		return err
	}
	if d, ok := e.Detail.(*ddb.ConditionalCheckFailedException); ok {
		c := *d
		c.Item = d.Item.Clone()
		return e.WithDetail(&c)
	}
	return err
}

func (s *Service) getItem(ctx context.Context, in *ddb.GetItemInput) (*ddb.GetItemOutput, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	err := checkParameters([]expression{{"ProjectionExpression", in.ProjectionExpression}},
		[]legacy{{"AttributesToGet", in.AttributesToGet != nil}}, in.ExpressionAttributeNames != nil, false)
	if err != nil {
		return nil, err
	}
	g, err := s.parseGet(in.Key, in.ProjectionExpression, in.AttributesToGet, in.ExpressionAttributeNames)
	if err != nil {
		return nil, err
	}
	out := &ddb.GetItemOutput{}
	t, err := s.readTable(ctx, placeOf(ctx), in.TableName)
	if err != nil {
		return nil, err
	}
	if err := s.admitRead(source{table: t}); err != nil {
		s.seeThrottled(t, nil, in.Key)
		return nil, err
	}
	err = s.store.View(ctx, func(r store.Reader) error {
		item, size, err := g.read(r, t)
		if err != nil {
			return err
		}
		out.Item = item
		u := units{table: readUnits(size, isTrue(in.ConsistentRead))}
		s.spend(t, u, false)
		s.see(t, nil, in.Key, u.table)
		out.ConsumedCapacity = u.report(in.ReturnConsumedCapacity, t.Name, capacityPlain)
		return nil
	})
	if err != nil {
		return nil, storeError(err)
	}
	return out, nil
}

// get is the reading of one item.
type get struct {
	key        attr.Map
	projection *expr.Projection
}

// parseGet reads a request for an item. At most one of source and attributes is there.
func (s *Service) parseGet(key attr.Map, source *string, attributes []string, names map[string]string) (get, error) {
	g := get{key: key}
	if err := key.Err(); err != nil {
		return g, validation(err)
	}
	if attributes != nil {
		var err error
		g.projection, err = attributesToGet(attributes)
		return g, err
	}
	if source == nil && names == nil {
		return g, nil
	}
	p, err := expr.NewPlaceholders(names, nil)
	if err != nil {
		return g, validation(err)
	}
	if g.projection, err = s.projection(source, p); err != nil {
		return g, err
	}
	return g, validation(p.Unused())
}

// read returns the part of the item that is asked for, which may be nil, and the size of the whole.
func (g get) read(r store.Reader, t *table) (attr.Map, int, error) {
	if err := t.checkKey(g.key); err != nil {
		return nil, 0, err
	}
	if err := t.checkProjection(g.projection); err != nil {
		return nil, 0, err
	}
	item, err := readItem(r, t.itemKey(g.key))
	if err != nil {
		return nil, 0, err
	}
	return project(g.projection, item), item.Size(), nil
}
