package transform

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	api "lambent.dev/lambent/internal/awsapi/logs"
)

// maxGrok is how many patterns a grok expression names.
const maxGrok = 20

// grokPatterns are the patterns that expressions may name, as regular expressions that may name others.
var grokPatterns = map[string]string{
	"USERNAME": `[a-zA-Z0-9._-]+`, "USER": `%{USERNAME}`,
	"INT": `[+-]?[0-9]+`, "BASE10NUM": `[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)`, "NUMBER": `%{BASE10NUM}`, "BASE16NUM": `[+-]?(?:0x)?[0-9A-Fa-f]+`,
	"POSINT": `\b[1-9][0-9]*\b`, "NONNEGINT": `\b[0-9]+\b`, "BOOLEAN": `(?i:true|false)`,
	"WORD": `\b\w+\b`, "NOTSPACE": `\S+`, "SPACE": `\s*`, "DATA": `.*?`, "GREEDYDATA": `.*`, "GREEDYDATA_MULTILINE": `(?s:.*)`,
	"QUOTEDSTRING": `(?:"(?:\\.|[^\\"])*"|'(?:\\.|[^\\'])*')`, "QS": `%{QUOTEDSTRING}`,
	"UUID": `[A-Fa-f0-9]{8}-(?:[A-Fa-f0-9]{4}-){3}[A-Fa-f0-9]{12}`, "URN": `urn:[0-9A-Za-z][0-9A-Za-z-]{0,31}:[^\s]+`,
	"ARN":  `arn:[a-z0-9-]+:[a-z0-9-]*:[a-z0-9-]*:[0-9]*:\S+`,
	"MAC":  `(?:[A-Fa-f0-9]{2}[:-]){5}[A-Fa-f0-9]{2}|(?:[A-Fa-f0-9]{4}\.){2}[A-Fa-f0-9]{4}`,
	"IPV6": `(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{0,4}:){1,7}(?::[0-9A-Fa-f]{0,4}){0,7}(?:%{IPV4})?`,
	"IPV4": `(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)`, "IP": `(?:%{IPV4}|%{IPV6})`,
	"HOSTNAME": `\b[0-9A-Za-z][0-9A-Za-z_-]{0,62}(?:\.[0-9A-Za-z][0-9A-Za-z_-]{0,62})*\.?`, "HOST": `%{HOSTNAME}`,
	"IPORHOST": `(?:%{IP}|%{HOSTNAME})`, "HOSTPORT": `%{IPORHOST}:%{POSINT}`,
	"UNIXPATH": `(?:/[^\s/]*)+`, "WINPATH": `(?:[A-Za-z]:|\\)(?:\\[^\\?*\s]*)+`, "PATH": `(?:%{UNIXPATH}|%{WINPATH})`,
	"URIPROTO": `[A-Za-z][A-Za-z0-9+.-]*`, "URIHOST": `%{IPORHOST}(?::%{POSINT})?`, "URIPATH": `(?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_-]*)+`,
	"URIPARAM": `\?[A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?<>\[\]-]*`, "URIPATHPARAM": `%{URIPATH}(?:%{URIPARAM})?`,
	"URI":      `%{URIPROTO}://(?:%{USER}(?::[^@\s]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?`,
	"MONTH":    `\b(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b`,
	"DAY":      `\b(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)\b`,
	"MONTHNUM": `(?:0?[1-9]|1[0-2])`, "MONTHNUM2": `(?:0[1-9]|1[0-2])`, "MONTHDAY": `(?:0[1-9]|[12][0-9]|3[01]|[1-9])`, "YEAR": `(?:\d\d){1,2}`,
	"HOUR": `(?:2[0123]|[01]?[0-9])`, "MINUTE": `[0-5][0-9]`, "SECOND": `(?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?`, "TIME": `%{HOUR}:%{MINUTE}(?::%{SECOND})?`,
	"DATE_US": `%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}`, "DATE_EU": `%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}`, "DATE": `(?:%{DATE_US}|%{DATE_EU})`, "DATESTAMP": `%{DATE}[- ]%{TIME}`,
	"ISO8601_TIMEZONE": `(?:Z|[+-]%{HOUR}(?::?%{MINUTE}))`, "ISO8601_SECOND": `%{SECOND}`,
	"TIMESTAMP_ISO8601": `%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?%{ISO8601_TIMEZONE}?`,
	"TZ":                `[A-Z]{3,4}`, "DATESTAMP_RFC822": `%{DAY} %{MONTH} %{MONTHDAY} %{YEAR} %{TIME} %{TZ}`,
	"DATESTAMP_RFC2822": `%{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} %{ISO8601_TIMEZONE}`, "DATESTAMP_OTHER": `%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{TZ} %{YEAR}`,
	"DATESTAMP_EVENTLOG": `%{YEAR}%{MONTHNUM2}%{MONTHDAY}%{HOUR}%{MINUTE}%{SECOND}`,
	"SYSLOGTIMESTAMP":    `%{MONTH} +%{MONTHDAY} %{TIME}`, "PROG": `[\x21-\x5a\x5c\x5e-\x7e]+`, "SYSLOGPROG": `%{PROG}(?:\[%{POSINT}\])?`, "SYSLOGHOST": `%{IPORHOST}`,
	"SYSLOGFACILITY": `<%{NONNEGINT}\.%{NONNEGINT}>`, "HTTPDATE": `%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}`,
	"LOGLEVEL": `(?i:alert|trace|debug|notice|info(?:rmation)?|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe|emerg(?:ency)?)`,
}

