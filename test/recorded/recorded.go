package recorded

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// Platform is what cases run on.
type Platform interface {
	// Call makes a call with JSON in and out. An error of the service is the second result.
	Call(api, operation, input string) (output string, failure *Failure, err error)
	// Advance moves the clock to a time since the case began.
	Advance(since time.Duration)
}

// Failure is an error as a client sees it.
type Failure struct {
	Code, Message string
	Status        int
	// Detail are the other members of the error, compared when the recording has them.
	Detail map[string]string
}

// Replay runs the cases of a file, each on a platform of its own and in a bubble of package synctest. expected is the file of those that do not pass; it must be there.
func Replay(t *testing.T, file, expected string, open func(t *testing.T) Platform) {
	t.Helper()
	replay(t, file, expected, synctest.Test, open)
}

// ReplayLive is [Replay] for platforms that the clock of the test does not move: those that are spoken to over a network.
func ReplayLive(t *testing.T, file, expected string, open func(t *testing.T) Platform) {
	t.Helper()
	replay(t, file, expected, func(t *testing.T, run func(t *testing.T)) { run(t) }, open)
}

func replay(t *testing.T, file, expected string, in func(t *testing.T, run func(t *testing.T)), open func(t *testing.T) Platform) {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := readExpected(expected)
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, f := range archive.Files {
		reason, listed := reasons[f.Name]
		delete(reasons, f.Name)
		t.Run(f.Name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				err := run(open(t), string(f.Data))
				switch {
				case err != nil && !listed:
					t.Error(err)
				case err == nil && listed:
					t.Errorf("passes, and is listed in %s (%s): take it out of the list", expected, reason)
				case err == nil:
					passed++
				}
			})
		})
	}
	for name := range reasons {
		t.Errorf("%s lists %s, which is no case", expected, name)
	}
	t.Logf("%d of %d recorded cases pass", passed, len(archive.Files))
}

func readExpected(file string) (map[string]string, error) {
	b, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, ": ")
		if !ok || reason == "" {
			return nil, fmt.Errorf("%s: %q has no reason", file, line)
		}
		out[name] = reason
	}
	return out, nil
}

// result is the outcome of a call.
type result struct {
	output  any
	failure *Failure
	call    string
}

// run replays one case.
func run(p Platform, text string) error {
	m := matcher{bound: map[string]string{}, ignored: map[string]bool{}}
	var results []result
	var asked string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
		case strings.HasPrefix(line, "ignore "):
			for _, name := range strings.Fields(line)[1:] {
				m.ignored[name] = true
			}
		case strings.HasPrefix(line, "  ~ "):
			if len(results) == 0 {
				return fmt.Errorf("%q comes before any call", line)
			}
			last := len(results) - 1
			r, err := until(line, results[last], func() (result, error) { return call(p, asked, results[:last]) })
			if err != nil {
				return err
			}
			results[last] = r
		case strings.HasPrefix(line, "  = "), strings.HasPrefix(line, "  ! "):
			if len(results) == 0 {
				return fmt.Errorf("%q comes before any call", line)
			}
			if err := m.check(results[len(results)-1], line); err != nil {
				return err
			}
		default:
			asked = line
			r, err := call(p, line, results)
			if err != nil {
				return err
			}
			results = append(results, r)
		}
	}
	return nil
}

// patience is how long a case waits for work that goes on after an answer, and settled how long for a value that no longer looks like work.
const (
	patience = 30 * time.Second
	settled  = 2 * time.Second
)

// until repeats a call until the value at a path of its answer is the one that the line says.
func until(line string, r result, again func() (result, error)) (result, error) {
	path, recording, _ := strings.Cut(line[4:], " ")
	var want, got any
	if err := json.Unmarshal([]byte(recording), &want); err != nil {
		return r, fmt.Errorf("%q: %w", line, err)
	}
	for began, same := time.Now(), time.Now(); ; {
		if r.failure != nil {
			return r, fmt.Errorf("%s fails with %s: %s", r.call, r.failure.Code, r.failure.Message)
		}
		v, _ := lookUp(r.output, strings.Split(strings.TrimPrefix(path, "/"), "/"))
		if v == want {
			return r, nil
		}
		if v != got {
			got, same = v, time.Now()
		}
		text, _ := got.(string)
		if time.Since(began) > patience || !strings.HasSuffix(text, "_IN_PROGRESS") && time.Since(same) > settled {
			return r, fmt.Errorf("%s: %s stays %v, want %v", r.call, path, got, want)
		}
		<-time.After(20 * time.Millisecond)
		var err error
		if r, err = again(); err != nil {
			return r, err
		}
	}
}

