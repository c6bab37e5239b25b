package dynamodb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// tokenKeep is for how long a ClientRequestToken makes a request idempotent
	// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
	tokenKeep = 10 * time.Minute
	// maxActions is the greatest number of actions in a transaction.
	maxActions        = 100
	msgManyOperations = "Transaction request cannot include multiple operations on one item"
	// tokenSweep is how many old tokens a request with a token removes.
	tokenSweep = 4
)

// canceled collects the reasons for which a transaction is canceled, one for each action.
type canceled struct {
	reasons []ddb.CancellationReason
	failed  bool
}

// add adds the reason of one action. It returns errors that do not cancel the transaction but end the request.
func (c *canceled) add(err error) error {
	none := "None"
	if err == nil {
		c.reasons = append(c.reasons, ddb.CancellationReason{Code: &none})
		return nil
	}
	var e *service.Error
	if !errors.As(err, &e) {
		return err
	}
	reason := ddb.CancellationReason{Message: &e.Message}
	switch e.Code {
	case codeCondition:
		reason.Code = ptr("ConditionalCheckFailed")
		if d, ok := e.Detail.(*ddb.ConditionalCheckFailedException); ok {
			reason.Item = d.Item.Clone()
		}
	case codeDuplicate:
		reason.Code = ptr("DuplicateItem")
	case codeCollection:
		reason.Code = ptr("ItemCollectionSizeLimitExceeded")
	case codeThroughput:
		reason.Code = ptr("ProvisionedThroughputExceeded")
	case codeValidation:
		reason.Code = ptr("ValidationError")
	default:
		return err
	}
	c.failed = true
	c.reasons = append(c.reasons, reason)
	return nil
}

