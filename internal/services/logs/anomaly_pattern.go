package logs

import (
	"encoding/hex"
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	api "lambent.dev/lambent/internal/awsapi/logs"
)

const (
	// maxPatternBytes is how much of a message is looked at for its pattern (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/LogsAnomalyDetection.html).
	maxPatternBytes = 1500
	// varying stands in a pattern for what differs between its messages.
	varying = "<*>"
)

// patternPart is a piece of a pattern: text that all of its messages have, or, when Kind is not empty, a token that varies, and of what kind it is.
type patternPart struct {
	Text string `json:",omitempty"`
	Kind string `json:",omitempty"`
}

// tokenised is a message taken apart: its pattern, and the values of the tokens that vary.
type tokenised struct {
	pattern string
	parts   []patternPart
	values  []string
}

// cutMessage returns the part of a message that is looked at.
func cutMessage(m string) string {
	m = strings.TrimSpace(m)
	if len(m) <= maxPatternBytes {
		return m
	}
	n := maxPatternBytes
	for n > 0 && !utf8.RuneStart(m[n]) {
		n--
	}
	return m[:n]
}

// between are the characters that stand between tokens.
func between(c byte) bool { return strings.IndexByte(" \t\r\n\f\v,;()[]{}<>\"'`|=", c) >= 0 }

// tokenise takes a message apart. Whatever has a digit in it varies, as do mail addresses and long tokens that look like a key.
func tokenise(message string) tokenised {
	message = cutMessage(message)
	var t tokenised
	var text, all strings.Builder
	for i := 0; i < len(message); {
		j := i
		for j < len(message) && !between(message[j]) {
			j++
		}
		if j == i {
			text.WriteByte(message[i])
			i++
			continue
		}
		if message[i] == ':' && j > i+1 && message[i+1] != ':' { // of JSON; two begin an address
			text.WriteByte(':')
			i++
		}
		token := strings.TrimRight(message[i:j], ".:!?")
		if kind := kindOf(token); kind != "" {
			if text.Len() > 0 {
				t.parts = append(t.parts, patternPart{Text: text.String()})
				all.WriteString(text.String())
				text.Reset()
			}
			t.parts, t.values = append(t.parts, patternPart{Kind: kind}), append(t.values, token)
			all.WriteString(varying)
			text.WriteString(message[i+len(token) : j])
		} else {
			text.WriteString(message[i:j])
		}
		i = j
	}
	if text.Len() > 0 {
		t.parts = append(t.parts, patternPart{Text: text.String()})
		all.WriteString(text.String())
	}
	t.pattern = all.String()
	return t
}

// kinds are the kinds of tokens that vary, the first that fits counts.
var kinds = []struct {
	name string
	fits *regexp.Regexp
}{
	{"Number", regexp.MustCompile(`^[-+$]?\d+([.,]\d+)*(%|[A-Za-zµ]{1,3})?$`)},
	{"Date", regexp.MustCompile(`^\d{4}[-/.]\d{2}[-/.]\d{2}([T_].*)?$|^\d{2}/[A-Za-z]{3}/\d{4}`)},
	{"Time", regexp.MustCompile(`^\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?Z?$`)},
	{"IPAddress", regexp.MustCompile(`^\d{1,3}(\.\d{1,3}){3}([:/]\d+)?$|^[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7}$`)},
	{"UUID", regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)},
	{"ARN", regexp.MustCompile(`^arn:`)},
	{"URL", regexp.MustCompile(`^[a-z]+://`)},
	{"Path", regexp.MustCompile(`^/`)},
}

// minKey is how long a token without digits is at least, that can be a key.
const minKey = 32

// kindOf returns of what kind a token is that varies, "" for one that does not.
func kindOf(token string) string {
	switch digits := strings.ContainsAny(token, "0123456789"); {
	case !digits && strings.Count(token, "@") == 1 && strings.Contains(token, "."):
		return "Email"
	case !digits && len(token) >= minKey && !strings.ContainsAny(token, "./:-_"):
		return "Id"
	case !digits:
		return ""
	}
	for _, k := range kinds {
		if k.fits.MatchString(token) {
			return k.name
		}
	}
	return "Token"
}

// patternID is the id of a pattern: 32 hexadecimal digits that follow from its text.
func patternID(pattern string) string {
	h := fnv.New128a()
	_, _ = h.Write([]byte(pattern))
	return hex.EncodeToString(h.Sum(nil))
}

// patternText returns a pattern as it is shown.
func patternText(parts []patternPart) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Kind != "" {
			b.WriteString(varying)
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

// patternRegex returns a regular expression that finds the messages of a pattern.
func patternRegex(parts []patternPart) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Kind != "" {
			b.WriteString(`\S+`)
		}
		b.WriteString(regexp.QuoteMeta(p.Text))
	}
	return b.String()
}

// patternTokens returns the tokens of a pattern. Together, they are its text. values are those that the varying tokens had, by their places.
func patternTokens(parts []patternPart, values []map[string]int64) []api.PatternToken {
	out, n := []api.PatternToken{}, 0
	static := func(text string) { out = append(out, api.PatternToken{IsDynamic: ptr(false), TokenString: ptr(text)}) }
	for _, p := range parts {
		if p.Kind != "" {
			n++
			t := api.PatternToken{DynamicTokenPosition: ptr(int32(n)), IsDynamic: ptr(true), TokenString: ptr(varying), InferredTokenName: ptr(p.Kind + "-" + strconv.Itoa(n))}
			if n <= len(values) {
				t.Enumerations = values[n-1]
			}
			out = append(out, t)
		}
		for text := p.Text; text != ""; {
			end := 0
			for end < len(text) && !between(text[end]) {
				end++
			}
			end = max(end, 1)
			static(text[:end])
			text = text[end:]
		}
	}
	return out
}

// severity is how bad the words of a pattern sound.
type severity int

const (
	plain severity = iota
	warning
	failing
	fatal
)

// severe finds the words that tell of a severity; the number of the group is the severity
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/LogsAnomalyDetection.html).
var severe = regexp.MustCompile(`(?i)\b(?:(warn(?:ing)?)|(error|err|[a-z]*exception|(?-i:[A-Za-z]+Error)|fail(?:ed|ure)?|traceback|denied|timed out)|(fatal|critical|crit|panic|emerg(?:ency)?))\b`)

func severityOf(pattern string) severity {
	worst := plain
	for _, m := range severe.FindAllStringSubmatchIndex(pattern, -1) {
		for s := warning; s <= fatal; s++ {
			if m[2*s] >= 0 {
				worst = max(worst, s)
			}
		}
	}
	return worst
}
