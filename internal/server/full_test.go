package server

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/tools/txtar"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// roomy is a disk whose room is set.
type roomy struct {
	vfs.FS

	left atomic.Uint64
}

// GetDiskUsage implements vfs.FS.
func (r *roomy) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: r.left.Load(), TotalBytes: 10 << 30}, nil
}

// script makes the calls of a data file.
type script struct {
	s    *Server
	ctx  context.Context //nolint:containedctx // of the test
	vars map[string]string
}

// step is a line of a data file.
type step struct {
	refused                                    bool
	variable, service, operation, member, want string
	input                                      string
}

var stepLine = regexp.MustCompile(`^(! )?(?:([A-Z]+) = )?(\w+) (\w+) (?:([\w.]+) )?(\{.*\})(?: => (\w+))?$`)

func steps(t *testing.T, text []byte) (out []step) {
	t.Helper()
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		m := stepLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("no step: %s", line)
		}
		out = append(out, step{m[1] != "", m[2], m[3], m[4], m[5], m[7], m[6]})
	}
	return out
}

// call makes the call of a step, and returns its output as JSON.
func (c *script) call(p step) (any, error) {
	input := os.Expand(p.input, func(name string) string { return c.vars[name] })
	if p.service == "dynamodb" { // its items have a form of their own in memory
		return nil, c.post("DynamoDB_20120810."+p.operation, input)
	}
	for i := range c.s.services {
		for _, b := range c.s.services[i].Operations {
			if c.s.services[i].API.Name != p.service || b.Name != p.operation {
				continue
			}
			in := b.New()
			if err := json.Unmarshal([]byte(input), in); err != nil {
				return nil, fmt.Errorf("read the input: %w", err)
			}
			if body := reflect.ValueOf(in).Elem().FieldByName("Body"); body.IsValid() {
				body.Set(reflect.ValueOf(strings.NewReader("body")))
			}
			out, err := c.s.plane.Door.Call(c.ctx, p.service, p.operation, in)
			if err != nil {
				return nil, err
			}
			var tree any
			text, err := json.Marshal(out)
			err = errors.Join(err, json.Unmarshal(text, &tree))
			return tree, err
		}
	}
	return nil, errors.New("there is no such operation")
}

// post calls DynamoDB through HTTP.
func (c *script) post(target, input string) error {
	r, err := http.NewRequestWithContext(c.ctx, http.MethodPost, c.s.URL(), strings.NewReader(input))
	if err != nil {
		return err
	}
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	signer := sigv4.Signer{AccessKeyID: "test", Secret: "test", Region: "us-east-1", Service: "dynamodb"}
	if err := signer.SignHTTP(r, sigv4.Hash([]byte(input)), time.Now()); err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	switch err := answer.Body.Close(); answer.StatusCode {
	case http.StatusOK:
		return err
	case http.StatusServiceUnavailable:
		return store.ErrFull
	}
	return errors.New(answer.Status)
}

// at returns the member of a JSON value that path names.
func at(tree any, path string) string {
	for name := range strings.SplitSeq(path, ".") {
		switch v := tree.(type) {
		case map[string]any:
			tree = v[name]
		case []any:
			if i, err := strconv.Atoi(name); err == nil && i < len(v) {
				tree = v[i]
			}
		}
	}
	text, _ := tree.(string)
	return text
}

// do makes a step, and compares what comes of it.
func (c *script) do(t *testing.T, p step) {
	t.Helper()
	out, err := c.call(p)
	var e *service.Error
	switch {
	case p.refused && (!errors.Is(err, store.ErrFull) || errors.As(err, &e) && e.Status < http.StatusInternalServerError):
		t.Errorf("%s %s: %v, want a refusal for want of room", p.service, p.operation, err)
	case !p.refused && err != nil:
		t.Errorf("%s %s: %v", p.service, p.operation, err)
	}
	if p.variable != "" {
		c.vars[p.variable] = at(out, p.member)
	}
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for n := 0; p.want != "" && err == nil && at(out, p.member) != p.want; n++ {
		if n == 1000 {
			t.Errorf("%s %s: %s stays %q, want %q", p.service, p.operation, p.member, at(out, p.member), p.want)
			return
		}
		<-ticks.C
		out, err = c.call(p)
	}
}

// emptyZip is a code package, in base64.
func emptyZip(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	_, err := z.Create("bootstrap")
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// TestFullDiskLetsEveryServiceRemoveThings makes things of every service, takes the room away, and removes them all.
// asRoot returns a context of calls by the root user.
func asRoot(t *testing.T, s *Server) context.Context {
	t.Helper()
	root := s.RootKey()
	return service.WithRequest(t.Context(), &service.Request{ID: "test", Account: root.Account, Region: "us-east-1", Principal: service.Principal{
		Kind: service.Root, Account: root.Account, ARN: "arn:aws:iam::" + root.Account + ":root", UserID: root.Account,
	}})
}

func TestFullDiskLetsEveryServiceRemoveThings(t *testing.T) {
	parts, err := txtar.ParseFile("testdata/full.txt")
	if err != nil {
		t.Fatal(err)
	}
	disk := &roomy{FS: vfs.NewMem()}
	disk.left.Store(5 << 30)
	s := run(t, machine{clock: clock.System{}, disk: disk}, func(*config.Config) {})
	c := &script{s: s, ctx: asRoot(t, s), vars: map[string]string{"ZIP": emptyZip(t)}}
	for _, p := range steps(t, parts.Files[0].Data) {
		c.do(t, p)
	}
	if t.Failed() {
		return
	}
	disk.left.Store(48 << 20) // of 64 MiB that are kept
	for more := (step{service: "s3", operation: "CreateBucket"}); err == nil; {
		more.input = fmt.Sprintf(`{"Bucket":"filler-%d"}`, time.Now().UnixNano()) // a measurement of the room is trusted for a second
		_, err = c.call(more)
	}
	for _, p := range steps(t, parts.Files[1].Data) {
		c.do(t, p)
	}
}
