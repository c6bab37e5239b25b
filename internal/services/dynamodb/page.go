package dynamodb

import (
	"slices"
	"strings"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// maxPage is how much a Query or a Scan reads before it returns, before filters, in bytes.
const maxPage = 1 << 20

// reading is what Query and Scan have in common.
type reading struct {
	table      string
	indexName  string
	selectMode string
	limit      int // 0 means none
	consistent bool
	startKey   attr.Map
	filter     *expr.Condition
	projection *expr.Projection
	capacity   string
	// seen is told of every entry that is read; nil when nobody wants to know.
	seen func(item attr.Map)
	// keyErr tells what is wrong with the key conditions of a query, which is reported after what is wrong with the rest.
	keyErr error
	// These tell that filter and projection come from parameters of the time before expressions.
	legacyFilter, legacyProjection bool
}

// source is what a reading reads: a table or one of its indexes.
type source struct {
	*table
	index *index // nil for the table
}

// page is what a reading returns.
type page struct {
	items          []attr.Map
	count, scanned int32
	lastKey        attr.Map
	capacity       *ddb.ConsumedCapacity
	size           int     // of what was scanned, in bytes
	fetched        float64 // units of items that were read for the entries of a local index
}

// open finds what the request reads and checks the request against it.
func (rd *reading) open(t *table) (source, error) {
	src := source{table: t}
	if rd.indexName == "" {
		if rd.selectMode == ddb.SelectAllProjectedAttributes {
			return src, invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
		}
		return src, nil
	}
	src.index = t.index(rd.indexName)
	switch {
	case src.index == nil:
		return src, invalid("The table does not have the specified index: %s", rd.indexName)
	case src.index.Filling:
		return src, invalid("Cannot read from backfilling global secondary index: %s", rd.indexName)
	case src.index.global && rd.consistent:
		return src, invalid("Consistent reads are not supported on global secondary indexes")
	case src.index.global && src.index.projected != nil && rd.selectMode == ddb.SelectAllAttributes:
		return src, invalidValue("Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", rd.indexName)
	}
	return src, rd.checkProjected(src)
}

// checkProjected refuses attributes that a global index does not have.
func (rd *reading) checkProjected(src source) error {
	if !src.index.global || src.index.projected == nil || rd.projection == nil {
		return nil
	}
	var missing []string
	for _, path := range rd.projection.Paths {
		if !src.index.holds(src.table, path[0].Name) {
			missing = append(missing, path[0].Name)
		}
	}
	if missing != nil {
		return invalidValue("Global secondary index %s does not project [%s]", src.index.Name, strings.Join(missing, ", "))
	}
	return nil
}

// schema returns the attributes by which the source is ordered.
func (src source) schema() *keyAttrs {
	if src.index != nil {
		return &src.index.keys
	}
	return &src.keys
}

// startAttrs returns the attributes that a start key of the source consists of.
func (src source) startAttrs() []keyAttr {
	if src.index == nil {
		return src.keys.all
	}
	attrs := slices.Clone(src.keys.all)
	for _, a := range src.index.keys.all {
		if !src.isKey(a.name) {
			attrs = append(attrs, a)
		}
	}
	return attrs
}

// position returns the key in the store of an entry of the source.
func (src source) position(item attr.Map) []byte {
	if src.index != nil {
		return src.index.entryKey(src.table, item)
	}
	return src.itemKey(item)
}

// checkStart checks a start key against the source.
func (src source) checkStart(start attr.Map) error {
	const msg = "The provided starting key is invalid"
	attrs := src.startAttrs()
	mismatch := start.Len() != len(attrs)
	for _, a := range attrs {
		v := start.Get(a.name)
		mismatch = mismatch || v == nil || v.Type() != a.typ
	}
	if mismatch && src.index != nil {
		return invalid(msg)
	}
	if mismatch {
		return invalid(msg + ": The provided key element does not match the schema")
	}
	if err := src.checkKeyValues(start); err != nil {
		return invalid("%s: %s", msg, messageOf(err))
	}
	return nil
}

// lastKey returns the key from which a reading goes on after an item.
func (src source) lastKey(item attr.Map) attr.Map {
	attrs := src.startAttrs()
	fields := make([]attr.Field, len(attrs))
	for i, a := range attrs {
		fields[i] = attr.Field{Name: a.name, Value: item.Get(a.name)}
	}
	return attr.NewMap(fields...)
}

// after narrows span to what follows the start key.
func (src source) after(span store.Span, start attr.Map) store.Span {
	at := src.position(start)
	if span.Reverse {
		if span.Hi == nil || string(at) < string(span.Hi) {
			span.Hi = at
		}
	} else if next := append(slices.Clip(at), 0); string(next) > string(span.Lo) {
		span.Lo = next
	}
	return span
}

// run reads span to the end of a page.
func (rd *reading) run(r store.Reader, src source, span store.Span) (page, error) {
	var out page
	if _, err := rd.fill(r, src, span, &out); err != nil {
		return out, err
	}
	if out.items == nil && rd.selectMode != ddb.SelectCount {
		out.items = []attr.Map{}
	}
	out.capacity = rd.units(src, out.size, out.fetched).report(rd.capacity, src.Name, capacityPlain)
	return out, nil
}

// fill adds what span holds to a page, and tells whether the page is full.
func (rd *reading) fill(r store.Reader, src source, span store.Span, out *page) (full bool, err error) {
	wanted := rd.fetches(src)
	for pair, err := range r.Range(span) {
		if err != nil {
			return false, err
		}
		item := attr.Map(pair.Value)
		out.scanned++
		out.size += item.Size()
		if rd.seen != nil {
			rd.seen(item)
		}
		last := rd.limit > 0 && int(out.scanned) == rd.limit || out.size >= maxPage
		if last {
			out.lastKey = src.lastKey(item)
		}
		if wanted {
			if item, err = readItem(r, src.itemKey(item)); err != nil {
				return false, err
			}
			out.fetched += readUnits(item.Size(), rd.consistent)
		}
		if rd.filter == nil || rd.filter.Match(item) {
			out.count++
			if rd.selectMode != ddb.SelectCount {
				out.items = append(out.items, project(rd.projection, item))
			}
		}
		if last {
			return true, nil
		}
	}
	return false, nil
}

// prefix returns what the keys of the source begin with.
func (src source) prefix() key.Key {
	if src.index != nil {
		return src.index.entries
	}
	return src.items
}

// fetches tells whether the reading needs attributes that a local index does not have, and so reads the items of its entries.
func (rd *reading) fetches(src source) bool {
	if src.index == nil || src.index.global || src.index.projected == nil {
		return false
	}
	if rd.projection == nil {
		return rd.selectMode == ddb.SelectAllAttributes
	}
	for _, path := range rd.projection.Paths {
		if !src.index.holds(src.table, path[0].Name) {
			return true
		}
	}
	return false
}

// holds tells whether the entries of an index with a projection have an attribute.
func (ix *index) holds(t *table, name string) bool {
	return t.isKey(name) || ix.keys.has(name) || slices.Contains(ix.Projection.NonKeyAttributes, name)
}

// units returns what reading size bytes, and fetching items besides, consumes.
func (rd *reading) units(src source, size int, fetched float64) units {
	n := readUnits(size, rd.consistent)
	if src.index == nil {
		return units{table: n}
	}
	u := units{table: fetched}
	u.addIndex(src.index.Name, indexUnits{n, src.index.global})
	return u
}

// checkSelect checks the combination of Select with a projection.
func (rd *reading) checkSelect() error {
	switch {
	case rd.projection != nil && rd.selectMode != "" && rd.selectMode != ddb.SelectSpecificAttributes:
		parameter := "ProjectionExpression"
		if rd.legacyProjection {
			parameter = "AttributesToGet"
		}
		return invalid("Cannot specify the %s when choosing to get %s", parameter, rd.selectMode)
	case rd.projection == nil && rd.selectMode == ddb.SelectSpecificAttributes:
		return invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	}
	if err := rd.startKey.Err(); err != nil {
		return invalid("The provided starting key is invalid: %s", err.Error())
	}
	return nil
}
