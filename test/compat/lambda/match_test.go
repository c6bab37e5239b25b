package lambda

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// bindings are the values that the words of a case stand for.
type bindings map[string]string

// fixed are the words whose values are known.
func fixed() bindings { return bindings{"<partition>": "aws", "<region>": "us-east-1"} }

// recordedAccount is the account that the recordings write.
const recordedAccount = "111111111111"

var word = regexp.MustCompile(`<[a-z_]+[^<>]*>`)

// anything are the texts that stand for values which differ from call to call.
func anything() []string {
	return []string{"date", "datetime", "lambda-url", "<location>", "<layer-location>"}
}

// match compares what was recorded with what came, and says where they differ.
func (b bindings) match(path string, want, got any) error {
	switch w := want.(type) {
	case map[string]any:
		return b.object(path, w, got)
	case []any:
		return b.list(path, w, got)
	case string:
		return b.text(path, w, got)
	}
	if want != got {
		return fmt.Errorf("%s is %v, recorded is %v", path, show(got), show(want))
	}
	return nil
}

func (b bindings) object(path string, want map[string]any, got any) error {
	if s, ok := got.(string); ok { // a policy is a document in a string
		if json.Unmarshal([]byte(s), &got) != nil {
			return fmt.Errorf("%s is not a document: %s", path, s)
		}
	}
	g, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("%s is %v, recorded is an object", path, show(got))
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if _, ok := g[k]; !ok {
			return fmt.Errorf("%s.%s is missing, recorded is %v", path, k, show(want[k]))
		}
		if err := b.match(path+"."+k, want[k], g[k]); err != nil {
			return err
		}
	}
	for k := range g {
		if _, ok := want[k]; !ok {
			return fmt.Errorf("%s.%s is %v, and was not recorded", path, k, show(g[k]))
		}
	}
	return nil
}

func (b bindings) list(path string, want []any, got any) error {
	g, ok := got.([]any)
	if !ok || len(g) != len(want) {
		return fmt.Errorf("%s is %v, recorded are %d elements", path, show(got), len(want))
	}
	for i := range want {
		if err := b.match(fmt.Sprintf("%s.%d", path, i), want[i], g[i]); err != nil {
			return err
		}
	}
	return nil
}

// values are those of an enumeration in a message.
var values = regexp.MustCompile(`enum value set: \[([^\[\]]*)\]`)

// enumerations brings the values of the enumerations in two messages into one order. Values that the second has beyond those of the first are left out of it:
// models and runtimes go on.
func enumerations(want, got string) (string, string) {
	sets := values.FindAllStringSubmatch(want, -1)
	n := 0
	got = values.ReplaceAllStringFunc(got, func(text string) string {
		if n++; n > len(sets) {
			return text
		}
		known := strings.Split(sets[n-1][1], ", ")
		list := slices.DeleteFunc(strings.Split(values.FindStringSubmatch(text)[1], ", "), func(v string) bool { return !slices.Contains(known, v) })
		slices.Sort(list)
		return "enum value set: [" + strings.Join(list, ", ") + "]"
	})
	want = values.ReplaceAllStringFunc(want, func(text string) string {
		list := strings.Split(values.FindStringSubmatch(text)[1], ", ")
		slices.Sort(list)
		return "enum value set: [" + strings.Join(list, ", ") + "]"
	})
	return want, got
}

// failure compares two errors. Where several constraints are broken their order does not count, and neither does that of the values of an enumeration.
func (b bindings) failure(want, got string) error {
	const detected = " validation errors detected: "
	wantHead, wantTail, several := strings.Cut(want, detected)
	gotHead, gotTail, _ := strings.Cut(got, detected)
	if !several {
		want, got = enumerations(want, got)
		return b.text("error", want, got)
	}
	w, g := strings.Split(wantTail, "; Value "), strings.Split(gotTail, "; Value ")
	for _, list := range [][]string{w, g} {
		list[0] = strings.TrimPrefix(list[0], "Value ")
		slices.SortFunc(list, func(x, y string) int { return strings.Compare(member(x), member(y)) })
	}
	want, got = enumerations(wantHead+detected+strings.Join(w, "; Value "), gotHead+detected+strings.Join(g, "; Value "))
	return b.text("error", want, got)
}

// member is the member that a broken constraint is about.
func member(violation string) string {
	_, m, _ := strings.Cut(violation, " at '")
	m, _, _ = strings.Cut(m, "'")
	return m
}

// text compares a text with one that may have words in it. "date" is any text.
func (b bindings) text(path, want string, got any) error {
	have, ok := got.(string)
	if !ok {
		have = show(got)
	}
	if slices.Contains(anything(), want) {
		return nil
	}
	want = strings.ReplaceAll(want, recordedAccount, account)
	var pattern strings.Builder
	var free []string
	at := 0
	for _, span := range word.FindAllStringIndex(want, -1) {
		name := want[span[0]:span[1]]
		pattern.WriteString(regexp.QuoteMeta(want[at:span[0]]))
		at = span[1]
		if value, ok := b[name]; ok {
			pattern.WriteString(regexp.QuoteMeta(value))
			continue
		}
		pattern.WriteString("(.+?)")
		free = append(free, name)
	}
	pattern.WriteString(regexp.QuoteMeta(want[at:]))
	m := regexp.MustCompile("^(?s:" + pattern.String() + ")$").FindStringSubmatch(have)
	if m == nil {
		return fmt.Errorf("%s is %q, recorded is %q", path, have, want)
	}
	for i, name := range free {
		if err := b.bind(path, name, m[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// bind gives a word its value, which no other number of the word may have.
func (b bindings) bind(path, name, value string) error {
	kind, _, numbered := strings.Cut(name, ":")
	for other, v := range b {
		if o, _, ok := strings.Cut(other, ":"); numbered && ok && o == kind && kind != "<a" && v == value {
			return fmt.Errorf("%s is the same as %s, recorded are different values", path, other)
		}
	}
	if kind != "<code-size>" && kind != "<a" { // these may differ
		b[name] = value
	}
	return nil
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