// err returns the error of a canceled transaction, or nil.
func (c *canceled) err() error {
	if !c.failed {
		return nil
	}
	codes := make([]string, len(c.reasons))
	for i, r := range c.reasons {
		codes[i] = *r.Code
	}
	e := service.Errorf(codeCanceled, "Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))
	return e.WithDetail(&ddb.TransactionCanceledException{Message: &e.Message, CancellationReasons: c.reasons})
}

// checkActions checks the number of actions of a transaction.
func checkActions(element string, n int) error {
	switch {
	case n == 0:
		return violated("'[]'", "transactItems", "Member must have length greater than or equal to 1")
	case n > maxActions:
		return violated("'"+shownList(element, n)+"'", "transactItems", "Member must have length less than or equal to 100")
	}
	return nil
}

func (s *Service) transactWriteItems(ctx context.Context, in *ddb.TransactWriteItemsInput) (*ddb.TransactWriteItemsOutput, error) {
	if err := checkActions("TransactWriteItem", len(in.TransactItems)); err != nil {
		return nil, err
	}
	writes, err := s.parseTransactWrite(in)
	if err != nil {
		return nil, err
	}
	digest, err := requestDigest(in.TransactItems)
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	var done []written
	repeated := false
	err = s.store.Update(removing(ctx, writes), func(tx store.Txn) error {
		var err error
		if repeated, err = s.useToken(tx, p, in.ClientRequestToken, digest); err != nil || repeated {
			return err
		}
		done, err = s.applyAll(tx, p, writes)
		return err
	})
	if errors.Is(err, store.ErrConflict) {
		return nil, conflict(len(writes))
	}
	if err != nil {
		return nil, storeError(err)
	}
	if repeated {
		return s.repeatedWrite(ctx, p, writes, in.ReturnConsumedCapacity)
	}
	return reportTransaction(in, writes, done), nil
}

func reportTransaction(in *ddb.TransactWriteItemsInput, writes []*write, done []written) *ddb.TransactWriteItemsOutput {
	out := &ddb.TransactWriteItemsOutput{}
	consumed := tableUnits{}
	for i, d := range done {
		consumed.add(d.table.Name, d.units.double())
		itemKey := writes[i].key
		if writes[i].action == actionPut {
			itemKey = writes[i].item
		}
		if m := d.metrics(in.ReturnItemCollectionMetrics, itemKey); m != nil && writes[i].action != actionCheck {
			if out.ItemCollectionMetrics == nil {
				out.ItemCollectionMetrics = map[string][]ddb.ItemCollectionMetrics{}
			}
			out.ItemCollectionMetrics[d.table.Name] = append(out.ItemCollectionMetrics[d.table.Name], *m)
		}
	}
	out.ConsumedCapacity = consumed.report(in.ReturnConsumedCapacity, capacityWrite)
	return out
}

// conflict returns the error of a transaction that met others on its items until it gave up.
func conflict(actions int) error {
	c := &canceled{failed: true}
	for range actions {
		c.reasons = append(c.reasons, ddb.CancellationReason{Code: ptr("TransactionConflict"), Message: ptr("Transaction is ongoing for the item")})
	}
	return c.err()
}

// applyAll makes the writes of a transaction. On failure it tells the reason of each.
func (s *Service) applyAll(tx store.Txn, p place, writes []*write) ([]written, error) {
	seen := map[string]bool{}
	for _, w := range writes {
		t, err := s.itemTable(tx, p, w.table)
		if err != nil {
			return nil, err
		}
		if t.check(w) != nil {
			continue // reported below, in its place
		}
		k := string(t.writeKey(w))
		if seen[k] {
			return nil, invalid(msgManyOperations)
		}
		seen[k] = true
	}
	var c canceled
	var done []written
	for _, w := range writes {
		d, err := s.apply(tx, p, w)
		if err := c.add(err); err != nil {
			return nil, err
		}
		done = append(done, d)
	}
	return done, c.err()
}

// repeatedWrite answers a request that was done before: reading its items is what it consumes.
func (s *Service) repeatedWrite(ctx context.Context, p place, writes []*write, mode string) (*ddb.TransactWriteItemsOutput, error) {
	consumed := tableUnits{}
	err := s.store.View(ctx, func(r store.Reader) error {
		for _, w := range writes {
			t, err := s.readTable(ctx, p, w.table)
			if err != nil {
				return err
			}
			if t.check(w) != nil {
				continue
			}
			item, err := readItem(r, t.writeKey(w))
			if err != nil {
				return err
			}
			consumed.add(t.Name, units{table: 2 * readUnits(item.Size(), true)})
		}
		return nil
	})
	return &ddb.TransactWriteItemsOutput{ConsumedCapacity: consumed.report(mode, capacityRead)}, storeError(err)
}

// tokenRecord remembers a request that was done.
type tokenRecord struct {
	Digest  string    `json:"digest"`
	Expires time.Time `json:"expires"`
}

// useToken tells whether the request with this token was done before, and remembers it otherwise.
func (s *Service) useToken(tx store.Txn, p place, token *string, digest string) (repeated bool, err error) {
	if token == nil || *token == "" {
		return false, nil
	}
	now := s.clock.Now()
	k := p.token(*token)
	known, ok, err := record.Get[tokenRecord](tx, k)
	if err != nil {
		return false, err
	}
	if ok && now.Before(known.Expires) {
		if known.Digest != digest {
			return false, service.Errorf(codeMismatch, "The client request token was used with other parameters in the last ten minutes. Use a new token for a new request.")
		}
		return true, nil
	}
	if err := sweepTokens(tx, p, now); err != nil {
		return false, err
	}
	expires := now.Add(tokenKeep)
	tx.Set(p.tokenExpiries().Time(expires).Str(*token), nil)
	return false, record.Set(tx, k, tokenRecord{digest, expires})
}

// sweepTokens removes some of the tokens that are too old.
func sweepTokens(tx store.Txn, p place, now time.Time) error {
	prefix := p.tokenExpiries()
	var old [][]byte
	for pair, err := range tx.Range(store.Span{Lo: prefix, Hi: prefix.Time(now), Limit: tokenSweep}) {
		if err != nil {
			return err
		}
		old = append(old, append([]byte(nil), pair.Key...))
	}
	for _, k := range old {
		d := key.Decode(k).Skip(prefix)
		_ = d.Time()
		tx.Delete(p.token(d.Str()))
		tx.Delete(k)
	}
	return nil
}

// requestDigest returns a digest of what a request asks for.
func requestDigest(actions any) (string, error) {
	b, err := json.Marshal(actions)
	if err != nil {
		return "", fmt.Errorf("digest the request: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

func (s *Service) parseTransactWrite(in *ddb.TransactWriteItemsInput) ([]*write, error) {
	writes := make([]*write, len(in.TransactItems))
	for i, item := range in.TransactItems {
		w, err := s.parseTransactAction(item)
		if err != nil {
			return nil, err
		}
		if err := checkName("transactItems."+strconv.Itoa(i+1)+".member.tableName", w.table); err != nil {
			return nil, err
		}
		if err := w.item.Err(); err != nil {
			return nil, validation(err)
		}
		if err := w.key.Err(); err != nil {
			return nil, validation(err)
		}
		writes[i] = w
	}
	return writes, nil
}

// parseTransactAction reads the one action of an element.
func (s *Service) parseTransactAction(item ddb.TransactWriteItem) (*write, error) {
	n := 0
	for _, set := range []bool{item.Put != nil, item.Update != nil, item.Delete != nil, item.ConditionCheck != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return nil, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	var w *write
	var update, cond *string
	var names map[string]string
	var values attr.Map
	switch {
	case item.Put != nil:
		a := item.Put
		w = &write{action: actionPut, table: a.TableName, item: a.Item, needOld: true, showOnFailure: a.ReturnValuesOnConditionCheckFailure == ddb.ReturnValueAllOld}
		cond, names, values = a.ConditionExpression, a.ExpressionAttributeNames, a.ExpressionAttributeValues
	case item.Update != nil:
		a := item.Update
		w = &write{action: actionUpdate, table: a.TableName, key: a.Key, showOnFailure: a.ReturnValuesOnConditionCheckFailure == ddb.ReturnValueAllOld}
		update, cond, names, values = &a.UpdateExpression, a.ConditionExpression, a.ExpressionAttributeNames, a.ExpressionAttributeValues
	case item.Delete != nil:
		a := item.Delete
		w = &write{action: actionDelete, table: a.TableName, key: a.Key, showOnFailure: a.ReturnValuesOnConditionCheckFailure == ddb.ReturnValueAllOld}
		cond, names, values = a.ConditionExpression, a.ExpressionAttributeNames, a.ExpressionAttributeValues
	default:
		a := item.ConditionCheck
		w = &write{action: actionCheck, table: a.TableName, key: a.Key, showOnFailure: a.ReturnValuesOnConditionCheckFailure == ddb.ReturnValueAllOld}
		cond, names, values = &a.ConditionExpression, a.ExpressionAttributeNames, a.ExpressionAttributeValues
	}
	return w, s.parseWrite(w, update, cond, names, values)
}

func (s *Service) transactGetItems(ctx context.Context, in *ddb.TransactGetItemsInput) (*ddb.TransactGetItemsOutput, error) {
	if err := checkActions("TransactGetItem", len(in.TransactItems)); err != nil {
		return nil, err
	}
	gets := make([]get, len(in.TransactItems))
	for i, item := range in.TransactItems {
		if item.Get == nil {
			return nil, invalid("TransactItems can only contain a Get")
		}
		g, err := s.parseGet(item.Get.Key, item.Get.ProjectionExpression, nil, item.Get.ExpressionAttributeNames)
		if err != nil {
			return nil, err
		}
		gets[i] = g
	}
	out := &ddb.TransactGetItemsOutput{}
	p := placeOf(ctx)
	err := s.store.View(ctx, func(r store.Reader) error {
		var c canceled
		consumed := tableUnits{}
		out.Responses = nil
		size := 0
		seen := map[string]bool{}
		for i, g := range gets {
			t, err := s.readTable(ctx, p, in.TransactItems[i].Get.TableName)
			if err != nil {
				return err
			}
			if t.checkKey(g.key) == nil {
				k := string(t.itemKey(g.key))
				if seen[k] {
					return invalid(msgManyOperations)
				}
				seen[k] = true
			}
			item, n, err := g.read(r, t)
			if err == nil {
				err = s.admitRead(source{table: t})
			}
			if err := c.add(err); err != nil {
				return err
			}
			size += n
			out.Responses = append(out.Responses, ddb.ItemResponse{Item: item})
			u := units{table: 2 * readUnits(n, true)}
			s.spend(t, u, false)
			s.see(t, nil, g.key, u.table)
			consumed.add(t.Name, u)
		}
		if size > store.MaxTransaction {
			return invalid("Aggregate size of items in the transaction exceeds 4 MB")
		}
		out.ConsumedCapacity = consumed.report(in.ReturnConsumedCapacity, capacityRead)
		return c.err()
	})
	if err != nil {
		return nil, storeError(err)
	}
	return out, nil
}
