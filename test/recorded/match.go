package recorded

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// matcher compares answers with recordings.
type matcher struct {
	// bound are the texts that placeholders stand for.
	bound   map[string]string
	ignored map[string]bool
}

// check compares the outcome of a call with a line of what is known of it.
func (m *matcher) check(r result, line string) error {
	kind, rest := line[2], line[4:]
	if kind == '!' {
		var want Failure
		if err := json.Unmarshal([]byte(rest), &want); err != nil {
			return err
		}
		if r.failure == nil {
			return fmt.Errorf("%s succeeds, and should fail with %s: %s", r.call, want.Code, want.Message)
		}
		return m.failure(r, want)
	}
	path, recording, _ := strings.Cut(rest, " ")
	if r.failure != nil {
		return fmt.Errorf("%s fails with %s: %s", r.call, r.failure.Code, r.failure.Message)
	}
	var want any
	if err := json.Unmarshal([]byte(recording), &want); err != nil {
		return fmt.Errorf("%q: %w", recording, err)
	}
	got := r.output
	if path != "/" {
		var ok bool
		if got, ok = lookUp(got, strings.Split(strings.TrimPrefix(path, "/"), "/")); !ok {
			return fmt.Errorf("%s: the answer has no %s", r.call, path)
		}
	}
	if err := m.match(path, expanded(want), got); err != nil {
		return fmt.Errorf("%s: %w", r.call, err)
	}
	return nil
}

func (m *matcher) failure(r result, want Failure) error {
	if r.failure.Code != want.Code {
		return fmt.Errorf("%s fails with the code %s, want %s (%s)", r.call, r.failure.Code, want.Code, r.failure.Message)
	}
	if want.Status != 0 && r.failure.Status != want.Status {
		return fmt.Errorf("%s fails with the status %d, want %d", r.call, r.failure.Status, want.Status)
	}
	if !m.ignored["Message"] {
		if err := m.text("message", want.Message, r.failure.Message); err != nil {
			return fmt.Errorf("%s: %w", r.call, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.Detail)) {
		if m.ignored[name] {
			continue
		}
		if err := m.text(name, want.Detail[name], r.failure.Detail[name]); err != nil {
			return fmt.Errorf("%s: %w", r.call, err)
		}
	}
	return nil
}

func (m *matcher) match(at string, want, got any) error {
	switch want := want.(type) {
	case map[string]any:
		return m.object(at, want, got)
	case []any:
		list, ok := got.([]any)
		if !ok && len(want) == 0 && got == nil {
			return nil
		}
		if !ok || len(list) != len(want) {
			return fmt.Errorf("%s is %s, want %s", at, show(got), show(want))
		}
		for i := range want {
			if err := m.match(fmt.Sprintf("%s/%d", at, i), want[i], list[i]); err != nil {
				return err
			}
		}
		return nil
	case string:
		text, ok := got.(string)
		if !ok {
			if isTime(want) {
				return nil
			}
			text = strings.Trim(show(got), `"`)
		}
		return m.text(at, want, text)
	}
	if show(want) != show(got) {
		return fmt.Errorf("%s is %s, want %s", at, show(got), show(want))
	}
	return nil
}

// object compares an object. A text that holds JSON is compared as what it holds.
func (m *matcher) object(at string, want map[string]any, got any) error {
	if text, ok := got.(string); ok {
		var tree any
		if json.Unmarshal([]byte(text), &tree) != nil {
			return fmt.Errorf("%s is the text %q, want %s", at, text, show(want))
		}
		got = tree
	}
	have, ok := got.(map[string]any)
	if !ok && got != nil {
		return fmt.Errorf("%s is %s, want %s", at, show(got), show(want))
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if m.ignored[name] {
			continue
		}
		v, _ := member(have, name)
		if err := m.match(at+"/"+name, want[name], v); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		_, known := member(want, name)
		_, lower := want[strings.ToLower(name[:1])+name[1:]]
		if !known && !lower && !m.ignored[name] && !empty(have[name]) {
			return fmt.Errorf("%s has %s: %s, which AWS does not have", at, name, show(have[name]))
		}
	}
	return nil
}

// isTime tells whether a recording stands for any time.
func isTime(want string) bool { return want == "timestamp" || want == "date" || want == "datetime" }

// kebab returns the name of the member at a path as recordings write it for a value that they leave out: upload-id for UploadId.
func kebab(at string) string {
	var b strings.Builder
	for i, r := range at[strings.LastIndexByte(at, '/')+1:] {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string: // members that are no pointers
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

var placeholder = regexp.MustCompile(`<[a-z0-9_\-]+(:\d+)?>`)

// unbound are the placeholders that stand for another text each time.
var unbound = []string{"<md5-hash>", "<expiration>", "<expires>", "<signature>", "<sender-id>", "<cert-domain>", "<unsubscribe-domain>", "<subscribe-domain>", "<key-arn>", "<mrk-key-arn>"}

// text compares a text that may have placeholders.
func (m *matcher) text(at, want, got string) error {
	if isTime(want) || want == kebab(at) || want == "owner-id" {
		return nil
	}
	want = strings.NewReplacer("<partition>", "aws", "<region>", "us-east-1", "111111111111", "000000000000").Replace(want)
	var pattern strings.Builder
	var names []string
	rest := want
	for {
		loc := placeholder.FindStringIndex(rest)
		if loc == nil {
			break
		}
		name := rest[loc[0]:loc[1]]
		pattern.WriteString(regexp.QuoteMeta(rest[:loc[0]]))
		if known, ok := m.bound[name]; ok {
			pattern.WriteString(regexp.QuoteMeta(known))
		} else {
			pattern.WriteString(`([\s\S]+?)`)
			names = append(names, name)
		}
		rest = rest[loc[1]:]
	}
	pattern.WriteString(regexp.QuoteMeta(rest))
	re, err := regexp.Compile("^" + pattern.String() + "$")
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %q is not a recording", at, want), err)
	}
	found := re.FindStringSubmatch(got)
	if found == nil {
		return fmt.Errorf("%s is %q, want %q", at, shorten(got), shorten(want))
	}
	for i, name := range names {
		if !slices.Contains(unbound, name) {
			m.bound[name] = found[i+1]
		}
	}
	return nil
}

func shorten(s string) string {
	const limit = 400
	if len(s) > limit {
		return s[:limit] + "…"
	}
	return s
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return shorten(string(b))
}
