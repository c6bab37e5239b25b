package insights

import (
	"cmp"
	"encoding/json"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Event is a log event that a query looks at. Times are Unix milliseconds.
type Event struct {
	Time, Ingested int64
	Message        string
	Stream         string
	Log            string // the account and the name of the group, as 111111111111:/app
	Pointer        string // what @ptr shows
	// Transformed is the JSON object that a log transformer made of the message, whose fields the event has then; empty when it made none.
	Transformed string
}

// row is an event, or a line of a result, on its way through the commands. Values are nil, a string or a float64.
type row struct {
	event *Event
	vars  map[string]any
	// found are the fields that the message has, once they were looked for.
	found   map[string]any
	scanned bool
}

func (r *row) set(name string, v any) {
	if r.vars == nil {
		r.vars = map[string]any{}
	}
	r.vars[name] = v
}

// get returns the value of a field; nil for one that is not there.
func (r *row) get(name string) any {
	if v, ok := r.vars[name]; ok {
		return v
	}
	if r.event == nil {
		return nil
	}
	switch name {
	case "@message":
		return r.event.Message
	case "@timestamp":
		return float64(r.event.Time)
	case "@ingestionTime":
		return float64(r.event.Ingested)
	case "@logStream":
		return r.event.Stream
	case "@log":
		return r.event.Log
	case "@ptr":
		return r.event.Pointer
	}
	r.discovered()
	if v, ok := r.found[name]; ok {
		return scalarOf(v)
	}
	return scalarOf(into(r.found, strings.Split(name, ".")))
}

// discovered returns the fields of the event's message.
func (r *row) discovered() map[string]any {
	if !r.scanned {
		r.found, r.scanned = discover(cmp.Or(r.event.Transformed, r.event.Message)), true
	}
	return r.found
}

// into goes into a document by names, and by numbers into lists.
func into(v any, names []string) any {
	for i, name := range names {
		switch x := v.(type) {
		case map[string]any:
			if whole, ok := x[strings.Join(names[i:], ".")]; ok {
				return whole
			}
			v = x[name]
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(x) {
				return nil
			}
			v = x[n]
		default:
			return nil
		}
	}
	return v
}

// scalarOf returns a value of a document as queries see it: truth values are 1 and 0, and what has parts is JSON.
func scalarOf(v any) any {
	switch x := v.(type) {
	case nil, string, float64:
		return x
	case json.Number:
		return x.String()
	case bool:
		if x {
			return float64(1)
		}
		return float64(0)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return string(b)
}

// The lines that functions log about themselves
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html).
var (
	lifecycle = regexp.MustCompile(`^(START|END|REPORT) RequestId: (\S+)`)
	reported  = regexp.MustCompile(`\t(Duration|Billed Duration|Memory Size|Max Memory Used|Init Duration|Restore Duration): ([0-9.]+) (ms|MB)`)
	// reportFields are the fields of a report by how it names them.
	reportFields = map[string]string{
		"Duration": "@duration", "Billed Duration": "@billedDuration", "Memory Size": "@memorySize", "Max Memory Used": "@maxMemoryUsed", "Init Duration": "@initDuration",
		"Restore Duration": "@restoreDuration",
	}
)

// discover returns the fields that a message has: those of a JSON object, or of the line of a function about itself. Memory is in bytes, durations in milliseconds.
func discover(message string) map[string]any {
	if m := lifecycle.FindStringSubmatch(message); m != nil {
		fields := map[string]any{"@type": m[1], "@requestId": m[2]}
		for _, f := range reported.FindAllStringSubmatch(message, -1) {
			n, err := strconv.ParseFloat(f[2], 64)
			if err != nil {
				continue
			}
			if f[3] == "MB" {
				n *= 1e6
			}
			fields[reportFields[f[1]]] = n
		}
		return fields
	}
	start := strings.IndexByte(message, '{')
	if start < 0 {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(message[start:]))
	d.UseNumber()
	var fields map[string]any
	if err := d.Decode(&fields); err != nil {
		return nil
	}
	if _, err := d.Token(); err != io.EOF { //nolint:errorlint // Token returns io.EOF itself, and any other error says that more follows
		return nil
	}
	return fields
}

// timeLayout is how times are shown.
const timeLayout = "2006-01-02 15:04:05.000"

// timed are the fields that hold times.
func timed(field string) bool { return field == "@timestamp" || field == "@ingestionTime" }

// shown returns a value as a result shows it.
func shown(v any, isTime bool) string {
	switch x := v.(type) {
	case string:
		return x
	case float64:
		if isTime {
			return time.UnixMilli(int64(x)).UTC().Format(timeLayout)
		}
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return ""
}

// num returns a value as a number.
func num(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case string:
		if x == "" || !digit(x[len(x)-1]) && x[len(x)-1] != '.' {
			return 0, false
		}
		n, err := strconv.ParseFloat(x, 64)
		return n, err == nil
	}
	return 0, false
}

// compare orders two values: numbers by size, what is not there last, and all else by its text.
func compare(a, b any) int {
	if a == nil || b == nil {
		switch {
		case a != nil:
			return -1
		case b != nil:
			return 1
		}
		return 0
	}
	x, okX := num(a)
	y, okY := num(b)
	if okX && okY {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return strings.Compare(shown(a, false), shown(b, false))
}
