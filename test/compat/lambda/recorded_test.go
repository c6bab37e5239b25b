package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

//go:embed unmet.txt
var unmet string

// account is that of the platform under test.
const account = "000000000000"

// TestMain lets the sandbox of the server start its helper from this binary.
func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// step is a call with what was recorded about it.
type step struct {
	operation string
	input     map[string]any
	// key names the answer in the recording; empty for one that is not compared.
	key     string
	status  int
	output  map[string]any // of a success
	failure string         // "Code: message" of an error; "!" for any
}

// parse reads a file of cases.
func parse(t *testing.T, text string) (names []string, cases map[string][]step) {
	t.Helper()
	cases = map[string][]step{}
	name := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		kind, rest, _ := strings.Cut(line, " ")
		switch kind {
		case "":
		case "=":
			name = rest
			names = append(names, name)
		case ">":
			s := step{}
			var input string
			s.operation, input, _ = strings.Cut(rest, " ")
			if err := json.Unmarshal([]byte(input), &s.input); err != nil {
				t.Fatalf("%s: %s: %v", name, line, err)
			}
			cases[name] = append(cases[name], s)
		case "<":
			list := cases[name]
			list[len(list)-1].expect(t, rest)
		default:
			t.Fatalf("%s: %s", name, line)
		}
	}
	return names, cases
}

// expect reads what was recorded.
func (s *step) expect(t *testing.T, text string) {
	t.Helper()
	if text == "" || text == "!" {
		s.failure = text
		return
	}
	status, rest, _ := strings.Cut(text, " ")
	key, rest, _ := strings.Cut(rest, " ")
	var err error
	if s.status, err = strconv.Atoi(status); err != nil {
		t.Fatal(err)
	}
	s.key = key
	if s.status >= 300 {
		s.failure = rest
	} else if err := json.Unmarshal([]byte(rest), &s.output); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// known reads unmet.txt: answers by "case key".
func known(t *testing.T) map[string]bool {
	t.Helper()
	list := map[string]bool{}
	for line := range strings.Lines(unmet) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if list[line] {
			t.Errorf("%q is listed twice", line)
		}
		list[line] = true
	}
	return list
}

// validated is the group about retired runtimes, which a strict platform refuses as AWS does. The role is one of every platform.
const validated = "TestRuntimeValidation"

func TestRecordedAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	lenient, role := start(t, false)
	strict, _ := start(t, true)
	list := known(t)
	compared, met := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		group := strings.TrimSuffix(filepath.Base(file), ".txt")
		names, cases := parse(t, string(text))
		c := lenient
		if group == validated {
			c = strict
		}
		for _, name := range names {
			run := &run{client: c, role: role, bound: fixed()}
			for _, s := range cases[name] {
				id := group + "::" + name + " " + s.key
				diff := run.step(t.Context(), &s)
				if s.key == "" {
					if diff != nil {
						t.Logf("%s: %v", id, diff)
					}
					continue
				}
				compared++
				switch {
				case diff == nil:
					met++
					if list[id] {
						t.Errorf("%s is met: take it from unmet.txt", id)
					}
				case !list[id]:
					t.Errorf("%s: %v", id, diff)
				}
				delete(list, id)
			}
			run.clean(t.Context())
		}
	}
	for id := range list {
		t.Errorf("unmet.txt lists %s, which is not an answer", id)
	}
	t.Logf("%d of %d recorded answers are met", met, compared)
}

// start starts a platform, with strict runtimes or without, and makes a role for the functions.
func start(t *testing.T, strict bool) (c *client, role string) {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Ephemeral, cfg.Listen, cfg.Sandbox = t.TempDir(), true, "127.0.0.1:0", config.SandboxOff
	cfg.StrictRuntimes = strict
	cfg.Concurrency = "1000" // of the account in which the answers were recorded
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	key := s.RootKey()
	signer := sigv4.Signer{AccessKeyID: key.AccessKeyID, Secret: key.Secret, Region: "us-east-1", Service: "lambda"}
	forRoles := signer
	forRoles.Service = "iam"
	for _, form := range []url.Values{
		{"Action": {"CreateRole"}, "AssumeRolePolicyDocument": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`}},
		{"Action": {"PutRolePolicy"}, "PolicyName": {"all"}, "PolicyDocument": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`}},
	} {
		form.Set("Version", "2010-05-08")
		form.Set("RoleName", "recorded")
		post(t, s.URL()+"/", &forRoles, form.Encode())
	}
	return &client{base: s.URL(), signer: signer}, "arn:aws:iam::" + account + ":role/recorded"
}

