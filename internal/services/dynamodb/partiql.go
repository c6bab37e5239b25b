package dynamodb

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
	"lambent.dev/lambent/internal/services/dynamodb/partiql"
	"lambent.dev/lambent/internal/store"
)

// parseStatement parses a PartiQL statement with its parameters.
func parseStatement(source string, parameters []attr.Value) (*partiql.Statement, error) {
	s, err := partiql.Parse(source, parameters)
	var malformed *partiql.Error
	if errors.As(err, &malformed) {
		return nil, &service.Error{Code: codeValidation, Message: malformed.Message}
	}
	if err != nil {
		return nil, validation(err)
	}
	if s.Index != "" {
		if err := checkName("indexName", s.Index); err != nil {
			return nil, err
		}
	}
	return s, checkName("tableName", s.Table)
}

func (s *Service) executeStatement(ctx context.Context, in *ddb.ExecuteStatementInput) (*ddb.ExecuteStatementOutput, error) {
	stmt, err := parseStatement(in.Statement, in.Parameters)
	if err != nil {
		return nil, err
	}
	switch stmt.Kind {
	case partiql.Select:
		return s.selectItems(ctx, stmt, in)
	case partiql.Exists:
		return nil, invalid("EXISTS is a condition of ExecuteTransaction, and no statement of its own")
	}
	if in.NextToken != nil {
		return nil, invalid("NextToken is only for SELECT statements")
	}
	done, err := s.executeWrite(ctx, stmt, in.ReturnValuesOnConditionCheckFailure)
	if err != nil {
		return nil, err
	}
	out := &ddb.ExecuteStatementOutput{Items: []attr.Map{}, ConsumedCapacity: done.units.report(in.ReturnConsumedCapacity, done.table.Name, capacityPlain)}
	if item := returnedBy(stmt, done); item != nil {
		out.Items = append(out.Items, item)
	}
	return out, nil
}

// executeWrite makes one write in a transaction of its own. What it returns does not belong to the transaction.
func (s *Service) executeWrite(ctx context.Context, stmt *partiql.Statement, show string) (written, error) {
	var done written
	p := placeOf(ctx)
	if stmt.Kind == partiql.Delete {
		ctx = store.MakingRoom(ctx)
	}
	err := s.store.Update(ctx, func(tx store.Txn) error {
		t, err := s.itemTable(tx, p, stmt.Table)
		if err != nil {
			return err
		}
		w, err := t.statementWrite(stmt, show)
		if err != nil {
			return err
		}
		done, err = s.apply(tx, p, w)
		done.old = done.old.Clone()
		if err == nil {
			done.new = done.new.Clone()
		}
		return showItem(err)
	})
	return done, storeError(err)
}

// statementWrite returns what an INSERT, an UPDATE, a DELETE or an EXISTS does to its one item.
func (t *table) statementWrite(stmt *partiql.Statement, show string) (*write, error) {
	if stmt.Index != "" && stmt.Kind != partiql.Exists {
		return nil, invalid("Write statements name a table, not an index: %s", stmt.Index)
	}
	w := &write{table: stmt.Table, showOnFailure: show == ddb.ReturnValueAllOld, needOld: true}
	if stmt.Kind == partiql.Insert {
		w.action, w.item, w.insert = actionPut, stmt.Item, true
		return w, nil
	}
	var err error
	if w.key, w.condition, err = t.splitKey(stmt.Where); err != nil {
		return nil, err
	}
	switch stmt.Kind {
	case partiql.Update:
		w.action, w.update, w.existing = actionUpdate, stmt.Changes, true
	case partiql.Delete:
		w.action = actionDelete
	default:
		w.action, w.existing = actionCheck, true
	}
	return w, nil
}

// splitKey takes the equalities on the key out of a WHERE clause, which must have one for each key attribute.
func (t *table) splitKey(where *expr.Condition) (itemKey attr.Map, rest *expr.Condition, err error) {
	var fields []attr.Field
	for _, c := range where.Conjuncts() {
		test, ok := c.KeyTest()
		taken := slices.ContainsFunc(fields, func(f attr.Field) bool { return f.Name == test.Name })
		if ok && test.Op == expr.KeyEqual && t.isKey(test.Name) && !taken {
			fields = append(fields, attr.Field{Name: test.Name, Value: test.Low})
		} else {
			rest = expr.And(rest, c)
		}
	}
	if len(fields) != len(t.keys.all) {
		return nil, nil, invalid("Where clause does not contain a mandatory equality on all key attributes")
	}
	return attr.NewMap(fields...), rest, nil
}

