package insights

import (
	"maps"
	"slices"
	"strconv"
)

// maxFields bounds the fields that are discovered in a message
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html).
const maxFields = 200

// Fields returns all fields of an event and their values: those of every event, times in Unix milliseconds, and those that are discovered in its message.
func (e *Event) Fields() map[string]string {
	r := &row{event: e}
	out := map[string]string{}
	for _, name := range []string{"@message", "@timestamp", "@ingestionTime", "@logStream", "@log", "@ptr"} {
		out[name] = shown(r.get(name), false)
	}
	left := maxFields
	for _, name := range slices.Sorted(maps.Keys(r.discovered())) {
		flatten(out, name, r.found[name], &left)
	}
	return out
}

// flatten adds what is in a value under its path.
func flatten(out map[string]string, path string, v any, left *int) {
	switch x := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(x)) {
			flatten(out, path+"."+name, x[name], left)
		}
		return
	case []any:
		for i, v := range x {
			flatten(out, path+"."+strconv.Itoa(i), v, left)
		}
		return
	}
	if _, taken := out[path]; v == nil || taken || *left == 0 {
		return
	}
	*left--
	out[path] = shown(scalarOf(v), false)
}
