//go:build linux

package hostile

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/url"
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
	return p.createAs(map[string]any{"FunctionName": name, "Runtime": "provided.al2023", "Role": role, "Handler": "bootstrap", "Timeout": seconds, "MemorySize": 128}, archive)
}

// createAs creates a function with the members of CreateFunction and its archive.
func (p *platform) createAs(in map[string]any, archive []byte) answer {
	p.Helper()
	in["Code"] = map[string]any{"ZipFile": archive}
	return p.send(p.as("lambda"), p.request("POST", "/2015-03-31/functions", "Content-Type", "application/json"), []byte(jsonOf(in)), time.Now())
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
