package runtimes

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/runtimes/rapi"
	"lambent.dev/lambent/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// bench is what tests start environments with.
type bench struct {
	host    *sandbox.Host
	catalog *Catalog
	// parked has every environment made from a cell that was parked before.
	parked bool
	java   *javaCode
}

// javaCode is testdata/java, compiled when a test needs it.
type javaCode struct {
	once sync.Once
	dir  string
}

func (b *bench) javaClasses(t testing.TB) string {
	t.Helper()
	b.java.once.Do(func() {
		out, err := exec.Command("javac", "--release", "17", "-cp", "clients/java", "-d", b.java.dir, "testdata/java/Handlers.java").CombinedOutput()
		if err != nil {
			b.java.dir = ""
			t.Logf("javac: %v\n%s", err, out)
		}
	})
	if b.java.dir == "" {
		t.Skip("the java functions of this test could not be compiled: install a JDK (apt-get install openjdk-17-jdk-headless)")
	}
	return b.java.dir
}

func newBench(t testing.TB, o sandbox.Options) *bench {
	t.Helper()
	host, err := sandbox.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	catalog, err := NewCatalog(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{host: host, catalog: catalog, java: &javaCode{dir: t.TempDir()}}
}

// fresh is a launcher that parks nothing by itself.
func (b *bench) fresh() *Launcher {
	return NewLauncher(LauncherOptions{Host: b.host, Clock: clock.System{}})
}

// output collects what an environment writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// spec describes a function whose code are files.
func (b *bench) spec(t testing.TB, id, handler string, files map[string]string, env ...string) (Spec, *output) {
	t.Helper()
	r, err := b.catalog.Lookup(t.Context(), id)
	if err != nil {
		t.Skipf("%s: %v", id, err)
	}
	dir := t.TempDir()
	if r.Family == FamilyJava {
		dir = b.javaClasses(t)
	}
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out := &output{}
	return Spec{
		Name: t.Name(), Runtime: r, Code: dir, Output: out,
		Env: append([]string{"_HANDLER=" + handler, "AWS_LAMBDA_FUNCTION_NAME=f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128"}, env...),
	}, out
}

// start starts files as the code of a function.
func (b *bench) start(t testing.TB, id, handler string, files map[string]string, env ...string) (*Environment, *output) {
	t.Helper()
	s, out := b.spec(t, id, handler, files, env...)
	return b.begin(t, &s), out
}

// begin starts the environment of a function, which ends with the test.
func (b *bench) begin(t testing.TB, s *Spec) *Environment {
	t.Helper()
	var e *Environment
	var err error
	if b.parked {
		e, err = b.park(t, s).assign(t.Context(), s)
	} else {
		e, err = b.fresh().startFresh(t.Context(), *s)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Kill()
		<-e.Done()
	})
	return e
}

// park parks a cell for functions like s.
func (b *bench) park(t testing.TB, s *Spec) *parkedCell {
	t.Helper()
	k, _ := kindOf(s)
	c, err := b.fresh().park(t.Context(), k, parkedSpec(k, s))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func event(id, payload string) *rapi.Invocation {
	return &rapi.Invocation{
		RequestID: id, FunctionARN: "arn:aws:lambda:us-east-1:000000000000:function:f", Payload: []byte(payload),
		Deadline: time.Unix(4102444800, 0),
	}
}

// TestClients runs the functions of testdata/*.txtar. In each file, "function" names the runtime and the handler, the files that follow are
// the code, "event" is what it is invoked with, twice, and "answer" (or "error", or "init" for a failed initialisation) is the JSON that is expected,
// with ... for any text. With "snapshot" the environment is one for a snapshot, and the file lists texts that the output must have before it is restored;
// "restore" is the error of a restoration that fails. With "concurrency" there are as many invocations, all at the same time. "log" lists texts that the output must have, "lacks" those that it must not have.
func TestClients(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	b := newBench(t, sandbox.Options{})
	parked := &bench{host: b.host, catalog: b.catalog, parked: true, java: b.java}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		if strings.HasPrefix(name, "hostile-") && !b.host.Report().Isolated() {
			t.Logf("%s needs isolation: %s", name, b.host.Report().Layer(sandbox.LayerNamespaces).Detail)
			continue
		}
		t.Run(name, func(t *testing.T) { runCase(t, b, a) })
		t.Run(name+"-parked", func(t *testing.T) {
			if !b.host.CanPark() {
				t.Skip("cells cannot be parked here: that takes root and a memory controller")
			}
			runCase(t, parked, a)
		})
	}
}

