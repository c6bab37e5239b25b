package wire

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"lambent.dev/lambent/internal/awsapi"
)

// patterns caches the compiled patterns of an API's shapes.
type patterns struct{ m sync.Map } // *awsapi.Shape → *regexp.Regexp, nil when RE2 has no such form

func (p *patterns) get(s *awsapi.Shape) *regexp.Regexp {
	if re, ok := p.m.Load(s); ok {
		compiled, _ := re.(*regexp.Regexp)
		return compiled
	}
	re := compilePattern(s.Pattern)
	p.m.Store(s, re)
	return re
}

// compilePattern translates a model's pattern, which is in the dialect of Java
// or ECMAScript, to RE2's. It returns nil for look-around and the like; a test
// lists those. A pattern is matched against the whole value, as AWS does.
func compilePattern(pattern string) *regexp.Regexp {
	if pattern == ".*" { // says that anything goes, such as the lines of a document
		pattern = "(?s).*"
	}
	re, err := regexp.Compile(`^(?:` + translatePattern(pattern) + `)$`)
	if err != nil {
		return nil
	}
	return re
}

// translatePattern rewrites \\uXXXX escapes, among them the surrogate pairs that
// stand for all characters above U+FFFF, and widens repetitions over RE2's limit
// of 1,000: the lengths of values have constraints of their own.
func translatePattern(pattern string) string {
	for _, pair := range []string{`\uD800\uDC00-\uDBFF\uDFFF`, `\ud800\udc00-\udbff\udfff`} {
		pattern = strings.ReplaceAll(pattern, pair, `\x{10000}-\x{10FFFF}`)
	}
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			if pattern[i+1] == 'u' && i+6 <= len(pattern) {
				b.WriteString(`\x{` + pattern[i+2:i+6] + `}`)
				i += 5
				continue
			}
			n := 2
			if end := strings.IndexByte(pattern[i:], '}'); end > 0 && i+2 < len(pattern) && pattern[i+2] == '{' && strings.IndexByte("xpP", pattern[i+1]) >= 0 {
				n = end + 1
			}
			b.WriteString(strings.Replace(pattern[i:i+n], `\p{Print}`, `[\x20-\x7E]`, 1))
			i += n - 1
		case c == '{':
			end := strings.IndexByte(pattern[i:], '}')
			if end < 0 {
				b.WriteByte(c)
				continue
			}
			b.WriteString(widenRepeat(pattern[i : i+end+1]))
			i += end
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// widenRepeat drops the upper bound of a repetition such as {1,2048}.
func widenRepeat(repeat string) string {
	const limit = 1000
	low, high, ranged := strings.Cut(repeat[1:len(repeat)-1], ",")
	n, err := strconv.Atoi(strings.TrimSpace(low))
	if err != nil {
		return repeat
	}
	if m, err := strconv.Atoi(strings.TrimSpace(high)); n <= limit && (err != nil || m <= limit) {
		return repeat
	}
	if n > limit || !ranged {
		n = limit
	}
	return "{" + strconv.Itoa(n) + ",}"
}
