package insights

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxRows bounds the rows and the groups that a query keeps
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Limit.html).
const maxRows = 10_000

// Query is a query that was read. It is safe for concurrent use.
type Query struct {
	commands []command
	columns  []string
	times    map[string]bool
	grouped  bool
}

// command makes the part of a run that a command is, before the next one.
type command func(k *keeper, next sink) sink

// builder collects the commands of a query.
type builder struct {
	parser
	Query

	// ordered tells that the rows have an order already.
	ordered bool
	shows   bool // display was met
	counted bool // matched events are counted
}

// Parse reads a query. Its error is an [*Error].
func Parse(text string) (*Query, error) {
	b := &builder{parser: parser{scanner: scanner{query: text}, columns: map[string]bool{}}}
	b.times = b.parser.columns
	b.advance()
	for b.err == nil {
		b.command()
		if b.take("|") || b.err != nil {
			continue
		}
		if b.tok.kind != end {
			b.fail("unexpected %s", b.tok.shown())
		}
		break
	}
	if b.err != nil {
		return nil, b.err
	}
	b.order()
	if b.Query.columns == nil {
		b.Query.columns = []string{"@timestamp", "@message"}
	}
	return &b.Query, nil
}

// order gives rows that have no order the one of AWS's console: the newest event first.
func (b *builder) order() {
	if !b.ordered {
		b.ordered = true
		b.whole(sortBy([]sortKey{{of: fieldOf("@timestamp"), down: true}}))
	}
}

func (b *builder) add(c command) { b.commands = append(b.commands, c) }

// whole adds a command that looks at several rows. Before the first one, events are counted as matched.
func (b *builder) whole(c command) {
	if !b.counted {
		b.counted = true
		b.add(func(k *keeper, next sink) sink {
			return &mapped{next, func(*row) bool { k.matched++; return true }}
		})
	}
	b.add(c)
}

func (b *builder) command() {
	name := b.tok
	if name.kind != word {
		b.fail("unexpected %s: a command was expected", name.shown())
		return
	}
	read := map[string]func(){
		"fields": b.fields, "display": b.display, "filter": b.filter, "parse": b.parse, "stats": b.stats, "sort": b.sort, "order": b.sort, "limit": b.limit, "head": b.limit, "dedup": b.dedup,
	}[strings.ToLower(name.text)]
	if read == nil {
		b.fail("the command %s is not supported", name.text)
		return
	}
	b.advance()
	read()
}

// column is an expression and its name.
type column struct {
	expression

	name string
}

// columnsOf reads expressions with their names.
func (b *builder) columnsOf() (out []column) {
	for more := true; more && b.err == nil; more = b.take(",") {
		from := b.tok.from
		c := column{expression: b.expression()}
		c.name = strings.TrimSpace(b.query[from:max(b.last, from)])
		if c.field != "" {
			c.name = c.field
		}
		if b.take("as") {
			c.name, c.field = b.name(), ""
		}
		out = append(out, c)
	}
	return out
}

// name reads a name.
func (b *builder) name() string {
	t := b.tok
	if t.kind != word && t.kind != quoted {
		b.fail("unexpected %s: a name was expected", t.shown())
		return ""
	}
	b.advance()
	return t.text
}

func (b *builder) show(name string) {
	if !b.shows && !slices.Contains(b.Query.columns, name) {
		b.Query.columns = append(b.Query.columns, name)
	}
}

func (b *builder) fields() {
	all := b.columnsOf()
	var made []column
	for _, c := range all {
		b.show(c.name)
		if c.field == "" {
			b.times[c.name] = c.time
			made = append(made, c)
		}
	}
	b.add(each(func(r *row) bool {
		for _, c := range made {
			if v := c.value(r); v != nil {
				r.set(c.name, v)
			}
		}
		return true
	}))
}

func (b *builder) display() {
	b.Query.columns, b.shows = nil, false
	b.fields()
	b.shows = true
}

func (b *builder) filter() {
	e := b.expression()
	b.add(each(func(r *row) bool { return holds(e.value(r)) }))
}

// parse takes parts of a text into fields: by a pattern in which * stands for each, or by the groups of a regular expression.
func (b *builder) parse() {
	of := fieldOf("@message")
	if b.tok.kind == word || b.tok.kind == quoted {
		of = b.field(b.tok.text)
		b.value = false // a slash begins a regular expression
		b.advance()
	}
	var re *regexp.Regexp
	var names []string
	switch b.tok.kind {
	case regex:
		re = b.regexp()
		names = re.SubexpNames()[1:]
	case text:
		var err error
		if re, err = glob(b.tok.text); err != nil {
			b.fail("the text of parse is too long or has characters that are none")
			return
		}
		b.advance()
	default:
		b.fail("unexpected %s: parse takes a text with * or a regular expression between slashes", b.tok.shown())
		return
	}
	if b.take("as") {
		names = nil
		for more := true; more && b.err == nil; more = b.take(",") {
			names = append(names, b.name())
		}
	}
	if b.err == nil && (len(names) != re.NumSubexp() || slices.Contains(names, "")) {
		b.fail("parse takes %d parts, and needs as many names", re.NumSubexp())
	}
	for _, name := range names {
		b.times[name] = false
	}
	b.add(each(func(r *row) bool {
		for i, part := range re.FindStringSubmatch(shown(of.value(r), of.time)) {
			if i > 0 {
				r.set(names[i-1], part)
			}
		}
		return true
	}))
}

// glob returns the regular expression of a text in which * stands for a part.
func glob(text string) (*regexp.Regexp, error) {
	parts := strings.Split(text, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	re := "(?s)" + strings.Join(parts, "(.*?)")
	if strings.HasSuffix(text, "*") {
		re += "$"
	}
	return regexp.Compile(re)
}

func (b *builder) stats() {
	var aggregates []aggregate
	b.aggregates = &aggregates
	made := b.columnsOf()
	b.aggregates = nil
	var by []column
	if b.take("by") {
		by = b.columnsOf()
	}
	if b.err == nil && len(aggregates) == 0 {
		b.fail("stats needs an aggregate such as count(*)")
	}
	b.Query.columns, b.shows, b.grouped, b.ordered = nil, false, true, true
	clear(b.times)
	for _, c := range slices.Concat(by, made) {
		b.show(c.name)
		b.times[c.name] = c.time
	}
	b.whole(groupBy(by, made, aggregates))
}

// sortKey is one of the values that rows are sorted by.
type sortKey struct {
	of   expression
	down bool
}

func (b *builder) sort() {
	b.take("by")
	var keys []sortKey
	for more := true; more && b.err == nil; more = b.take(",") {
		k := sortKey{of: b.expression()}
		if k.down = b.take("desc"); !k.down {
			b.take("asc")
		}
		keys = append(keys, k)
	}
	b.ordered = true
	b.whole(sortBy(keys))
}

func (b *builder) limit() {
	n, err := strconv.Atoi(b.tok.text)
	if b.tok.kind != number || err != nil || n < 1 || n > maxRows {
		b.fail("unexpected %s: a limit is a whole number from 1 to %d", b.tok.shown(), maxRows)
		return
	}
	b.advance()
	b.order()
	b.add(limitTo(n))
}

func (b *builder) dedup() {
	b.order()
	keys := b.columnsOf()
	b.add(distinctBy(keys))
}
