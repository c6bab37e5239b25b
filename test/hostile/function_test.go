//go:build linux

package hostile

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/runtimes/code"
)

// entry is one file of an archive.
type entry struct {
	name    string
	content io.Reader
	mode    fs.FileMode
}

func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// role makes the role of the functions, which may do nothing.
func (p *platform) role() string {
	p.Helper()
	form := url.Values{"Action": {"CreateRole"}, "Version": {"2010-05-08"}, "RoleName": {"powerless"}, "AssumeRolePolicyDocument": {trust}}
	made := p.must(p.send(p.as("iam"), p.request("POST", "/", "Content-Type", "application/x-www-form-urlencoded"), []byte(form.Encode()), time.Now()))
	_, arn, _ := strings.Cut(made.body, "<Arn>")
	arn, _, _ = strings.Cut(arn, "</Arn>")
	return arn
}

func (p *platform) create(role, name string, seconds int, archive []byte) answer {
	p.Helper()
	return p.send(p.as("lambda"), p.request("POST", "/2015-03-31/functions", "Content-Type", "application/json"), []byte(jsonOf(map[string]any{
		"FunctionName": name, "Runtime": "provided.al2023", "Role": role, "Handler": "bootstrap", "Timeout": seconds, "MemorySize": 128,
		"Code": map[string]any{"ZipFile": archive},
	})), time.Now())
}

// invoke returns the answer and the kind of the function's error, if any.
func (p *platform) invoke(name, act string, paths ...string) (body, failure string) {
	p.Helper()
	a := p.must(p.send(p.as("lambda"), p.request("POST", "/2015-03-31/functions/"+name+"/invocations"),
		[]byte(jsonOf(map[string]any{"Act": act, "Paths": paths})), time.Now()))
	return a.body, a.header.Get("X-Amz-Function-Error")
}

func TestHostileArchivesMakeNoFunction(t *testing.T) {
	p := start(t)
	role := p.role()
	link := fs.ModeSymlink | 0o777
	before := p.files("code", "blobs")
	for name, data := range map[string][]byte{
		"no-archive":   []byte("not an archive"),
		"climbing":     archive(t, entry{"../../escape", strings.NewReader("x"), 0o644}),
		"absolute":     archive(t, entry{"/tmp/escape", strings.NewReader("x"), 0o644}),
		"link-out":     archive(t, entry{"l", strings.NewReader("../../keys"), link}),
		"through-link": archive(t, entry{"l", strings.NewReader("/tmp"), link}, entry{"l/x", strings.NewReader("x"), 0o644}),
		"bomb":         archive(t, entry{"big", io.LimitReader(endless(0), code.MaxUnzipped+1), 0o644}),
	} {
		t.Run(name, func(t *testing.T) {
			p := p.with(t)
			p.want(p.create(role, name, 3, data), 400, "InvalidParameterValueException")
			p.want(p.send(p.as("lambda"), p.request("GET", "/2015-03-31/functions/"+name), nil, time.Now()), 404, "ResourceNotFoundException")
			if n := p.files("code", "blobs"); n != before {
				t.Errorf("%d files of code and bodies, want %d", n, before)
			}
		})
	}
}

// TestArchivesAreBoundedBySizeAndNoSooner sends archives inside the call, as the SDKs do: AWS takes 50 MiB.
func TestArchivesAreBoundedBySizeAndNoSooner(t *testing.T) {
	p := start(t)
	role := p.role()
	noise := rand.NewChaCha8([32]byte{})
	p.want(p.create(role, "large", 3, archive(t, entry{"bootstrap", io.LimitReader(noise, 20<<20), 0o755})), 201, `"CodeSize":`)
	p.want(p.create(role, "too-large", 3, make([]byte, code.MaxZip+1)), 413, "RequestEntityTooLargeException")
	p.want(p.create(role, "huge", 3, make([]byte, 60<<20)), 413, "RequestEntityTooLargeException")
}

// payload builds the hostile function.
func payload(t *testing.T) []byte {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./payload")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	f, err := os.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return archive(t, entry{"bootstrap", f, 0o755})
}

func TestHostileFunctionsHarmNobody(t *testing.T) {
	p := start(t)
	role, program := p.role(), payload(t)
	p.must(p.create(role, "evil", 2, program))
	p.must(p.create(role, "good", 2, append(program[:len(program):len(program)], 0)))
	p.must(p.create(role, "greedy", 20, program))
	// fine checks that the platform and the neighbour are as they were.
	fine := func(p *platform) {
		p.Helper()
		if body, failure := p.invoke("good", "ok"); failure != "" || body != `["fine"]` {
			p.Errorf("the other function answers %s %s", failure, body)
		}
	}
	for name, c := range map[string]struct{ function, failure, text string }{
		"sleep":  {"evil", "Unhandled", "Task timed out after 2.00 seconds"},
		"memory": {"greedy", "Unhandled", "Runtime.OutOfMemory"},
	} {
		t.Run(name, func(t *testing.T) {
			p := p.with(t)
			body, failure := p.invoke(c.function, name)
			if failure != c.failure || !strings.Contains(body, c.text) {
				t.Errorf("error %q with %s, want %q with %q", failure, body, c.failure, c.text)
			}
			fine(p)
		})
	}
	// Which limit is met first, that of the processes or the folder, or that of the memory, is up to timing.
	for act, text := range map[string]string{"fork": "refused after", "fill": "full after"} {
		t.Run(act, func(t *testing.T) {
			p := p.with(t)
			if body, failure := p.invoke("greedy", act); !strings.Contains(body, text) && (failure != "Unhandled" || !strings.Contains(body, "Runtime.OutOfMemory")) {
				t.Errorf("%s %s", failure, body)
			}
			fine(p)
		})
	}
	t.Run("call the platform", func(t *testing.T) {
		// A call without a signature is one of S3, for a bucket that does not exist.
		body, failure := p.with(t).invoke("evil", "call")
		if failure != "" || strings.Contains(body, " 200 ") || strings.Contains(body, "FunctionName") || strings.Count(body, " 403 ") != 2 {
			t.Errorf("%s %s", failure, body)
		}
		if !strings.Contains(body, "UnrecognizedClientException") || !strings.Contains(body, "AccessDeniedException") {
			t.Errorf("the refusals do not tell why: %s", body)
		}
	})
	t.Run("read the data folder", func(t *testing.T) {
		p := p.with(t)
		p.must(p.s3("PUT", "/drop", nil))
		p.must(p.s3("PUT", "/drop/key", large))
		var paths []string
		if err := filepath.WalkDir(p.dir, func(path string, _ fs.DirEntry, err error) error {
			paths = append(paths, path)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if len(paths) < 10 {
			t.Fatalf("the data folder has only %v", paths)
		}
		if body, failure := p.invoke("evil", "read", paths...); failure != "" || body != `[]` {
			t.Errorf("%s could be read: %s", failure, body)
		}
	})
	t.Run("reach the other function", func(t *testing.T) {
		p := p.with(t)
		if body, _ := p.invoke("evil", "write", "/var/task/bootstrap", "/var/task/x", "/var/runtime/x", "/etc/x", "/x", "/tmp/secret"); body != `["/tmp/secret"]` {
			t.Errorf("could be written: %s", body)
		}
		if body, _ := p.invoke("good", "read", "/tmp/secret"); body != `[]` {
			t.Errorf("the other function reads %s", body)
		}
		fine(p)
	})
}