// TestClientsAsPlainProcesses runs some of the functions where there are no namespaces: paths and addresses of the cell are then those of the host.
func TestClientsAsPlainProcesses(t *testing.T) {
	b := newBench(t, sandbox.Options{Plain: true})
	for _, name := range []string{"node-esm", "python-marshal", "provided-shell", "provided-chunked"} {
		t.Run(name, func(t *testing.T) {
			a, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
			if err != nil {
				t.Fatal(err)
			}
			runCase(t, b, a)
		})
	}
}

func runCase(t *testing.T, b *bench, a *txtar.Archive) {
	t.Helper()
	c := clientCase{parts: map[string]string{}}
	code := map[string]string{}
	for _, f := range a.Files {
		switch f.Name {
		case "function", "event", "answer", "error", "init", "log", "lacks", "env", "snapshot", "restore", "concurrency":
			c.parts[f.Name] = strings.TrimSpace(string(f.Data))
		default:
			code[f.Name] = string(f.Data)
		}
	}
	function := strings.Fields(c.parts["function"])
	var s Spec
	s, c.out = b.spec(t, function[0], function[1], code, strings.Fields(c.parts["env"])...)
	before, snapshot := c.parts["snapshot"]
	if s.Snapshot = snapshot; snapshot {
		s.Env = append(s.Env, "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start")
	}
	if text, ok := c.parts["concurrency"]; ok {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		c.idle = make(chan struct{}, n)
		s.Env, s.Concurrency, s.WorkerIdle = append(s.Env, "AWS_LAMBDA_MAX_CONCURRENCY="+text), n, func() { c.idle <- struct{}{} }
	}
	c.env = b.begin(t, &s)
	_, failing := c.parts["init"]
	switch {
	case failing:
		c.init(t)
	case s.Concurrency > 0:
		c.together(t, s.Concurrency)
	default:
		if snapshot && !c.restore(t, before) {
			break
		}
		for _, id := range []string{"id-1", "id-2"} {
			answer, err := c.env.Invoke(t.Context(), event(id, c.parts["event"]))
			c.answered(t, answer, err)
		}
	}
	c.logged(t)
}

// clientCase is one case of TestClients.
type clientCase struct {
	parts map[string]string
	env   *Environment
	out   *output
	idle  chan struct{} // gets one for each worker that waits
}

// init expects that the initialisation fails.
func (c *clientCase) init(t *testing.T) {
	t.Helper()
	var failed *rapi.InitError
	if err := c.env.WaitReady(t.Context()); !errors.As(err, &failed) {
		t.Fatalf("initialisation: %v\n%s", err, c.out)
	}
	match(t, string(failed.Body), c.parts["init"])
	<-c.env.Done()
}

// restore restores the environment, and tells whether it goes on after that.
func (c *clientCase) restore(t *testing.T, before string) bool {
	t.Helper()
	if err := c.env.WaitSnapshot(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, c.out)
	}
	c.env.Drain()
	for line := range strings.Lines(before) {
		if line = strings.TrimSpace(line); !strings.Contains(c.out.String(), line) {
			t.Errorf("before it is restored the output lacks %q:\n%s", line, c.out)
		}
	}
	err := c.env.Restore(t.Context())
	want, fails := c.parts["restore"]
	if !fails {
		if err != nil {
			t.Fatalf("%v\n%s", err, c.out)
		}
		return true
	}
	var failed *rapi.RestoreError
	if !errors.As(err, &failed) {
		t.Fatalf("restoration: %v\n%s", err, c.out)
	}
	match(t, failed.Type+" "+string(failed.Body), want)
	<-c.env.Done()
	return false
}

// together invokes every worker at the same time.
func (c *clientCase) together(t *testing.T, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		<-c.idle
		wg.Go(func() {
			answer, err := c.env.Invoke(t.Context(), event("id-"+strconv.Itoa(i+1), c.parts["event"]))
			c.answered(t, answer, err)
		})
	}
	wg.Wait()
}

