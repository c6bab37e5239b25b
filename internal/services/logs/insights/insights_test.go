package insights

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestQueries runs the files in testdata/queries. "events" sets the log events: the seconds since a start and a message on each line. "query" shows the rows of a result, or why there is none.
func TestQueries(t *testing.T) {
	datadriven.Walk(t, "testdata/queries", func(t *testing.T, file string) {
		var events []*Event
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "events":
				events = nil
				for i, line := range strings.Split(d.Input, "\n") {
					at, message, _ := strings.Cut(line, " ")
					s, err := strconv.ParseFloat(at, 64)
					if err != nil {
						t.Fatalf("%s: %v", d.Pos, err)
					}
					ms := int64(1_800_000_000_000 + s*1000)
					events = append(events, &Event{Time: ms, Ingested: ms + 5, Message: strings.ReplaceAll(message, `\t`, "\t"), Stream: "s", Log: "111111111111:/app", Pointer: "p" + strconv.Itoa(i)})
				}
				return ""
			case "query":
				return result(d.Input, events)
			}
			t.Fatalf("%s: no command %s", d.Pos, d.Cmd)
			return ""
		})
	})
}

func result(query string, events []*Event) string {
	q, err := Parse(query)
	if err != nil {
		var where *Error
		errors.As(err, &where)
		return fmt.Sprintf("%d-%d: %v\n", where.From, where.To, err)
	}
	r := q.Start(maxRows)
	for _, e := range events {
		if more, err := r.Add(e); err != nil || !more {
			break
		}
	}
	rows, err := r.Result()
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, fields := range rows {
		for i, f := range fields {
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(f.Name + "=" + f.Value)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestRunsAreBounded(t *testing.T) {
	for query, c := range map[string]struct {
		events int
		size   int
		want   error
		rows   int
	}{
		"fields @timestamp":                     {25_000, 10, nil, maxRows},
		"stats count(*) by @message":            {maxRows + 1, 10, ErrTooLarge, 0},
		"fields @message":                       {100, 1 << 20, ErrTooLarge, 0},
		"fields @message | limit 3":             {100, 10, nil, 3},
		"stats count_distinct(@message) as n":   {100, 1 << 20, ErrTooLarge, 0},
		"stats count(*), sum(strlen(@message))": {100, 1 << 20, nil, 1},
	} {
		q, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		r := q.Start(maxRows)
		for i := range c.events {
			message := strconv.Itoa(i)
			message += strings.Repeat("x", max(c.size-len(message), 0))
			if _, err = r.Add(&Event{Time: int64(i), Message: message}); err != nil {
				break
			}
		}
		var rows [][]Field
		if err == nil {
			rows, err = r.Result()
		}
		if !errors.Is(err, c.want) || len(rows) != c.rows {
			t.Errorf("%s: %d rows, %v", query, len(rows), err)
		}
	}
}

func FuzzQueriesOfAnyTextEnd(f *testing.F) {
	for _, text := range []string{"fields a, b as c | filter a = 1 and not (b like /x/)", "parse @message \"a*b\" as c | stats pct(c, 50) by bin(5m) | sort count(*) desc", "dedup `a b`|limit 3 # c", "stats count(*) by x|sort count(*)"} {
		f.Add(text, `{"a": 1, "b": {"c": [true, null]}}`)
	}
	f.Fuzz(func(t *testing.T, text, message string) {
		q, err := Parse(text)
		if err != nil {
			var where *Error
			if !errors.As(err, &where) || where.From < 0 || where.From > where.To || where.To > len(text) {
				t.Errorf("%q: %#v", text, err)
			}
			return
		}
		r := q.Start(10)
		for i := range 3 {
			if _, err := r.Add(&Event{Time: int64(i), Message: message}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Result(); err != nil {
			t.Error(err)
		}
	})
}
