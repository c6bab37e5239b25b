package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/store"
)

func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// run starts a server on a data folder of its own, with the settings that change makes.
func run(t testing.TB, m machine, change func(c *config.Config)) *Server {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	change(&cfg)
	s, err := start(t.Context(), cfg, slog.New(slog.DiscardHandler), m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s
}

// call makes a signed call with the conventional pair and returns the status of its answer.
func call(t *testing.T, s *Server, service, method, target string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL()+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, r, sigv4.Signer{AccessKeyID: "test", Secret: "test", Region: "us-east-1", Service: service, S3: service == "s3"})
}

// send signs a request and returns the status of its answer.
func send(t *testing.T, r *http.Request, signer sigv4.Signer) int {
	t.Helper()
	if err := signer.SignHTTP(r, sigv4.Hash(nil), time.Now()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

func TestBrokenDiskIsReportedAndAcknowledgesNothing(t *testing.T) {
	broken := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.EIO
		}
		return nil
	})}
	s := run(t, machine{clock: clock.System{}, disk: errorfs.Wrap(vfs.Default, broken)}, func(*config.Config) {})
	if status := call(t, s, "s3", http.MethodPut, "/before"); status != http.StatusOK {
		t.Fatalf("a write on a whole disk: status %d", status)
	}
	broken.On()
	if status := call(t, s, "s3", http.MethodPut, "/during"); status < 500 {
		t.Errorf("a write that the disk did not take: status %d", status)
	}
	if err := <-s.Failed(); !errors.Is(err, store.ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Errorf("the server reports %v, want the store's failure with its cause", err)
	}
	broken.Off()
	if status := call(t, s, "s3", http.MethodPut, "/after"); status < 500 {
		t.Errorf("a write after the disk failed: status %d", status)
	}
}

func TestAccessLogHasEveryRequest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	s := run(t, machine{clock: clock.System{}}, func(c *config.Config) { c.AccessLog, c.Ephemeral = path, true })
	for _, r := range []struct{ service, method, target string }{
		{"s3", http.MethodPut, "/pictures"},
		{"s3", http.MethodGet, "/nothing?list-type=2"},
		{"lambent", http.MethodGet, "/_lambent/health"},
		{"lambent", http.MethodPost, "/_lambent/clock?advance=1h"},
		{"s3", http.MethodGet, "/_aws/s3-website/pictures/"},
	} {
		call(t, s, r.service, r.method, r.target)
	}
	if err := s.access.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"PUT /pictures s3 CreateBucket 200 ", "GET /nothing s3 ListObjectsV2 404 NoSuchBucket", "GET /_lambent/health   200 ",
		"POST /_lambent/clock lambent  403 ", "GET /_aws/s3-website/pictures/ s3  404 ",
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), raw)
	}
	for i, line := range lines {
		var e struct {
			Method, Path, Service, Operation, Principal string
			Status                                      json.Number
			Code                                        string `json:"error_code"`
			ID                                          string `json:"request_id"`
			Source                                      string `json:"source_ip"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join([]string{e.Method, e.Path, e.Service, e.Operation, e.Status.String(), e.Code}, " "); got != want[i] || e.Source != "127.0.0.1" {
			t.Errorf("line %d is %q from %s, want %q", i, got, e.Source, want[i])
		}
		if e.Operation != "" && (len(e.ID) != 36 || e.Principal != "arn:aws:iam::000000000000:root") {
			t.Errorf("line %d has the id %q and the principal %q", i, e.ID, e.Principal)
		}
	}
}

func TestAllowedDecisionSaysNothingOfADenial(t *testing.T) {
	r := auth.Record{Request: &iam.Request{Action: "s3:GetObject", Resource: "*"}}
	r.Decision.Allowed = true
	if d := describe(&r); d.Message != "" {
		t.Errorf("an allowed call is explained with %q", d.Message)
	}
	r.Decision.Allowed = false
	if d := describe(&r); d.Message == "" {
		t.Error("a denial is not explained")
	}
}

func TestAdministrationIsForTheRootUser(t *testing.T) {
	s := run(t, machine{clock: clock.System{}}, func(c *config.Config) { c.Ephemeral = true })
	for _, path := range []string{"/_lambent/decisions/x", "/_lambent/clock?advance=1h", "/_lambent/invocations", "/_lambent/invocations/x", "/_lambent/rehearsals"} {
		if status := call(t, s, AdminService, http.MethodGet, path); status != http.StatusForbidden {
			t.Errorf("the conventional pair gets %s: status %d", path, status)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/_lambent/invocations", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if status := send(t, r, sigv4.Signer{AccessKeyID: s.RootKey().AccessKeyID, Secret: s.RootKey().Secret, Region: "us-east-1", Service: AdminService}); status != http.StatusOK {
		t.Errorf("root gets status %d", status)
	}
}
