package accesslog_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"lambent.dev/lambent/internal/gateway/accesslog"
	"lambent.dev/lambent/internal/service/port"
)

func values(name string) string {
	return map[string]string{"requestId": "id-1", "identity.userAgent": `a"b\c`, "status": "200", "error.messageString": `"no"`, "authorizer.claims.cognito-groups": "g"}[name]
}

func TestFormatsAreFilledIn(t *testing.T) {
	for format, want := range map[string]string{
		`$context.requestId $context.status.`:                                   `id-1 200.`,
		`$context.identity.userAgent`:                                           `a"b\c`,
		`{"id":"$context.requestId","ua":"$context.identity.userAgent"}`:        `{"id":"id-1","ua":"a\"b\\c"}`,
		`{"status":$context.status,"none":"$context.nothing"}`:                  `{"status":200,"none":"-"}`,
		`{"m":$context.error.messageString}`:                                    `{"m":"no"}`,
		"a\nb $context.authorizer.claims.cognito-groups":                        `a b g`,
		`$context $contextual $context.requestId$context.requestId "$context.x`: `$context $contextual id-1id-1 "-`,
		``: ``,
	} {
		if got := accesslog.Parse(format).Line(values); got != want {
			t.Errorf("%s\n got %s\nwant %s", format, got, want)
		}
	}
}

func FuzzLinesOfJSONStayJSON(f *testing.F) {
	f.Add(`a"b`, "\\")
	f.Add("\x00\n", `","admin":true,"x":"`)
	format := accesslog.Parse(`{"a":"$context.a","b":"x $context.b y","c":{"d":"$context.a$context.b"}}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		line := format.Line(func(name string) string { return map[string]string{"a": a, "b": b}[name] })
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil || len(got) != 3 {
			t.Errorf("%q: %v", line, err)
		}
	})
}

type sink struct {
	port.LogSink

	got []string
}

func (s *sink) PutLog(_ context.Context, account, region, group, stream string, lines []port.LogLine) error {
	s.got = append(s.got, account+" "+region+" "+group+" "+lines[0].Message)
	if len(stream) != 32 {
		s.got = append(s.got, "stream "+stream)
	}
	return nil
}

func TestLinesGoToTheLogGroup(t *testing.T) {
	s := &sink{}
	w := accesslog.NewWriter(s, nil, slog.New(slog.DiscardHandler))
	defer w.Close()
	d, err := accesslog.ParseDestination("arn:aws:logs:eu-west-1:111122223333:log-group:/apis/prod:*", "api1", "prod")
	if err != nil {
		t.Fatal(err)
	}
	w.Write(t.Context(), d, "arn", "111122223333", time.Now(), "line")
	if len(s.got) != 1 || s.got[0] != "111122223333 eu-west-1 /apis/prod line" {
		t.Errorf("got %q", s.got)
	}
	for _, bad := range []string{"", "group", "arn:aws:s3:::bucket", "arn:aws:logs:eu-west-1:1:log-group:", "arn:aws:firehose:eu-west-1:1:other/x"} {
		if _, err := accesslog.ParseDestination(bad, "a", "s"); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