func (c *clientCase) answered(t *testing.T, answer rapi.Answer, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%v\n%s", err, c.out)
		return
	}
	want, failed := c.parts["error"]
	if !failed {
		want = c.parts["answer"]
	}
	if answer.Failed != failed {
		t.Errorf("failed is %v", answer.Failed)
	}
	match(t, string(answer.Body), want)
}

func (c *clientCase) logged(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(c.parts["log"]) {
		if line = strings.TrimSpace(strings.ReplaceAll(line, `\t`, "\t")); !strings.Contains(c.out.String(), line) {
			t.Errorf("output lacks %q:\n%s", line, c.out)
		}
	}
	for line := range strings.Lines(c.parts["lacks"]) {
		if line = strings.TrimSpace(line); strings.Contains(c.out.String(), line) {
			t.Errorf("output has %q:\n%s", line, c.out)
		}
	}
}

// match compares with a text in which ... stands for anything.
func match(t *testing.T, got, want string) {
	t.Helper()
	quoted := strings.ReplaceAll(regexp.QuoteMeta(want), `\.\.\.`, `(?s:.*)`)
	if !regexp.MustCompile("^" + quoted + "$").MatchString(got) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEndOfAProcessIsDescribed(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	for _, tc := range []struct{ source, want string }{
		{"import os\ndef handler(e, c): os._exit(0)\n", "Runtime exited without providing a reason"},
		{"import os\ndef handler(e, c): os._exit(9)\n", "Runtime exited with error: exit status 9"},
		{"import os\ndef handler(e, c): os.kill(os.getpid(), 9)\n", "Runtime exited with error: signal: killed"},
	} {
		e, _ := b.start(t, "python3.11", "app.handler", map[string]string{"app.py": tc.source})
		_, err := e.Invoke(t.Context(), event("1", `{}`))
		var exit *ExitError
		if !errors.As(err, &exit) || err.Error() != tc.want {
			t.Errorf("error %v, want %s", err, tc.want)
		}
	}
}

func TestLookupNeverReplacesSilently(t *testing.T) {
	python, _ := languageOf(FamilyPython)
	list := []program{{version: [3]int{3, 10, 2}}, {version: [3]int{3, 12, 1}}, {version: [3]int{3, 13, 0}}}
	for _, tc := range []struct {
		minor, want int
		exact       bool
	}{{12, 12, true}, {11, 12, false}, {14, 13, false}, {9, 10, false}} {
		p, exact, ok := choose(list, version{family: FamilyPython, major: 3, minor: tc.minor}, &python)
		if !ok || p.version[1] != tc.want || exact != tc.exact {
			t.Errorf("for 3.%d: %v, exact %v", tc.minor, p, exact)
		}
	}
	if _, _, ok := choose(nil, version{family: FamilyNode, major: 22}, &python); ok {
		t.Error("something was chosen of nothing")
	}
	c, err := NewCatalog(Options{Dir: t.TempDir(), Path: []string{t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{
		"nodejs22.x": "apt-get install nodejs", "python3.13": "apt-get install python3.13", "java21": "apt-get install openjdk-21-jre-headless", "dotnet8": "apt-get install dotnet-runtime-8.0", "cobol": `"cobol" is not a Lambda runtime`,
	} {
		if _, err := c.Lookup(t.Context(), id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", id, err, want)
		}
	}
}

// BenchmarkInvoke measures a round trip to a warm function of each runtime.
func BenchmarkInvoke(b *testing.B) {
	for _, tc := range []struct{ id, handler, file, code string }{
		{"nodejs20.x", "index.handler", "index.js", "exports.handler = async (e) => e"},
		{"python3.11", "app.handler", "app.py", "def handler(e, c): return e\n"},
	} {
		b.Run(tc.id, func(b *testing.B) {
			e, _ := newBench(b, sandbox.Options{}).start(b, tc.id, tc.handler, map[string]string{tc.file: tc.code})
			n := 0
			for b.Loop() {
				n++
				if _, err := e.Invoke(b.Context(), event(strconv.Itoa(n), `{"a":1}`)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
