package transform

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones do not depend on what the machine has

	api "lambent.dev/lambent/internal/awsapi/logs"
)

// defaultTarget is how dates are written unless a processor says how.
const defaultTarget = `yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`

// dateElement is what letters of a pattern stand for: what is read, and the layout by which package time reads and writes it.
type dateElement struct{ read, layout string }

// dateElements are the letters of patterns, which are those of Java
// (https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/time/format/DateTimeFormatter.html). Fractions of a second are not among them.
var dateElements = map[string]dateElement{
	"yyyy": {`\d{4}`, "2006"}, "uuuu": {`\d{4}`, "2006"}, "y": {`\d{4}`, "2006"}, "u": {`\d{4}`, "2006"}, "yy": {`\d{2}`, "06"}, "uu": {`\d{2}`, "06"},
	"MMMM": {`[A-Za-z]+`, "January"}, "MMM": {`[A-Za-z]{3}`, "Jan"}, "MM": {`\d{2}`, "01"}, "M": {`\d{1,2}`, "1"},
	"dd": {`\d{2}`, "02"}, "d": {`\d{1,2}`, "2"}, "DDD": {`\d{3}`, "002"},
	"EEEE": {`[A-Za-z]+`, "Monday"}, "EEE": {`[A-Za-z]{3}`, "Mon"}, "EE": {`[A-Za-z]{3}`, "Mon"}, "E": {`[A-Za-z]{3}`, "Mon"},
	"HH": {`\d{2}`, "15"}, "hh": {`\d{2}`, "03"}, "h": {`\d{1,2}`, "3"}, "mm": {`\d{2}`, "04"}, "m": {`\d{1,2}`, "4"}, "ss": {`\d{2}`, "05"}, "s": {`\d{1,2}`, "5"},
	"a": {`[AP]M`, "PM"}, "z": {`UTC|GMT`, "MST"}, "Z": {`[+-]\d{4}`, "-0700"}, "xx": {`[+-]\d{4}`, "-0700"}, "xxx": {`[+-]\d\d:\d\d`, "-07:00"},
	"XXX": {`Z|[+-]\d\d:\d\d`, "Z07:00"}, "XX": {`Z|[+-]\d{4}`, "Z0700"}, "X": {`Z|[+-]\d\d`, "Z07"},
}

// datePart is a part of a pattern: a literal, a number of digits of the fraction of a second, or an element.
type datePart struct {
	literal  string
	fraction int
	dateElement
}

// datePattern is a compiled pattern.
type datePattern struct {
	parts []datePart
	re    *regexp.Regexp
}

// parseDatePattern reads a pattern such as yyyy-MM-dd'T'HH:mm:ss.
func parseDatePattern(text string) (*datePattern, error) {
	p := &datePattern{}
	var re strings.Builder
	for rest := text; rest != ""; {
		part, n, err := nextDatePart(rest)
		if err != nil {
			return nil, fmt.Errorf("in the date pattern %q %w", text, err)
		}
		switch {
		case part.literal != "":
			re.WriteString(regexp.QuoteMeta(part.literal))
		case part.fraction > 0:
			fmt.Fprintf(&re, `(\d{%d})`, part.fraction)
		default:
			re.WriteString("(" + part.read + ")")
		}
		p.parts, rest = append(p.parts, part), rest[n:]
	}
	var err error
	p.re, err = regexp.Compile("^(?:" + re.String() + ")$")
	return p, err
}

// nextDatePart takes a part from the front of a pattern, and returns how long it is there.
func nextDatePart(rest string) (part datePart, n int, err error) {
	switch c := rest[0]; {
	case strings.HasPrefix(rest, "''"):
		return datePart{literal: "'"}, 2, nil
	case c == '\'':
		for n = 1; n < len(rest); n++ {
			if rest[n] == '\'' {
				if !strings.HasPrefix(rest[n+1:], "'") {
					return part, n + 1, nil
				}
				n++
			}
			part.literal += rest[n : n+1]
		}
		return part, n, errors.New("a quotation mark has no end")
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		for n < len(rest) && rest[n] == c {
			n++
		}
		if c == 'S' && n <= 9 {
			return datePart{fraction: n}, n, nil
		}
		e, ok := dateElements[rest[:n]]
		if !ok {
			err = fmt.Errorf("%s %w", rest[:n], ErrUnsupported)
		}
		return datePart{dateElement: e}, n, err
	}
	return datePart{literal: rest[:1]}, 1, nil
}

// parse reads a text in a time zone.
func (p *datePattern) parse(text string, in *time.Location) (time.Time, bool) {
	m := p.re.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}, false
	}
	var layouts, values []string
	var fraction time.Duration
	group := 0
	for _, part := range p.parts {
		if part.literal != "" {
			continue
		}
		group++
		if part.fraction == 0 {
			layouts, values = append(layouts, part.layout), append(values, m[group])
			continue
		}
		n, err := strconv.ParseInt(m[group]+strings.Repeat("0", 9-part.fraction), 10, 64)
		if err != nil {
			return time.Time{}, false
		}
		fraction = time.Duration(n)
	}
	t, err := time.ParseInLocation(strings.Join(layouts, "\x00"), strings.Join(values, "\x00"), in)
	return t.Add(fraction), err == nil
}

func (p *datePattern) format(t time.Time) string {
	var b strings.Builder
	for _, part := range p.parts {
		switch {
		case part.literal != "":
			b.WriteString(part.literal)
		case part.fraction > 0:
			fmt.Fprintf(&b, "%09d", t.Nanosecond())
			kept := b.String()[:b.Len()-9+part.fraction]
			b.Reset()
			b.WriteString(kept)
		default:
			b.WriteString(t.Format(part.layout))
		}
	}
	return b.String()
}

// zone returns a time zone by its name; UTC when there is none.
func zone(name *string) (*time.Location, error) {
	if name == nil {
		return time.UTC, nil
	}
	at, err := time.LoadLocation(*name)
	if err != nil || *name == "Local" || *name == "" {
		return nil, fmt.Errorf("%q is no time zone, such as Europe/Berlin", *name)
	}
	return at, nil
}

// english are the locales by which dates are read.
var english = []string{"", "locale.ROOT", "ROOT", "en", "en-US", "en_US", "en-GB", "en_GB"}

func compileDates(p *api.Processor) (step, error) {
	d := p.DateTimeConverter
	from, to, err := both(d.Source, d.Target)
	if err != nil {
		return nil, err
	}
	if d.Locale != nil && !slices.Contains(english, *d.Locale) {
		return nil, fmt.Errorf("the locale %s %w", *d.Locale, ErrUnsupported)
	}
	if len(d.MatchPatterns) == 0 {
		return nil, errors.New("matchPatterns is empty")
	}
	patterns := make([]*datePattern, len(d.MatchPatterns))
	for i, text := range d.MatchPatterns {
		if patterns[i], err = parseDatePattern(text); err != nil {
			return nil, err
		}
	}
	written := defaultTarget
	if d.TargetFormat != nil {
		written = *d.TargetFormat
	}
	target, err := parseDatePattern(written)
	if err != nil {
		return nil, err
	}
	source, err := zone(d.SourceTimezone)
	if err != nil {
		return nil, err
	}
	into, err := zone(d.TargetTimezone)
	if err != nil {
		return nil, err
	}
	return func(s *state) error {
		text, ok := from.text(s.document)
		if !ok {
			return nil
		}
		for _, pattern := range patterns {
			if t, ok := pattern.parse(text, source); ok {
				to.set(s.document, target.format(t.In(into)), true)
				return nil
			}
		}
		return nil
	}, nil
}
