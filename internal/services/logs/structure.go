package logs

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// step is one step of a selector into a JSON document: a name, or an index where name is empty.
type step struct {
	name  string
	index int
}

// compileJSON compiles a pattern in braces, such as { $.level = "ERROR" && $.size > 100 }. Messages that are no JSON do not meet it.
func compileJSON(p string) (*pattern, error) {
	paths := map[string][]step{}
	c := &conditions{rest: p[1:], selector: func(c *conditions) string {
		before := c.rest
		path := c.path()
		text := strings.TrimSuffix(before, c.rest)
		paths[text] = path
		return text
	}}
	met := c.either()
	if c.err == nil && (!c.take("}") || strings.TrimSpace(c.rest) != "") {
		c.fail("the braces have no end.")
	}
	if c.err != nil {
		return nil, c.err
	}
	return &pattern{shape: '{', paths: paths, open: func(m *message) (finder, bool) {
		document, ok := m.decode()
		if !ok {
			return nil, false
		}
		find := func(selector string) found { return follow(document, paths[selector]) }
		return find, met(find)
	}}, nil
}

// path takes a selector such as $.a.b[0]["c d"] from the front.
func (c *conditions) path() []step {
	if !c.take("$") {
		c.fail("a selector begins with $.")
		return nil
	}
	var out []step
	for c.err == nil && c.rest != "" {
		switch c.rest[0] {
		case '.':
			n := strings.IndexFunc(c.rest[1:], func(r rune) bool {
				return !(r < 128 && identifier(byte(r)) || r >= 128 || r == '-' || r == ':' || r == '/')
			})
			if n < 0 {
				n = len(c.rest) - 1
			}
			if n == 0 {
				c.fail("a dot is followed by no name.")
				return nil
			}
			out, c.rest = append(out, step{name: c.rest[1 : 1+n]}), c.rest[1+n:]
		case '[':
			out = append(out, c.bracket())
		default:
			return out
		}
	}
	return out
}

// bracket takes an index or a quoted name in brackets.
func (c *conditions) bracket() (s step) {
	c.take("[")
	if strings.HasPrefix(c.rest, `"`) {
		s.name, c.rest, c.err = takeQuoted(c.rest)
	} else {
		n := strings.IndexByte(c.rest, ']')
		index, err := strconv.Atoi(c.rest[:max(n, 0)])
		if err != nil || index < 0 {
			c.fail("brackets have neither an index nor a quoted name.")
			return s
		}
		s.index, c.rest = index, c.rest[n:]
	}
	if c.err == nil && !c.take("]") {
		c.fail("a bracket has no end.")
	}
	return s
}

// follow goes into a document.
func follow(v any, path []step) found {
	for _, s := range path {
		switch x := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = x[s.name]; !ok || s.name == "" {
				return found{}
			}
		case []any:
			if s.name != "" || s.index >= len(x) {
				return found{}
			}
			v = x[s.index]
		default:
			return found{}
		}
	}
	switch x := v.(type) {
	case nil:
		return found{is: null}
	case bool:
		return found{truth, strconv.FormatBool(x)}
	case json.Number:
		return found{scalar, x.String()}
	case string:
		return found{scalar, x}
	}
	return found{is: compound}
}

// columns is a pattern in brackets.
type columns struct {
	names []string
	met   []condition
	// dots is the place of "...", which stands for any number of columns; -1 for none.
	dots int
}

// compileColumns compiles a pattern in brackets, such as [ip, ..., status = 4*, size > 1000]. A message has a column for each word; what quotation marks or
// brackets hold is one.
func compileColumns(p string) (*pattern, error) {
	c := &conditions{rest: p[1:], selector: (*conditions).name}
	cols := &columns{dots: -1}
	for more := true; more && c.err == nil; more = c.take(",") {
		cols.read(c)
	}
	if c.err == nil && (!c.take("]") || strings.TrimSpace(c.rest) != "") {
		c.fail("the brackets have no end.")
	}
	if c.err != nil {
		return nil, c.err
	}
	return &pattern{shape: '[', columns: cols, open: cols.open}, nil
}

// name takes the name of a column from the front.
func (c *conditions) name() string {
	c.space()
	n := 0
	for n < len(c.rest) && (identifier(c.rest[n]) || c.rest[n] == '-' || c.rest[n] == '$' || c.rest[n] == '.') {
		n++
	}
	name := c.rest[:n]
	if name == "" {
		c.fail("a column has no name.")
		return ""
	}
	c.rest = c.rest[n:]
	return name
}

// read reads one column of the pattern, with its conditions.
func (k *columns) read(c *conditions) {
	ends := func() bool {
		c.space()
		return c.rest == "" || c.rest[0] == ',' || c.rest[0] == ']'
	}
	switch before := c.rest; {
	case c.take("..."):
		if k.dots >= 0 {
			c.fail("... may stand for columns once.")
		}
		k.dots = len(k.names)
	case ends():
		k.names = append(k.names, "")
	default:
		c.take("(")
		name := c.name()
		k.names = append(k.names, name)
		if ends() {
			return
		}
		c.rest = before
		k.met = append(k.met, c.either())
	}
}

// open takes a message apart, and tells whether it meets the pattern.
func (k *columns) open(m *message) (finder, bool) {
	have := m.split()
	switch {
	case k.dots < 0 && len(have) != len(k.names), len(have) < len(k.names):
		return nil, false
	case k.dots >= 0:
		have = slices.Concat(have[:k.dots], have[len(have)-(len(k.names)-k.dots):])
	}
	find := func(selector string) found {
		if i := slices.Index(k.names, selector); i >= 0 {
			return found{scalar, have[i]}
		}
		return found{}
	}
	return find, !slices.ContainsFunc(k.met, func(c condition) bool { return !c(find) })
}

// named returns the columns of a message that meets the pattern, under their names; those without one have their number, from 1 on.
func (k *columns) named(have []string) map[string]string {
	out := make(map[string]string, len(have))
	for i, text := range have {
		at := i // in names
		if k.dots >= 0 && i >= k.dots {
			at = i - (len(have) - len(k.names))
			if at < k.dots {
				at = -1
			}
		}
		name := strconv.Itoa(i + 1)
		if at >= 0 && k.names[at] != "" {
			name = k.names[at]
		}
		out["$"+strings.TrimPrefix(name, "$")] = text
	}
	return out
}