// returnedBy returns what the RETURNING clause of a write asks for.
func returnedBy(stmt *partiql.Statement, done written) attr.Map {
	mode := map[partiql.Returning]string{
		partiql.ReturnAllOld: ddb.ReturnValueAllOld, partiql.ReturnAllNew: ddb.ReturnValueAllNew,
		partiql.ReturnModifiedOld: ddb.ReturnValueUpdatedOld, partiql.ReturnModifiedNew: ddb.ReturnValueUpdatedNew,
	}[stmt.Returning]
	return (&write{update: stmt.Changes}).returned(mode, done)
}

// selection is a SELECT ready to be run.
type selection struct {
	*reading
	src   source
	spans []store.Span
	// hashes are the partition keys of the spans; nil for a scan.
	hashes []attr.Value
}

// openSelection finds what a SELECT reads and by which keys.
func (s *Service) openSelection(r store.Reader, p place, stmt *partiql.Statement, limit int, consistent bool) (*selection, error) {
	t, err := s.itemTable(r, p, stmt.Table)
	if err != nil {
		return nil, err
	}
	sel := &selection{reading: &reading{table: stmt.Table, indexName: stmt.Index, limit: limit, consistent: consistent}}
	if stmt.Columns != nil {
		names := make([]string, len(stmt.Columns))
		for i, path := range stmt.Columns {
			names[i] = path[0].Name
		}
		sel.projection = expr.NewProjection(names)
	}
	if stmt.Index != "" {
		switch ix := t.index(stmt.Index); {
		case ix == nil:
			return nil, invalid("The table does not have the specified index")
		case ix.global && consistent:
			return nil, invalid("Strongly consistent read is not supported on Global Secondary Indexes")
		}
	}
	if sel.src, err = sel.reading.open(t); err != nil {
		return nil, err
	}
	if err := sel.src.checkFiltered(stmt.Where); err != nil {
		return nil, err
	}
	return sel, sel.plan(stmt)
}

// checkFiltered refuses conditions on attributes that the source's index does not have.
func (src source) checkFiltered(where *expr.Condition) error {
	if src.index == nil || src.index.projected == nil || where == nil {
		return nil
	}
	var missing []string
	for _, name := range where.Names() {
		if !src.index.holds(src.table, name) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return invalidValue("Secondary index %s does not project one or more filter attributes: [%s]", src.index.Name, strings.Join(missing, ", "))
	}
	return nil
}

// plan chooses the keys that are read: those of the partitions that the condition names, or all.
func (sel *selection) plan(stmt *partiql.Statement) error {
	ks := sel.src.schema()
	byName := map[string]expr.KeyTest{} // the first test of each key attribute
	for _, c := range stmt.Where.Conjuncts() {
		test, ok := c.KeyTest()
		name, choices, isChoice := c.Choices()
		_, taken := byName[test.Name]
		hash := ks.hash[0].name
		switch {
		case sel.hashes == nil && isChoice && len(ks.hash) == 1 && name == hash:
			sel.hashes = distinct(choices)
		case sel.hashes == nil && ok && test.Name == hash && test.Op == expr.KeyEqual:
			sel.hashes = []attr.Value{test.Low}
		case ok && !taken && test.Name != hash && ks.has(test.Name):
			byName[test.Name] = test
		default:
			sel.filter = expr.And(sel.filter, c)
		}
	}
	tests := sel.usable(ks, byName)
	for _, name := range slices.Sorted(maps.Keys(byName)) { // what is left
		sel.filter = expr.And(sel.filter, byName[name].Condition())
	}
	descending, err := sel.order(stmt, ks)
	if err != nil {
		return err
	}
	if sel.hashes == nil {
		sel.spans = []store.Span{sel.src.prefix().Span()}
		return nil
	}
	for _, h := range sel.hashes {
		span, err := sel.src.keySpan(append([]expr.KeyTest{{Name: ks.hash[0].name, Op: expr.KeyEqual, Low: h}}, tests...))
		if err != nil {
			return err
		}
		span.Reverse = descending
		sel.spans = append(sel.spans, span)
	}
	return nil
}

