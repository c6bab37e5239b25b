package vtl

import (
	"errors"
	"slices"
	"strings"
)

// maxDepth is how deep templates, expressions and values may nest.
const maxDepth = 200

// MaxSize is the greatest size of a template in bytes
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html).
const MaxSize = 300 << 10

// Template is a compiled template. It is safe for concurrent use.
type Template struct {
	nodes   []node
	names   []string
	members []members // of each variable, in the order of names
	loop    loopSlots
}

// members are the members of a variable that a template names, and whether it uses the variable in another way, too.
type members struct {
	names map[string]struct{}
	whole bool
}

// Reads tells whether the template can ask for a member of a variable: it names that member, or uses the variable as a whole. Who makes the variable
// for one run may leave out the other members.
func (t *Template) Reads(variable, member string) bool {
	i := slices.Index(t.names, variable)
	if i < 0 {
		return false
	}
	_, named := t.members[i].names[member]
	return named || t.members[i].whole
}

// loopSlots are the slots of the variables that #foreach sets.
type loopSlots struct{ foreach, count, hasNext int }

// parser reads one template, or one double-quoted string in it.
type parser struct {
	text  string
	at    int
	depth int
	slots *slots
}

// slots numbers the variables of a template.
type slots struct {
	names   []string
	index   map[string]int
	members []members
}

func (s *slots) of(name string) int {
	i, ok := s.index[name]
	if !ok {
		i = len(s.names)
		s.names = append(s.names, name)
		s.members = append(s.members, members{})
		s.index[name] = i
	}
	return i
}

// use notes what a reference uses of its variable.
func (s *slots) use(ref *reference) {
	m := &s.members[ref.slot]
	if len(ref.steps) == 0 || ref.steps[0].call || ref.steps[0].index != nil {
		m.whole = true
		return
	}
	if m.names == nil {
		m.names = map[string]struct{}{}
	}
	m.names[ref.steps[0].name] = struct{}{}
}

// Parse compiles a template. Its error is a [*SyntaxError].
func Parse(text string) (*Template, error) {
	if len(text) > MaxSize {
		return nil, syntaxError(text, MaxSize, "the template is larger than 300 KiB")
	}
	p := &parser{text: text, slots: &slots{index: map[string]int{}}}
	t := &Template{}
	t.loop = loopSlots{p.slots.of("foreach"), p.slots.of("velocityCount"), p.slots.of("velocityHasNext")}
	nodes, end, err := p.block()
	if err == nil && end != "" {
		err = p.fault("#" + end + " without the directive that it belongs to")
	}
	if f := (*fault)(nil); errors.As(err, &f) {
		return nil, syntaxError(text, f.at, f.message)
	}
	t.nodes, t.names, t.members = nodes, p.slots.names, p.slots.members
	return t, nil
}

// fault is a syntax error whose line and column have not been counted: a bracket that is text after all makes many that nobody sees.
type fault struct {
	at      int
	message string
}

// Error returns the message.
func (f *fault) Error() string { return f.message }

func (p *parser) fault(message string) error { return &fault{p.at, message} }

// enter counts a level of nesting; the caller leaves it with p.depth--.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return p.fault("the template nests too deeply")
	}
	return nil
}

// block reads up to the end of the text or to #end, #else or #elseif, whose name it returns.
func (p *parser) block() (nodes []node, end string, err error) {
	if err := p.enter(); err != nil {
		return nil, "", err
	}
	defer func() { p.depth-- }()
	var text []byte
	flush := func() {
		if len(text) > 0 {
			nodes = append(nodes, literal(text))
			text = nil
		}
	}
	afterDirective := false // nothing but blanks since the last directive
	for p.at < len(p.text) {
		n := strings.IndexAny(p.text[p.at:], "$#\\")
		if n < 0 {
			n = len(p.text) - p.at
		}
		text = append(text, p.text[p.at:p.at+n]...)
		p.at += n
		if p.at == len(p.text) {
			break
		}
		var found node
		switch p.text[p.at] {
		case '\\':
			text = p.escape(text)
			continue
		case '$':
			start := p.at
			ref, err := p.reference()
			if err != nil {
				return nil, "", err
			}
			if ref == nil {
				p.at = start + 1
				text = append(text, '$')
				continue
			}
			flush()
			nodes, afterDirective = append(nodes, ref), false
			continue
		}
		name := p.directiveName()
		switch name {
		case "end", "else", "elseif":
			flush()
			p.skipName(name)
			if name != "elseif" {
				p.blankLine()
			}
			return nodes, name, nil
		case "":
			text = p.hash(text)
			continue
		case "set":
			if afterDirective && strings.Trim(string(text), " \t") == "" {
				text = nil
			}
		}
		flush()
		if found, err = p.directive(name); err != nil {
			return nil, "", err
		}
		if found != nil {
			nodes = append(nodes, found)
		}
		afterDirective = true
	}
	flush()
	return nodes, "", nil
}