// post makes a call of the query protocol that must succeed.
func post(t *testing.T, to string, signer *sigv4.Signer, form string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := signer.SignHTTP(r, sigv4.Hash([]byte(form)), time.Now()); err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	if text, err := io.ReadAll(got.Body); err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", form, text, err)
	}
}

// run is one case while it runs.
type run struct {
	client  *client
	role    string
	bound   bindings
	outputs []any
	made    []string // functions
}

// step makes a call and compares its answer.
func (r *run) step(ctx context.Context, s *step) error {
	input, ok := r.resolve(s.input).(map[string]any)
	if !ok {
		return errors.New("the input is not an object")
	}
	a, err := r.client.call(ctx, s.operation, input)
	if err != nil {
		r.outputs = append(r.outputs, nil)
		return err
	}
	r.outputs = append(r.outputs, any(a.output))
	if name, ok := a.output["FunctionName"].(string); ok && s.operation == "CreateFunction" {
		r.made = append(r.made, name)
	}
	switch {
	case s.failure == "!" || s.failure == "" && s.key == "":
		if (a.code != "") != (s.failure == "!") {
			return fmt.Errorf("the answer is %d %s: %s", a.status, a.code, a.message)
		}
		return nil
	case s.failure != "":
		if a.status != s.status {
			return fmt.Errorf("the answer is %d %s: %s, recorded is %d %s", a.status, a.code, a.message, s.status, s.failure)
		}
		return r.bound.failure(s.failure, a.code+": "+a.message)
	case a.status != s.status:
		return fmt.Errorf("the answer is %d %s: %s, recorded is %d", a.status, a.code, a.message, s.status)
	}
	return r.bound.match("output", s.output, any(a.output))
}

// clean deletes the functions of the case, so that the next one finds none.
func (r *run) clean(ctx context.Context) {
	for _, name := range r.made {
		_, _ = r.client.call(ctx, "DeleteFunction", map[string]any{"FunctionName": name})
	}
}

var reference = regexp.MustCompile(`\$\{(\d+)\.([^}]+)\}`)

// resolve fills in what an input refers to.
func (r *run) resolve(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = r.resolve(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = r.resolve(e)
		}
		return out
	case string:
		return r.text(x)
	}
	return v
}

func (r *run) text(s string) any {
	if rest, ok := strings.CutPrefix(s, "@zip "); ok {
		return archive(rest)
	}
	if rest, ok := strings.CutPrefix(s, "@text "); ok {
		return base64.StdEncoding.EncodeToString([]byte(rest))
	}
	if s == "@role" {
		return r.role
	}
	if rest, ok := strings.CutPrefix(s, "@repeat "); ok {
		char, count, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(count)
		if err != nil {
			return s
		}
		return strings.Repeat(char, n)
	}
	return reference.ReplaceAllStringFunc(s, func(m string) string {
		parts := reference.FindStringSubmatch(m)
		n, err := strconv.Atoi(parts[1])
		if err != nil || n < 1 || n > len(r.outputs) {
			return m
		}
		v := r.outputs[n-1]
		for part := range strings.SplitSeq(parts[2], ".") {
			switch x := v.(type) {
			case map[string]any:
				v = x[part]
			case []any:
				i, err := strconv.Atoi(part)
				if err != nil || i >= len(x) {
					return m
				}
				v = x[i]
			}
		}
		return fmt.Sprint(v)
	})
}

// archive is a zip file that is the same for the same name.
func archive(name string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("handler.py")
	if err == nil {
		_, err = io.WriteString(w, "# "+name+"\ndef handler(event, context):\n    return event\n")
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return err.Error()
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}
