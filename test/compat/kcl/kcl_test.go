package kcl

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

// TestMain lets the sandbox of the servers start its helper from this binary.
func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// limit is how long one run may take; the library waits a minute until its second worker thread has decided who leads.
const limit = 5 * time.Minute

func TestClientLibrarySeesEveryRecordOnce(t *testing.T) {
	if os.Getenv("KCL") == "" {
		t.Skip("KCL is not set: run make compat-kcl")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("client")); err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, name string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	run(t, "mvn", "-q", "-B", "compile", "dependency:build-classpath", "-Dmdep.outputFile=classpath.txt")
	classpath, err := os.ReadFile(filepath.Join(dir, "classpath.txt"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.DataDir, cfg.Listen, cfg.Sandbox = t.TempDir(), "127.0.0.1:0", config.SandboxOff
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	key := s.RootKey()
	for _, mode := range []string{"polling", "fanout"} {
		t.Run(mode, func(t *testing.T) {
			out := run(t, "java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", "target/classes:"+string(classpath), "lambent.Consumer", s.URL(), mode, key.AccessKeyID, key.Secret)
			if !strings.Contains(out, "saw 60 records once") {
				t.Errorf("the client says:\n%s", out)
			}
		})
	}
}