// wholeFormats are patterns that name their fields themselves.
var wholeFormats = map[string]bool{"APACHE_ACCESS_LOG": true, "NGINX_ACCESS_LOG": true, "SYSLOG5424": true}

// grokReference is a pattern that an expression names, and the field that takes what it matches.
var grokReference = regexp.MustCompile(`%\{([^}:]*)(?::([^}:]*))?(:[^}]*)?\}`)

// grok is a compiled expression. fields are by the number of their group.
type grok struct {
	re     *regexp.Regexp
	fields map[int]path
}

func compileGrok(p *api.Processor) (step, error) {
	g, err := newGrok(p.Grok.Match)
	if err != nil {
		return nil, err
	}
	return parser(p.Grok.Source, nil, false, g.read)
}

func newGrok(match string) (*grok, error) {
	if match == "" {
		return nil, errors.New("match is empty")
	}
	references := grokReference.FindAllStringSubmatch(match, -1)
	if len(references) > maxGrok {
		return nil, fmt.Errorf("match names more than %d patterns", maxGrok)
	}
	named := map[string]path{}
	for i, r := range references {
		switch {
		case wholeFormats[r[1]]:
			return nil, fmt.Errorf("the grok pattern %s %w: name the fields one by one", r[1], ErrUnsupported)
		case grokPatterns[r[1]] == "":
			return nil, fmt.Errorf("there is no grok pattern %s", r[1])
		case r[3] != "":
			return nil, fmt.Errorf("the type conversion in %s %w: use typeConverter", r[0], ErrUnsupported)
		}
		if r[2] != "" {
			to, err := parsePath(r[2])
			if err != nil {
				return nil, err
			}
			named["grok"+strconv.Itoa(i)] = to
		}
	}
	i := -1
	text := grokReference.ReplaceAllStringFunc(match, func(text string) string {
		i++
		group := "grok" + strconv.Itoa(i)
		if named[group] == nil {
			return "(?:" + expand(references[i][1]) + ")"
		}
		return "(?P<" + group + ">" + expand(references[i][1]) + ")"
	})
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("the regular expression around the patterns is malformed, or looks around or back, which is not supported: %w", err)
	}
	g := &grok{re: re, fields: map[int]path{}}
	for n, group := range re.SubexpNames() {
		if to := named[group]; to != nil {
			g.fields[n] = to
		} else if group != "" {
			g.fields[n] = path{group}
		}
	}
	return g, nil
}

// expand returns the regular expression of a pattern.
func expand(name string) string {
	return grokReference.ReplaceAllStringFunc(grokPatterns[name], func(text string) string {
		return "(?:" + expand(grokReference.FindStringSubmatch(text)[1]) + ")"
	})
}

// read finds the expression in a text. Quotation marks around what a field takes are left out.
func (g *grok) read(text string) (map[string]any, error) {
	m := g.re.FindStringSubmatchIndex(text)
	if m == nil {
		return nil, errUnreadable
	}
	fields := map[string]any{}
	for n, to := range g.fields {
		if m[2*n] < 0 {
			continue
		}
		value := text[m[2*n]:m[2*n+1]]
		if last := len(value) - 1; last > 0 && value[0] == value[last] && (value[0] == '"' || value[0] == '\'') {
			value = value[1:last]
		}
		to.set(fields, value, true)
	}
	return fields, nil
}
