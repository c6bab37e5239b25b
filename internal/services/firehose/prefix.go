package firehose

import (
	"regexp"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/lib/opt"
)

// Prefixes of objects hold expressions of the form !{namespace:value}
// (https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html).
var expression = regexp.MustCompile(`!\{([^{}:]*):([^{}]*)\}`)

// The namespaces of expressions.
const (
	spaceTime   = "timestamp"
	spaceSystem = "firehose"
	spaceQuery  = "partitionKeyFromQuery"
	spaceLambda = "partitionKeyFromLambda"
)

// The values of the namespace firehose.
const (
	systemRandom = "random-string"
	systemError  = "error-output-type"
)

// defaultTime is added to a prefix without expressions.
const defaultTime = "yyyy/MM/dd/HH/"

// checkPrefixes checks the prefixes of a destination.
func checkPrefixes(d *api.ExtendedS3DestinationConfiguration, w *work) error {
	prefix, failed := opt.Value(d.Prefix), opt.Value(d.ErrorOutputPrefix)
	if err := checkExpressions("Prefix", prefix, func(space, value string) bool {
		switch space {
		case spaceSystem:
			return value == systemRandom
		case spaceQuery:
			return partitioned(d) && w.extracts(value)
		case spaceLambda:
			return partitioned(d) && w.function != ""
		}
		return false
	}); err != nil {
		return err
	}
	if err := checkExpressions("ErrorOutputPrefix", failed, func(space, value string) bool {
		return space == spaceSystem && (value == systemRandom || value == systemError)
	}); err != nil {
		return err
	}
	switch keyed := strings.Contains(prefix, "!{"+spaceQuery) || strings.Contains(prefix, "!{"+spaceLambda); {
	case strings.Contains(prefix, "!{") && failed == "":
		return invalid("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions.")
	case strings.Contains(failed, "!{") && !strings.Contains(failed, "!{"+spaceSystem+":"+systemError+"}"):
		return invalid("ErrorOutputPrefix must contain !{firehose:error-output-type} when it contains expressions.")
	case partitioned(d) && !keyed:
		return invalid("Prefix must contain an expression of the namespace partitionKeyFromQuery or partitionKeyFromLambda when dynamic partitioning is enabled.")
	}
	return nil
}

// checkExpressions checks the expressions of a prefix. Those of times are checked here, others by allowed.
func checkExpressions(member, prefix string, allowed func(space, value string) bool) error {
	rest := prefix
	for _, m := range expression.FindAllStringSubmatch(prefix, -1) {
		rest = strings.Replace(rest, m[0], "", 1)
		if m[1] == spaceTime {
			if _, ok := formatTime(m[2], time.Time{}); ok {
				continue
			}
		} else if allowed(m[1], m[2]) {
			continue
		}
		return invalid("%s contains the expression %s, which is not valid there.", member, m[0])
	}
	if strings.Contains(rest, "!{") {
		return invalid("%s contains an expression that is not of the form !{namespace:value}.", member)
	}
	return nil
}

// naming is what the expressions of a prefix stand for.
type naming struct {
	at     time.Time // in the time zone of the destination
	random string
	failed string // the type of an error; empty for what was delivered
	query  map[string]string
	lambda map[string]string
}

// expand returns a prefix with its expressions replaced.
func (n *naming) expand(prefix string) string {
	if !strings.Contains(prefix, "!{") {
		if n.failed != "" {
			prefix += n.failed + "/"
		}
		text, _ := formatTime(defaultTime, n.at)
		return prefix + text
	}
	return expression.ReplaceAllStringFunc(prefix, func(found string) string {
		m := expression.FindStringSubmatch(found)
		switch m[1] {
		case spaceTime:
			text, _ := formatTime(m[2], n.at)
			return text
		case spaceQuery:
			return n.query[m[2]]
		case spaceLambda:
			return n.lambda[m[2]]
		}
		if m[2] == systemError {
			return n.failed
		}
		return n.random
	})
}

// layouts are the forms of time fields, in Go's terms, by those of Java's DateTimeFormatter.
func layouts() map[string]string {
	return map[string]string{
		"yyyy": "2006", "uuuu": "2006", "YYYY": "2006", "yy": "06", "uu": "06", "MM": "01", "M": "1", "MMM": "Jan", "MMMM": "January", "dd": "02", "d": "2", "DDD": "002",
		"HH": "15", "hh": "03", "h": "3", "mm": "04", "m": "4", "ss": "05", "s": "5", "a": "PM", "EEE": "Mon", "EEEE": "Monday", "SSS": "000",
	}
}

// formatTime writes a time by a pattern of Java's DateTimeFormatter. ok is false for a pattern that has a letter without meaning here.
func formatTime(pattern string, at time.Time) (text string, ok bool) {
	fields := layouts()
	var b strings.Builder
	for i := 0; i < len(pattern); {
		c := pattern[i]
		end := i + 1
		switch {
		case c == '\'':
			closing := strings.IndexByte(pattern[i+1:], '\'')
			if closing < 0 {
				return "", false
			}
			if quoted := pattern[i+1 : i+1+closing]; quoted == "" {
				b.WriteByte('\'')
			} else {
				b.WriteString(quoted)
			}
			end = i + closing + 2
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			for end < len(pattern) && pattern[end] == c {
				end++
			}
			layout, known := fields[pattern[i:end]]
			if !known {
				return "", false
			}
			if layout == "000" {
				b.WriteString(at.Format(".000")[1:])
			} else {
				b.WriteString(at.Format(layout))
			}
		default:
			b.WriteByte(c)
		}
		i = end
	}
	return b.String(), true
}
