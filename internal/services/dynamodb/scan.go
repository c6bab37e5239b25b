package dynamodb

import (
	"context"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
	"lambent.dev/lambent/internal/store"
)

func (s *Service) scan(ctx context.Context, in *ddb.ScanInput) (*ddb.ScanOutput, error) {
	sc, err := s.parseScan(in)
	if err != nil {
		return nil, err
	}
	var out page
	t, err := s.readTable(ctx, placeOf(ctx), in.TableName)
	if err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(r store.Reader) error {
		src, err := sc.open(t)
		if err != nil {
			return err
		}
		span := segment(src.prefix(), uint64(deref(in.Segment)), uint64(max(1, deref(in.TotalSegments))))
		if sc.startKey != nil {
			if err := src.checkStart(sc.startKey); err != nil {
				return err
			}
			if at := string(src.position(sc.startKey)); at < string(span.Lo) || span.Hi != nil && at >= string(span.Hi) {
				return invalid("The provided starting key is outside scan segment boundaries based on provided conditions")
			}
			span = src.after(span, sc.startKey)
		}
		if err := t.checkProjection(sc.projection); err != nil {
			return err
		}
		if sc.filter != nil {
			if err := t.checkPaths(sc.filter.Paths()); err != nil {
				return err
			}
		}
		if err := s.admitRead(src); err != nil {
			return err
		}
		sc.seen = s.seer(src, sc.consistent)
		if out, err = sc.run(r, src, span); err == nil {
			s.spend(t, sc.units(src, out.size, out.fetched), false)
		}
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.ScanOutput{Items: out.items, Count: &out.count, ScannedCount: &out.scanned, LastEvaluatedKey: out.lastKey, ConsumedCapacity: out.capacity}, nil
}

// parseScan checks what can be checked without the table.
func (s *Service) parseScan(in *ddb.ScanInput) (*reading, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	err := checkParameters([]expression{{"ProjectionExpression", in.ProjectionExpression}, {"FilterExpression", in.FilterExpression}},
		[]legacy{
			{"AttributesToGet", in.AttributesToGet != nil}, {"ScanFilter", in.ScanFilter != nil}, {"ConditionalOperator", in.ConditionalOperator != ""},
		}, in.ExpressionAttributeNames != nil, in.ExpressionAttributeValues != nil)
	if err != nil {
		return nil, err
	}
	switch {
	case in.TotalSegments != nil && in.Segment == nil:
		return nil, invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case in.Segment != nil && in.TotalSegments == nil:
		return nil, invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case in.Segment != nil && *in.Segment >= *in.TotalSegments:
		return nil, invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d", *in.Segment, *in.TotalSegments)
	}
	sc := &reading{
		table: in.TableName, indexName: deref(in.IndexName), selectMode: in.Select, limit: int(deref(in.Limit)), consistent: isTrue(in.ConsistentRead),
		startKey: in.ExclusiveStartKey, capacity: in.ReturnConsumedCapacity,
	}
	p, err := expr.NewPlaceholders(in.ExpressionAttributeNames, in.ExpressionAttributeValues)
	if err != nil {
		return nil, validation(err)
	}
	if err := s.parseReading(sc, in.FilterExpression, in.ProjectionExpression, p); err != nil {
		return nil, err
	}
	if err := sc.parseLegacy(in.AttributesToGet, in.ScanFilter, in.ConditionalOperator); err != nil {
		return nil, err
	}
	return sc, sc.checkSelect()
}
