package scenario

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"lambent.dev/lambent/test/driver"
)

// world is what the commands of one script work on.
type world struct {
	platform *platform
	client   *driver.Driver // the client under test
	boto3    *driver.Driver
	last     driver.Answer
}

type worldKey struct{}

func commands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	with := func(fn func(w *world, ts *testscript.TestScript, neg bool, args []string)) func(*testscript.TestScript, bool, []string) {
		return func(ts *testscript.TestScript, neg bool, args []string) {
			fn(ts.Value(worldKey{}).(*world), ts, neg, args)
		}
	}
	return map[string]func(*testscript.TestScript, bool, []string){
		"call": with(call), "error": with(failure), "want": with(want), "match": with(match), "set": with(set), "http": with(request1),
		"presign": with(presign), "lambent": with(lambent), "eventually": with(eventually), "crash": with(crash), "until": with(until),
		"advance": with(advance), "now": with(now),
	}
}

func (w *world) request(ts *testscript.TestScript, service, operation, input string) driver.Request {
	input = os.Expand(input, ts.Getenv) // single quotes keep testscript from doing it
	if !json.Valid([]byte(input)) {
		ts.Fatalf("the input of %s is not JSON: %s", operation, input)
	}
	return driver.Request{
		Service: service, Operation: operation, Input: json.RawMessage(input), Endpoint: w.platform.url(),
		Key: ts.Getenv("KEY"), Secret: ts.Getenv("SECRET"), Token: ts.Getenv("TOKEN"),
	}
}

func call(w *world, ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 2 {
		args = append(args, "{}")
	}
	if len(args) != 3 {
		ts.Fatalf("usage: call SERVICE Operation [JSON]")
	}
	a, err := w.client.Call(w.request(ts, args[0], args[1], args[2]))
	ts.Check(err)
	w.last = a
	switch {
	case a.Code != "" && !neg:
		ts.Fatalf("%s failed: %s: %s", args[1], a.Code, a.Message)
	case a.Code == "" && neg:
		ts.Fatalf("%s succeeded: %v", args[1], a.Output)
	}
}

// patience is how long until and eventually wait. It is spent by what fails alone: a machine that is busy with other work takes more than ten seconds
// to start a function when it is asked for its log all the time.
const patience = 30 * time.Second

// until repeats a call until a value of its answer is as wanted, for what the platform does after it answered.
func until(w *world, ts *testscript.TestScript, neg bool, args []string) {
	meets := func(got any, ok bool) bool { return ok && text(got) == args[1] || !ok && args[1] == "absent" }
	if len(args) > 0 && args[0] == "-match" {
		args = args[1:]
		meets = func(got any, ok bool) bool { return ok && regexp.MustCompile(args[1]).MatchString(text(got)) }
	}
	if neg || len(args) < 4 || len(args) > 5 {
		ts.Fatalf("usage: until [-match] PATH VALUE|REGEXP SERVICE Operation [JSON]")
	}
	end := time.After(patience)
	for {
		call(w, ts, false, args[2:])
		got, ok := lookup(w.last.Output, args[0])
		if meets(got, ok) {
			return
		}
		select {
		case <-end:
			ts.Fatalf("%s stays %q, want %q in %s", args[0], text(got), args[1], text(w.last.Output))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func failure(w *world, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: error CODE [TEXT]")
	}
	if w.last.Code != args[0] || len(args) == 2 && !strings.Contains(w.last.Message, args[1]) {
		ts.Fatalf("the error is %s: %s", w.last.Code, w.last.Message)
	}
}

func want(w *world, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: want PATH VALUE")
	}
	got, ok := lookup(w.last.Output, args[0])
	if !ok && args[1] == "absent" {
		return
	}
	if !ok || text(got) != args[1] {
		ts.Fatalf("%s is %q, want %q in %s", args[0], text(got), args[1], text(w.last.Output))
	}
}

func match(w *world, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: match PATH REGEXP")
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	if got, ok := lookup(w.last.Output, args[0]); !ok || !re.MatchString(text(got)) {
		ts.Fatalf("%s is %q, which does not match %s", args[0], text(got), re)
	}
}

func set(w *world, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: set VAR PATH")
	}
	got, ok := lookup(w.last.Output, args[1])
	if !ok {
		ts.Fatalf("there is no %s in %s", args[1], text(w.last.Output))
	}
	ts.Setenv(args[0], text(got))
}

func request1(w *world, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: http METHOD URL [BODY [HEADER: VALUE]…]")
	}
	body := ""
	if len(args) > 2 {
		body = args[2]
	}
	r, err := http.NewRequest(args[0], args[1], strings.NewReader(body))
	ts.Check(err)
	for _, h := range args[min(3, len(args)):] {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	got, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer got.Body.Close()
	raw, err := io.ReadAll(got.Body)
	ts.Check(err)
	w.last = driver.Answer{Output: map[string]any{"status": got.StatusCode, "body": string(raw)}}
}

func presign(w *world, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 6 {
		ts.Fatalf("usage: presign VAR METHOD SERVICE Operation JSON SECONDS")
	}
	r := w.request(ts, args[2], args[3], args[4])
	var err error
	r.Method = args[1]
	r.Presign, err = strconv.Atoi(args[5])
	ts.Check(err)
	a, err := w.boto3.Call(r)
	ts.Check(err)
	if a.Code != "" {
		ts.Fatalf("presign: %s: %s", a.Code, a.Message)
	}
	ts.Setenv(args[0], text(a.Output))
}

func lambent(w *world, ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(w.platform.binary, args...)
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		ts.Check(err)
	}
	if (err != nil) != neg {
		ts.Fatalf("lambent %s: %v", strings.Join(args, " "), err)
	}
}

// eventually is for what is documented to be late, such as a log: it asks again until the command succeeds and its output matches.
func eventually(w *world, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually REGEXP ARG…")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-again.C {
		if err = ts.Exec(w.platform.binary, args[1:]...); err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("no match for %q within %s (last error: %v)", args[0], patience, err)
}

func crash(w *world, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: crash")
	}
	w.platform.kill()
	ts.Check(w.platform.start())
}

// lookup follows a path of names and indexes, separated by dots.
func lookup(v any, path string) (any, bool) {
	for part := range strings.SplitSeq(path, ".") {
		switch typed := v.(type) {
		case map[string]any:
			next, ok := typed[part]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(typed) {
				return nil, false
			}
			v = typed[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func text(v any) string {
	switch typed := v.(type) {
	case string:
		return typed
	case map[string]any, []any, nil:
		raw, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		return string(raw)
	default:
		return fmt.Sprint(typed)
	}
}
