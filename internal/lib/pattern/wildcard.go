package pattern

import (
	"slices"

	"lambent.dev/lambent/internal/lib/glob"
)

// maxComplexity is at how many places of a wildcard pattern one text may be at the same time, counting those before and behind a star as two.
// AWS refuses "*:*:*:*:*:event-bus/*", which has eleven, and takes "/Users/*/dir/dir/dir/dir/dir/doc.txt", which has eight.
const maxComplexity = 10

// maxStates bounds the work of finding that out.
const maxStates = 20_000

// glob prepares the text of a wildcard pattern, in which "*" stands for any run of characters and "\*" and "\\" for themselves.
func (c *compiler) glob(t token) (glob.Pattern, *Error) {
	var b glob.Builder
	var parts []int // the bytes of the pattern, -1 for a star
	for i := 0; i < len(t.text); i++ {
		switch ch := t.text[i]; {
		case ch == '*':
			if i+1 < len(t.text) && t.text[i+1] == '*' {
				return glob.Pattern{}, c.fail(t.end, "Consecutive wildcard characters at pos %d", i+1)
			}
			b.Pattern("*")
			parts = append(parts, -1)
			continue
		case ch == '\\':
			if i+1 >= len(t.text) || t.text[i+1] != '*' && t.text[i+1] != '\\' {
				return glob.Pattern{}, c.fail(t.end, "Invalid escape character at pos %d", i+1)
			}
			i++
		}
		b.Literal(t.text[i : i+1])
		parts = append(parts, int(t.text[i]))
	}
	if tooComplex(parts) {
		return glob.Pattern{}, plain("Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character")
	}
	return b.Build(), nil
}

// tooComplex reports whether a text exists that is at more than maxComplexity places of the pattern at once. It walks through the sets of places
// that texts lead to; these sets are small, since a larger one ends the walk.
func tooComplex(parts []int) bool {
	start := settle(parts, []int{0})
	seen := map[string]bool{}
	for todo := [][]int{start}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if len(at) > maxComplexity || len(seen) > maxStates {
			return true
		}
		for _, b := range continuations(parts, at) {
			next := step(parts, at, b)
			if k := setKey(next); !seen[k] {
				seen[k] = true
				todo = append(todo, next)
			}
		}
	}
	return false
}

// continuations are the bytes that lead from the places of a set to different sets; -2 stands for all others.
func continuations(parts, at []int) []int {
	out := []int{-2}
	for _, p := range at {
		if p < len(parts) && parts[p] >= 0 && !slices.Contains(out, parts[p]) {
			out = append(out, parts[p])
		}
	}
	return out
}

// step returns the places behind one more byte.
func step(parts, at []int, b int) []int {
	var next []int
	for _, p := range at {
		switch {
		case p == len(parts):
		case parts[p] == -1:
			next = append(next, p)
		case parts[p] == b:
			next = append(next, p+1)
		}
	}
	return settle(parts, next)
}

// settle adds the places behind the stars in front of which a set stands, and sorts it.
func settle(parts, at []int) []int {
	for i := 0; i < len(at); i++ {
		if p := at[i]; p < len(parts) && parts[p] == -1 && !slices.Contains(at, p+1) {
			at = append(at, p+1)
		}
	}
	slices.Sort(at)
	return slices.Compact(at)
}

func setKey(at []int) string {
	b := make([]byte, 0, 2*len(at))
	for _, p := range at {
		b = append(b, byte(p>>8), byte(p))
	}
	return string(b)
}
