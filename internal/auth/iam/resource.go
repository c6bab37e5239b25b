package iam

import (
	"strings"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/glob"
)

// part is a piece of a pattern: text with wildcards, a literal, or a variable.
type part struct {
	// text is the text of a pattern or of a literal; unused for a variable.
	text    string
	literal bool
	// key is the lower-case condition key of a variable, name the key as written.
	key, name string
	// fallback is the default of a variable; hasFallback tells whether there is one.
	fallback    string
	hasFallback bool
}

// split cuts s into parts. ok is false when a variable is not closed or empty.
func split(s string) (parts []part, ok bool) {
	for s != "" {
		i := strings.Index(s, "${")
		if i < 0 {
			return append(parts, part{text: s}), true
		}
		if i > 0 {
			parts = append(parts, part{text: s[:i]})
		}
		body, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed {
			return nil, false
		}
		s = rest
		switch body {
		case "*", "?", "$":
			parts = append(parts, part{text: body, literal: true})
			continue
		}
		v := part{}
		name, def, hasDef := strings.Cut(body, ",")
		v.name = strings.TrimSpace(name)
		v.key = strings.ToLower(v.name)
		if hasDef {
			def = strings.TrimSpace(def)
			if len(def) < 2 || def[0] != '\'' || def[len(def)-1] != '\'' {
				return nil, false
			}
			v.fallback, v.hasFallback = def[1:len(def)-1], true
		}
		if v.key == "" || strings.ContainsAny(v.key, " $") {
			return nil, false
		}
		parts = append(parts, v)
	}
	return parts, true
}

// dynamic reports whether one of the parts depends on the request.
func dynamic(parts []part) bool {
	for i := range parts {
		if parts[i].key != "" {
			return true
		}
	}
	return false
}

// resolve returns the value of a variable; ok is false when the request has not exactly one.
func (p *part) resolve(ctx Context) (value string, ok bool) {
	if vals := ctx.Values(p.key); len(vals) == 1 {
		return vals[0], true
	}
	return p.fallback, p.hasFallback
}

// pattern builds the glob of parts; ok is false when a variable has no value. wild says whether
// the wildcards of texts count; those of values never do.
func pattern(parts []part, ctx Context, wild bool) (g glob.Pattern, ok bool) {
	var b glob.Builder
	for i := range parts {
		p := &parts[i]
		switch {
		case p.key != "":
			v, ok := p.resolve(ctx)
			if !ok {
				return g, false
			}
			b.Literal(v)
		case p.literal || !wild:
			b.Literal(p.text)
		default:
			b.Pattern(p.text)
		}
	}
	return b.Build(), true
}

// resource is one compiled Resource element, or the value of an ARN condition.
type resource struct {
	// fixed is set when nothing depends on the request.
	fixed *arn.Pattern
	segs  [6][]part
}

// compileResource prepares an ARN pattern. vars says whether the document has variables.
func compileResource(s string, vars bool) (resource, bool) {
	if !vars || !strings.Contains(s, "${") {
		return resource{fixed: arn.Compile(s)}, true
	}
	parts, ok := split(s)
	if !ok {
		return resource{}, false
	}
	var r resource
	n := 0
	for _, p := range parts {
		for p.key == "" && !p.literal && n < 5 {
			before, after, found := strings.Cut(p.text, ":")
			if !found {
				break
			}
			if before != "" {
				r.segs[n] = append(r.segs[n], part{text: before})
			}
			n++
			p.text = after
		}
		if p.key != "" || p.text != "" {
			r.segs[n] = append(r.segs[n], p)
		}
	}
	for i := n + 1; i < len(r.segs); i++ {
		r.segs[i] = []part{{text: "*"}}
	}
	return r, true
}

// match reports whether the pattern covers name.
func (r *resource) match(name string, ctx Context) bool {
	if r.fixed != nil {
		return r.fixed.Match(name)
	}
	for i := range r.segs {
		seg := name
		if i < len(r.segs)-1 {
			var ok bool
			if seg, name, ok = strings.Cut(name, ":"); !ok {
				return false
			}
		}
		g, ok := pattern(r.segs[i], ctx, true)
		if !ok || !g.Match(seg) {
			return false
		}
	}
	return true
}
