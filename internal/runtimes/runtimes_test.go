package runtimes

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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
}

func newBench(t testing.TB) *bench {
	t.Helper()
	host, err := sandbox.Open(t.Context(), sandbox.Options{})
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
	return &bench{host, catalog}
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

// start starts files as the code of a function.
func (b *bench) start(t testing.TB, id, handler string, files map[string]string, env ...string) (*Environment, *output) {
	t.Helper()
	r, err := b.catalog.Lookup(t.Context(), id)
	if err != nil {
		t.Skipf("%s: %v", id, err)
	}
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var out output
	e, err := Start(t.Context(), b.host, Spec{
		Name: t.Name(), Runtime: r, Code: dir, Output: &out,
		Env: append([]string{"_HANDLER=" + handler, "AWS_LAMBDA_FUNCTION_NAME=f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128"}, env...),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Kill()
		<-e.Done()
	})
	return e, &out
}

func event(id, payload string) *rapi.Invocation {
	return &rapi.Invocation{
		RequestID: id, FunctionARN: "arn:aws:lambda:us-east-1:000000000000:function:f", Payload: []byte(payload),
		Deadline: time.Unix(4102444800, 0),
	}
}

func TestQuick(t *testing.T) {
	b := newBench(t)
	for _, tc := range []struct{ id, handler, file, code string }{
		{"nodejs20.x", "index.handler", "index.js", "exports.handler = async (e, c) => { console.log('hi', e); return {got: e, c}; }"},
		{"python3.11", "app.handler", "app.py", "def handler(e, c):\n    print('hi')\n    return {'got': e, 'rem': c.get_remaining_time_in_millis()}\n"},
	} {
		e, out := b.start(t, tc.id, tc.handler, map[string]string{tc.file: tc.code})
		for _, id := range []string{"1", "2"} {
			a, err := e.Invoke(t.Context(), event(id, `{"a":1}`))
			t.Logf("%s %+v %v\n%s", a.Body, a, err, strings.TrimSpace(out.String()))
		}
	}
}