// usable takes the tests out of byName by which keys can be selected: equalities on all hash attributes, and then on sort attributes up to the first that
// has a range or nothing.
func (sel *selection) usable(ks *keyAttrs, byName map[string]expr.KeyTest) (tests []expr.KeyTest) {
	for _, a := range ks.hash[1:] {
		if t, ok := byName[a.name]; !ok || t.Op != expr.KeyEqual {
			if sel.hashes != nil { // a part of a partition key selects nothing
				byName[ks.hash[0].name] = expr.KeyTest{Name: ks.hash[0].name, Op: expr.KeyEqual, Low: sel.hashes[0]}
				sel.hashes = nil
			}
		}
	}
	if sel.hashes == nil {
		return nil
	}
	for _, a := range slices.Concat(ks.hash[1:], ks.sort) {
		t, ok := byName[a.name]
		if !ok {
			break
		}
		tests = append(tests, t)
		delete(byName, a.name)
		if t.Op != expr.KeyEqual {
			break
		}
	}
	return tests
}

// distinct returns values without repetitions, in their order.
func distinct(values []attr.Value) []attr.Value {
	out := slices.Clone(values)
	slices.SortFunc(out, func(a, b attr.Value) int { return slices.Compare(a, b) })
	return slices.CompactFunc(out, attr.Equal)
}

// order checks ORDER BY, and tells whether the sort key descends.
func (sel *selection) order(stmt *partiql.Statement, ks *keyAttrs) (descending bool, err error) {
	if stmt.Order != nil && sel.hashes == nil {
		return false, invalid("Must have WHERE clause in the statement when using ORDER BY clause.")
	}
	for _, o := range stmt.Order {
		switch {
		case slices.ContainsFunc(ks.sort, func(a keyAttr) bool { return a.name == o.Name }):
			descending = o.Descending
		case !ks.has(o.Name):
			return false, invalid("Variable reference %s in ORDER BY clause must be part of the primary key", o.Name)
		case o.Descending:
			slices.Reverse(sel.hashes)
		}
	}
	return descending, nil
}

// read reads a page from the start key on.
func (sel *selection) read(r store.Reader) (*page, error) {
	out := &page{}
	first := 0
	if sel.startKey != nil {
		if err := sel.src.checkStart(sel.startKey); err != nil {
			return nil, err
		}
		if sel.hashes != nil {
			name := sel.src.schema().hash[0].name
			first = slices.IndexFunc(sel.hashes, func(h attr.Value) bool { return attr.Equal(h, sel.startKey.Get(name)) })
			if first < 0 {
				return nil, invalid("The provided NextToken does not belong to the statement")
			}
		}
		sel.spans[first] = sel.src.after(sel.spans[first], sel.startKey)
	}
	for _, span := range sel.spans[first:] {
		if full, err := sel.fill(r, sel.src, span, out); err != nil || full {
			return out, err
		}
	}
	return out, nil
}

func (s *Service) selectItems(ctx context.Context, stmt *partiql.Statement, in *ddb.ExecuteStatementInput) (*ddb.ExecuteStatementOutput, error) {
	out := &ddb.ExecuteStatementOutput{}
	start, err := parseNextToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	err = s.store.View(ctx, func(r store.Reader) error {
		sel, err := s.openSelection(r, p, stmt, int(deref(in.Limit)), isTrue(in.ConsistentRead))
		if err != nil {
			return err
		}
		sel.startKey = start
		if err := s.admitRead(sel.src); err != nil {
			return err
		}
		pg, err := sel.read(r)
		if err != nil {
			return err
		}
		s.spend(sel.src.table, sel.units(sel.src, pg.size, pg.fetched), false)
		out.Items = []attr.Map{}
		for _, item := range pg.items {
			out.Items = append(out.Items, stmt.Project(item))
		}
		out.LastEvaluatedKey, out.NextToken = pg.lastKey, nextToken(pg.lastKey)
		out.ConsumedCapacity = sel.units(sel.src, pg.size, pg.fetched).report(in.ReturnConsumedCapacity, sel.src.Name, capacityPlain)
		return nil
	})
	if err != nil {
		return nil, storeError(err)
	}
	return out, nil
}

// nextToken returns the token from which a SELECT goes on after a key, or nil.
func nextToken(last attr.Map) *string {
	if last == nil {
		return nil
	}
	b, err := last.AppendJSON(nil)
	if err != nil {
		return nil
	}
	return ptr(base64.RawURLEncoding.EncodeToString(b))
}

// parseNextToken is the inverse of nextToken.
func parseNextToken(token *string) (start attr.Map, err error) {
	if token == nil {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*token)
	if err == nil {
		_, err = start.DecodeJSON(b)
	}
	if err != nil || start.Err() != nil {
		return nil, invalid("The provided NextToken is not valid")
	}
	return start, nil
}
