package transform

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	api "lambent.dev/lambent/internal/awsapi/logs"
)

func processorsOf(t *testing.T, text string) (list []api.Processor) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return list
}

// TestTransformers runs the files in testdata/transformers. "with" sets the processors, and "apply" shows what they make of each line of its input, or that they cannot read it.
func TestTransformers(t *testing.T) {
	datadriven.Walk(t, "testdata/transformers", func(t *testing.T, file string) {
		var current *Transformer
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "with":
				var err error
				if current, err = Compile(processorsOf(t, d.Input)); err != nil {
					return err.Error()
				}
				return "ok"
			case "apply":
				var out strings.Builder
				for line := range strings.SplitSeq(d.Input, "\n") {
					got, ok := current.Apply(Event{Account: "111111111111", Region: "eu-west-1", Group: "/app", Stream: "s", Message: strings.ReplaceAll(line, `\t`, "\t") + "\n"})
					if !ok {
						got = "unreadable"
					}
					out.WriteString(got + "\n")
				}
				return out.String()
			}
			t.Fatalf("%s: no command %s", d.Pos, d.Cmd)
			return ""
		})
	})
}

// TestEveryGrokPatternMatchesWhatItIsFor holds each pattern to a text that it must match from end to end.
func TestEveryGrokPatternMatchesWhatItIsFor(t *testing.T) {
	texts := map[string]string{
		"USERNAME": "a.b-c_1", "USER": "me", "INT": "-12", "BASE10NUM": "+1.5", "NUMBER": "293750", "BASE16NUM": "0xFf", "POSINT": "12", "NONNEGINT": "0", "BOOLEAN": "True",
		"WORD": "word", "NOTSPACE": "a=b;c", "SPACE": "  ", "DATA": "", "GREEDYDATA": "all of it", "GREEDYDATA_MULTILINE": "two\nlines", "QUOTEDSTRING": `"a \" b"`, "QS": `'a'`,
		"UUID": "0b5f3a3e-1c7d-4d3c-9b1e-2f6a7c8d9e0f", "URN": "urn:isbn:0451450523", "ARN": "arn:aws:s3:::bucket/a", "MAC": "00:1a:2B:3c:4d:5e",
		"IPV6": "2001:db8::1", "IPV4": "192.0.2.255", "IP": "::1", "HOSTNAME": "server-01.internal.example.com", "HOST": "localhost", "IPORHOST": "192.0.2.1", "HOSTPORT": "example.com:8080",
		"UNIXPATH": "/var/log/app.log", "WINPATH": `C:\Windows\a`, "PATH": "/a/b", "URIPROTO": "https", "URIHOST": "example.com:80", "URIPATH": "/a/b.html", "URIPARAM": "?a=1&b=2", "URIPATHPARAM": "/a?b=1",
		"URI": "https://user@example.com:8080/a?b=c", "MONTH": "December", "DAY": "Tue", "MONTHNUM": "7", "MONTHNUM2": "12", "MONTHDAY": "31", "YEAR": "2026", "HOUR": "23", "MINUTE": "59", "SECOND": "59.123",
		"TIME": "12:34:56.789", "DATE_US": "12/31/2026", "DATE_EU": "31.12.2026", "DATE": "31-12-26", "DATESTAMP": "31.12.2026 12:00:00", "ISO8601_TIMEZONE": "+01:00", "ISO8601_SECOND": "07",
		"TIMESTAMP_ISO8601": "2026-12-01T00:15:00.123Z", "TZ": "CET", "DATESTAMP_RFC822": "Tue Dec 1 2026 00:15:00 UTC", "DATESTAMP_RFC2822": "Tue, 1 Dec 2026 00:15:00 +0000",
		"DATESTAMP_OTHER": "Tue Dec 1 00:15:00 UTC 2026", "DATESTAMP_EVENTLOG": "20261201001500", "SYSLOGTIMESTAMP": "Dec  1 00:15:00", "PROG": "cron", "SYSLOGPROG": "sshd[123]", "SYSLOGHOST": "web-1",
		"SYSLOGFACILITY": "<3.4>", "HTTPDATE": "10/Oct/2026:13:55:36 -0700", "LOGLEVEL": "Warning",
	}
	for name := range grokPatterns {
		text, ok := texts[name]
		if !ok {
			t.Errorf("%s has no text", name)
			continue
		}
		g, err := newGrok("^%{" + name + ":it}$")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		fields, err := g.read(text)
		if want := strings.Trim(text, `"'`); err != nil || fields["it"] != want {
			t.Errorf("%s reads %q as %v, %v", name, text, fields, err)
		}
	}
}

func FuzzTransformersReadAnything(f *testing.F) {
	f.Add(`{"a": {"b": "x,y"}}`, "a.b")
	f.Add("1 2 3", "a")
	f.Fuzz(func(t *testing.T, message, key string) {
		one := []string{key}
		for _, list := range [][]api.Processor{
			{{ParseJSON: &api.ParseJSON{}}, {SplitString: &api.SplitString{Entries: []api.SplitStringEntry{{Source: key, Delimiter: ","}}}}, {LowerCaseString: &api.LowerCaseString{WithKeys: one}}},
			{{Csv: &api.CSV{}}, {MoveKeys: &api.MoveKeys{Entries: []api.MoveKeyEntry{{Source: "column_1", Target: key}}}}},
			{{ParseKeyValue: &api.ParseKeyValue{Destination: &key}}, {DeleteKeys: &api.DeleteKeys{WithKeys: one}}},
			{{Grok: &api.Grok{Match: "%{NOTSPACE:a.b} %{GREEDYDATA:c}"}}},
		} {
			tr, err := Compile(list)
			if err != nil {
				return
			}
			if out, ok := tr.Apply(Event{Message: message}); ok && !json.Valid([]byte(out)) {
				t.Errorf("%q became %q", message, out)
			}
		}
	})
}

func TestUnsupportedIsMarked(t *testing.T) {
	for _, text := range []string{
		`[{"parseWAF": {}}]`, `[{"parseToOCSF": {"eventSource": "VPCFlow", "ocsfVersion": "V1.1"}}]`, `[{"grok": {"match": "%{SYSLOG5424}"}}]`, `[{"grok": {"match": "%{INT:a:int}"}}]`,
		`[{"parseJSON": {}}, {"dateTimeConverter": {"source": "a", "target": "b", "matchPatterns": ["yyyy"], "locale": "de"}}]`,
	} {
		if _, err := Compile(processorsOf(t, text)); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