// hash reads what begins with # and is no directive: a comment, unparsed text, or text.
func (p *parser) hash(text []byte) []byte {
	rest := p.text[p.at:]
	switch {
	case strings.HasPrefix(rest, "##"):
		n := strings.IndexByte(rest, '\n')
		if n < 0 {
			n = len(rest) - 1
		}
		p.at += n + 1
	case strings.HasPrefix(rest, "#*"):
		n := strings.Index(rest[2:], "*#")
		if n < 0 {
			n = len(rest) - 4
		}
		p.at += n + 4
	case strings.HasPrefix(rest, "#[["):
		inner, _, found := strings.Cut(rest[3:], "]]#")
		p.at += 3 + len(inner)
		if found {
			p.at += 3
		}
		return append(text, inner...)
	case len(rest) > 1 && isLetter(rest[1]):
		// A call of a macro, which API Gateway does not have, is printed as it stands.
		n := 1
		for n < len(rest) && isName(rest[n]) {
			n++
		}
		if n < len(rest) && rest[n] == '(' {
			n = balanced(rest, n)
		}
		p.at += n
		return append(text, rest[:n]...)
	default:
		p.at++
		return append(text, '#')
	}
	return text
}

// maxCall is the greatest length of the call of a macro.
const maxCall = 4 << 10

// balanced returns where the parenthesis that opens at n has been closed, or n.
func balanced(text string, n int) int {
	level := 0
	for i := n; i < min(len(text), n+maxCall); i++ {
		switch text[i] {
		case '(':
			level++
		case ')':
			if level--; level == 0 {
				return i + 1
			}
		}
	}
	return n
}

// escape reads backslashes. Before a reference or a directive two of them are one, and a single one makes it text.
func (p *parser) escape(text []byte) []byte {
	start := p.at
	for p.at < len(p.text) && p.text[p.at] == '\\' {
		p.at++
	}
	n := p.at - start
	from := p.at
	if p.at < len(p.text) && p.text[p.at] == '$' {
		ref, err := p.reference()
		if ref == nil || err != nil {
			p.at = from
			return append(text, p.text[start:from]...)
		}
	} else if name := p.directiveName(); name != "" {
		p.skipName(name)
	} else {
		return append(text, p.text[start:from]...)
	}
	text = append(text, p.text[start:start+n/2]...)
	if n%2 == 0 {
		p.at = from
		return text
	}
	return append(text, p.text[from:p.at]...)
}

// directives are the names that begin a directive.
var directives = []string{"set", "if", "elseif", "else", "end", "foreach", "break", "stop", "define", "macro"}

// directiveName returns the name of the directive that begins here, or "".
func (p *parser) directiveName() string {
	rest, ok := strings.CutPrefix(p.text[p.at:], "#")
	if !ok {
		return ""
	}
	rest, braced := strings.CutPrefix(rest, "{")
	n := 0
	for n < len(rest) && isName(rest[n]) {
		n++
	}
	if braced && (n == len(rest) || rest[n] != '}') {
		return ""
	}
	for _, name := range directives {
		if rest[:n] != name {
			continue
		}
		switch name {
		case "else", "end", "break", "stop":
			return name
		}
		after := strings.TrimLeft(strings.TrimPrefix(rest[n:], "}"), " \t")
		if strings.HasPrefix(after, "(") {
			return name
		}
	}
	return ""
}

func (p *parser) skipName(name string) {
	p.at++
	if p.text[p.at] == '{' {
		p.at += 2
	}
	p.at += len(name)
}

// blankLine skips the rest of the line if that is blank.
func (p *parser) blankLine() {
	rest := strings.TrimLeft(p.text[p.at:], " \t")
	for _, end := range []string{"\r\n", "\n", "\r"} {
		if after, ok := strings.CutPrefix(rest, end); ok {
			p.at = len(p.text) - len(after)
			return
		}
	}
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

func isName(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' || c == '-' }
