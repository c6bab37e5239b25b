package dynamodb

import (
	"context"
	"errors"
	"maps"
	"slices"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// Limits of batches (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html), sizes in bytes.
const (
	maxBatchGets     = 100
	maxBatchWrites   = 25
	maxBatchResponse = 16 << 20
	// batchTransaction is how much a batch writes in one transaction, which leaves room for its indexes.
	batchTransaction = 1 << 20
)

const msgDuplicateKeys = "Provided list of item keys contains duplicates"

// tableUnits adds up units by table.
type tableUnits map[string]*units

func (tu tableUnits) add(table string, u units) {
	if tu[table] == nil {
		tu[table] = &units{}
	}
	tu[table].add(u)
}

// report returns the consumed capacity of all tables, in the order of their names, or nil.
func (tu tableUnits) report(mode string, kind capacityKind) (out []ddb.ConsumedCapacity) {
	for _, name := range slices.Sorted(maps.Keys(tu)) {
		if c := tu[name].report(mode, name, kind); c != nil {
			out = append(out, *c)
		}
	}
	return out
}

func (s *Service) batchGetItem(ctx context.Context, in *ddb.BatchGetItemInput) (*ddb.BatchGetItemOutput, error) {
	names := slices.Sorted(maps.Keys(in.RequestItems))
	gets, err := s.parseBatchGet(in, names)
	if err != nil {
		return nil, err
	}
	out := &ddb.BatchGetItemOutput{}
	p := placeOf(ctx)
	err = s.store.View(ctx, func(r store.Reader) error {
		consumed := tableUnits{}
		out.Responses, out.UnprocessedKeys = map[string][]attr.Map{}, map[string]ddb.KeysAndAttributes{}
		size := 0
		for _, name := range names {
			req := in.RequestItems[name]
			t, err := s.readTable(ctx, p, name)
			if err != nil {
				return err
			}
			items, left, err := s.batchRead(r, t, gets[name], &size, func(key attr.Map, n int) {
				u := units{table: readUnits(n, isTrue(req.ConsistentRead))}
				s.spend(t, u, false)
				s.see(t, nil, key, u.table)
				consumed.add(t.Name, u)
			})
			if err != nil {
				return err
			}
			out.Responses[name] = items
			if left != nil {
				req.Keys = left
				out.UnprocessedKeys[name] = req
			}
		}
		out.ConsumedCapacity = consumed.report(in.ReturnConsumedCapacity, capacityPlain)
		return nil
	})
	if err != nil {
		return nil, storeError(err)
	}
	return out, nil
}

// batchRead reads items until the response is full or the table's throughput is used up, and returns the keys that are left. each is told the key and the size of every item.
func (s *Service) batchRead(r store.Reader, t *table, gets []get, size *int, each func(key attr.Map, size int)) (items, left []attr.Map, err error) {
	items = []attr.Map{}
	for _, g := range gets {
		if err := t.checkKey(g.key); err != nil {
			return nil, nil, err
		}
	}
	for i, g := range gets {
		throttled := s.admitRead(source{table: t})
		if throttled != nil {
			s.seeThrottled(t, nil, g.key)
		}
		if throttled != nil && *size == 0 && i == 0 {
			return nil, nil, throttled
		}
		if *size >= maxBatchResponse || throttled != nil {
			for _, rest := range gets[i:] {
				left = append(left, rest.key)
			}
			return items, left, nil
		}
		item, n, err := g.read(r, t)
		if err != nil {
			return nil, nil, err
		}
		*size += n
		each(g.key, n)
		if item != nil {
			items = append(items, item)
		}
	}
	return items, nil, nil
}

func (s *Service) parseBatchGet(in *ddb.BatchGetItemInput, names []string) (map[string][]get, error) {
	if len(names) == 0 {
		return nil, invalid("The requestItems parameter is required for BatchGetItem")
	}
	out := map[string][]get{}
	n := 0
	for _, name := range names {
		if err := checkName("requestItems", name); err != nil {
			return nil, err
		}
		req := in.RequestItems[name]
		err := checkParameters([]expression{{"ProjectionExpression", req.ProjectionExpression}},
			[]legacy{{"AttributesToGet", req.AttributesToGet != nil}}, req.ExpressionAttributeNames != nil, false)
		if err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		for _, k := range req.Keys {
			if seen[string(k)] {
				return nil, invalid(msgDuplicateKeys)
			}
			seen[string(k)] = true
			g, err := s.parseGet(k, req.ProjectionExpression, req.AttributesToGet, req.ExpressionAttributeNames)
			if err != nil {
				return nil, err
			}
			out[name] = append(out[name], g)
		}
		if len(req.Keys) == 0 || len(req.Keys) > maxBatchGets {
			bound := "less than or equal to 100"
			if len(req.Keys) == 0 {
				bound = "greater than or equal to 1"
			}
			return nil, violated("", "RequestItems."+name+".member.Keys", "Member must have length "+bound)
		}
		if n += len(req.Keys); n > maxBatchGets {
			return nil, invalid("Too many items requested for the BatchGetItem call")
		}
	}
	return out, nil
}

func (s *Service) batchWriteItem(ctx context.Context, in *ddb.BatchWriteItemInput) (*ddb.BatchWriteItemOutput, error) {
	writes, err := parseBatchWrite(in)
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	if err := s.checkBatch(ctx, p, writes); err != nil {
		return nil, err
	}
	out := &ddb.BatchWriteItemOutput{UnprocessedItems: map[string][]ddb.WriteRequest{}}
	consumed := tableUnits{}
	all := len(writes)
	for len(writes) > 0 {
		done, err := s.writePart(ctx, p, writes)
		if service.Code(err) == codeThroughput && len(writes) < all {
			out.UnprocessedItems = unprocessed(writes) // something was written before
			break
		}
		if err != nil {
			return nil, storeError(err)
		}
		for i, d := range done {
			consumed.add(d.table.Name, d.units)
			key := writes[i].key
			if writes[i].action == actionPut {
				key = writes[i].item
			}
			if m := d.metrics(in.ReturnItemCollectionMetrics, key); m != nil {
				if out.ItemCollectionMetrics == nil {
					out.ItemCollectionMetrics = map[string][]ddb.ItemCollectionMetrics{}
				}
				out.ItemCollectionMetrics[d.table.Name] = append(out.ItemCollectionMetrics[d.table.Name], *m)
			}
		}
		writes = writes[len(done):]
	}
	out.ConsumedCapacity = consumed.report(in.ReturnConsumedCapacity, capacityPlain)
	return out, nil
}

// writePart makes the first of the writes in one transaction: as many as fit with their indexes and stream records.
func (s *Service) writePart(ctx context.Context, p place, writes []*write) (done []written, err error) {
	for n := batchPart(writes); ; n = (n + 1) / 2 {
		err = s.store.Update(removing(ctx, writes[:n]), func(tx store.Txn) error {
			done = done[:0]
			for _, w := range writes[:n] {
				d, err := s.apply(tx, p, w)
				if err != nil {
					return err
				}
				done = append(done, d)
			}
			return nil
		})
		if n == 1 || !errors.Is(err, store.ErrTooLarge) && service.Code(err) != codeThroughput {
			return done, err
		}
	}
}

// removing returns ctx as one that makes room on the disk when all of the writes are deletions.
func removing(ctx context.Context, writes []*write) context.Context {
	for _, w := range writes {
		if w.action != actionDelete {
			return ctx
		}
	}
	return store.MakingRoom(ctx)
}

// unprocessed returns writes as a batch gives them back.
func unprocessed(writes []*write) map[string][]ddb.WriteRequest {
	out := map[string][]ddb.WriteRequest{}
	for _, w := range writes {
		req := ddb.WriteRequest{DeleteRequest: &ddb.DeleteRequest{Key: w.key}}
		if w.action == actionPut {
			req = ddb.WriteRequest{PutRequest: &ddb.PutRequest{Item: w.item}}
		}
		out[w.table] = append(out[w.table], req)
	}
	return out
}

// batchPart returns how many of the writes go into the next transaction.
func batchPart(writes []*write) int {
	size := 0
	for i, w := range writes {
		if size += len(w.item); size > batchTransaction && i > 0 {
			return i
		}
	}
	return len(writes)
}

// checkBatch checks all writes of a batch before the first is made.
func (s *Service) checkBatch(ctx context.Context, p place, writes []*write) error {
	err := s.store.View(ctx, func(r store.Reader) error {
		seen := map[string]bool{}
		for _, w := range writes {
			t, err := s.itemTable(r, p, w.table)
			if err != nil {
				return err
			}
			if w.action == actionPut && !t.keyFits(t.keyOf(w.item)) {
				return errKeySchema()
			}
			if err := t.check(w); err != nil {
				return err
			}
			k := string(t.writeKey(w))
			if seen[k] {
				return invalid(msgDuplicateKeys)
			}
			seen[k] = true
		}
		return nil
	})
	return storeError(err)
}

// writeKey returns the key of the item that a checked write is about.
func (t *table) writeKey(w *write) []byte {
	if w.action == actionPut {
		return t.itemKey(w.item)
	}
	return t.itemKey(w.key)
}

func parseBatchWrite(in *ddb.BatchWriteItemInput) ([]*write, error) {
	if len(in.RequestItems) == 0 {
		return nil, invalid("The requestItems parameter is required for BatchWriteItem")
	}
	var writes []*write
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		if n := len(in.RequestItems[name]); n == 0 || n > maxBatchWrites {
			return nil, violated("'{"+name+"="+shownList("WriteRequest", n)+"}'", "requestItems",
				"Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]")
		}
		if err := checkName("requestItems", name); err != nil {
			return nil, err
		}
		for _, req := range in.RequestItems[name] {
			if (req.PutRequest == nil) == (req.DeleteRequest == nil) {
				return nil, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			}
			w := &write{action: actionPut, table: name, needOld: in.ReturnConsumedCapacity != ""}
			if req.DeleteRequest != nil {
				w.action, w.key = actionDelete, req.DeleteRequest.Key
			} else {
				w.item = req.PutRequest.Item
			}
			if err := w.checkSize(); err != nil {
				return nil, err
			}
			if err := w.key.Err(); err != nil {
				return nil, validation(err)
			}
			writes = append(writes, w)
		}
	}
	if len(writes) > maxBatchWrites {
		return nil, invalid("Too many items requested for the BatchWriteItem call")
	}
	return writes, nil
}
