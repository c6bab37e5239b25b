// Package glob matches texts against patterns of "*" (any run of characters, also empty) and
// "?" (one character).
//
// Matching keeps one point to go back to, so that its cost is at most the product of both
// lengths and close to linear in practice: there is no pattern that takes exponential time.
// There are no escapes and no classes; a literal star is written with a [Builder].
package glob

import (
	"strings"
	"unicode/utf8"
)

// The two wildcards of a token list; smaller values are literal bytes.
const (
	star uint16 = 256 + iota
	one
)

// Pattern is a compiled pattern. The zero value matches the empty text only. It is immutable.
type Pattern struct {
	// lit is the literal text before the first wildcard.
	lit string
	// toks is what follows lit, from the first wildcard on; nil for an exact pattern.
	toks []uint16
}

// Compile prepares s, in which "*" and "?" are wildcards.
func Compile(s string) Pattern {
	var b Builder
	b.Pattern(s)
	return b.Build()
}

// Builder puts a pattern together from parts whose text is literal and parts whose wildcards
// count. The zero value is an empty pattern.
type Builder struct {
	lit  strings.Builder
	toks []uint16
}

// Literal adds s, in which no character is a wildcard.
func (b *Builder) Literal(s string) {
	if b.toks == nil {
		b.lit.WriteString(s)
		return
	}
	for i := range len(s) {
		b.toks = append(b.toks, uint16(s[i]))
	}
}

// Pattern adds s, in which "*" and "?" are wildcards.
func (b *Builder) Pattern(s string) {
	for s != "" {
		i := strings.IndexAny(s, "*?")
		if i < 0 {
			b.Literal(s)
			return
		}
		b.Literal(s[:i])
		if s[i] == '?' {
			b.toks = append(b.toks, one)
		} else if n := len(b.toks); n == 0 || b.toks[n-1] != star {
			b.toks = append(b.toks, star)
		}
		s = s[i+1:]
	}
}

// Build returns the pattern.
func (b *Builder) Build() Pattern { return Pattern{lit: b.lit.String(), toks: b.toks} }

// Exact reports whether the pattern has no wildcard.
func (p *Pattern) Exact() bool { return p.toks == nil }

// Any reports whether the pattern is a lone star.
func (p *Pattern) Any() bool { return p.lit == "" && len(p.toks) == 1 && p.toks[0] == star }

// Prefix returns the literal text before the first wildcard.
func (p *Pattern) Prefix() string { return p.lit }

// Match reports whether s as a whole matches.
func (p *Pattern) Match(s string) bool {
	if p.toks == nil {
		return s == p.lit
	}
	if !strings.HasPrefix(s, p.lit) {
		return false
	}
	s = s[len(p.lit):]
	if len(p.toks) == 1 && p.toks[0] == star {
		return true
	}
	return match(p.toks, s)
}

// match walks both with one point to return to: the last star and the text behind it.
func match(toks []uint16, s string) bool {
	ti, si := 0, 0
	backT, backS := -1, 0
	for si < len(s) {
		switch {
		case ti < len(toks) && toks[ti] == star:
			ti++
			backT, backS = ti, si
		case ti < len(toks) && toks[ti] == one:
			_, n := utf8.DecodeRuneInString(s[si:])
			ti, si = ti+1, si+n
		case ti < len(toks) && toks[ti] == uint16(s[si]):
			ti, si = ti+1, si+1
		case backT >= 0:
			backS++
			ti, si = backT, backS
		default:
			return false
		}
	}
	for ti < len(toks) && toks[ti] == star {
		ti++
	}
	return ti == len(toks)
}