var (
	reference = regexp.MustCompile(`\{\{(\d+)\.([^}]+)\}\}`)
	moment    = regexp.MustCompile(`\{\{now([+-]\d+)\}\}`)
)

// call makes the call of a line.
func call(p Platform, line string, earlier []result) (result, error) {
	at, rest, _ := strings.Cut(line, " ")
	name, input, ok := strings.Cut(rest, " ")
	ms, err := strconv.Atoi(at)
	api, operation, dotted := strings.Cut(name, ".") // a region may follow the API: s3@eu-west-1
	if err != nil || !ok || !dotted {
		return result{}, fmt.Errorf("%q is not a call", line)
	}
	var missing error
	input = moment.ReplaceAllStringFunc(input, func(found string) string {
		seconds, _ := strconv.Atoi(moment.FindStringSubmatch(found)[1]) // the pattern has digits there
		return time.Now().UTC().Add(time.Duration(seconds) * time.Second).Format(time.RFC3339)
	})
	input = reference.ReplaceAllStringFunc(input, func(found string) string {
		part := reference.FindStringSubmatch(found)
		n, _ := strconv.Atoi(part[1]) // the pattern has digits there
		if n < 1 || n > len(earlier) {
			missing = fmt.Errorf("%s: there is no call %d before", name, n)
			return found
		}
		v, ok := lookUp(earlier[n-1].output, strings.Split(part[2], "."))
		text, isText := v.(string)
		if !ok || !isText {
			missing = fmt.Errorf("%s: the answer of %s has no %s", name, earlier[n-1].call, part[2])
		}
		return escaped(text)
	})
	if missing != nil {
		return result{}, missing
	}
	if input, err = expand(input); err != nil {
		return result{}, err
	}
	p.Advance(time.Duration(ms) * time.Millisecond)
	output, failure, err := p.Call(api, operation, input)
	if err != nil {
		return result{}, fmt.Errorf("%s: %w", name, err)
	}
	r := result{failure: failure, call: name}
	if failure == nil {
		err = json.Unmarshal([]byte(output), &r.output)
	}
	return r, err
}

// escaped returns a text as it is written between the quotation marks of JSON.
func escaped(text string) string {
	b, _ := json.Marshal(text) // a string can always be written
	return string(b[1 : len(b)-1])
}

// expand writes out texts that a file gives as {"repeat": [before, character, times, after]}.
func expand(input string) (string, error) {
	if !strings.Contains(input, `{"repeat": [`) {
		return input, nil
	}
	var v any
	if err := json.Unmarshal([]byte(input), &v); err != nil {
		return "", err
	}
	b, err := json.Marshal(expanded(v))
	return string(b), err
}

func expanded(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if r, ok := v["repeat"].([]any); ok && len(v) == 1 && len(r) == 4 {
			return fmt.Sprint(r[0], strings.Repeat(fmt.Sprint(r[1]), int(r[2].(float64))), r[3])
		}
		for k, e := range v {
			v[k] = expanded(e)
		}
	case []any:
		for i, e := range v {
			v[i] = expanded(e)
		}
	}
	return v
}

// lookUp returns the part of a tree at a path.
func lookUp(tree any, path []string) (any, bool) {
	for _, name := range path {
		switch v := tree.(type) {
		case map[string]any:
			var ok bool
			if tree, ok = member(v, name); !ok {
				return nil, false
			}
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n >= len(v) {
				return nil, false
			}
			tree = v[n]
		default:
			return nil, false
		}
	}
	return tree, true
}

// member returns a member of an object. The first letter may have another case: Go names are not those of the wire.
func member(o map[string]any, name string) (any, bool) {
	if v, ok := o[name]; ok {
		return v, true
	}
	if name == "" {
		return nil, false
	}
	v, ok := o[strings.ToUpper(name[:1])+name[1:]]
	return v, ok
}
