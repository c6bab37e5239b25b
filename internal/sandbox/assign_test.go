//go:build linux

package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// parkingHost skips the test, with the reason, where cells cannot be started ahead of need.
func parkingHost(t testing.TB) *Host {
	t.Helper()
	h := isolatedHost(t)
	if !h.CanPark() {
		t.Skip("cells cannot be parked here: that takes root and a memory controller")
	}
	return h
}

func parkedSpec(out *syncBuffer) Spec {
	return Spec{Name: "parked", Parked: true, Limits: Limits{MemoryMB: 4096, MilliCPU: 1}, Stdout: out, Stderr: out}
}

func TestParkedCellIsGivenFoldersWhileItRuns(t *testing.T) {
	h := parkingHost(t)
	code := t.TempDir()
	if err := os.Chmod(code, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(code, "file"), []byte("attached"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out syncBuffer
	spec := parkedSpec(&out)
	spec.Socket = true
	spec.Argv = []string{"/bin/sh", "-c", `echo "before: $(ls /var/task)"; read x <&3; echo "after: $(cat /var/task/file)"
echo x >/var/task/new || echo "read-only"; df -k /tmp | tail -n 1; ls /opt; ls -a /proc/self/fd | wc -l`}
	c, err := h.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, &out, "before: lib\n")
	mounts := []Mount{{Source: code, Target: "/var/task"}, {Source: filepath.Join(code, "missing"), Target: "/opt", Optional: true}}
	if err := c.Assign(t.Context(), Assignment{Mounts: mounts, Limits: Limits{MemoryMB: 128, TmpMB: 1024}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Socket().Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	for _, want := range []string{"after: attached\n", "read-only\n", " 1048576 "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	if err := c.Assign(t.Context(), Assignment{}); err == nil {
		t.Error("a cell was assigned twice")
	}
}

func TestHeldCellRunsWhatItIsAssigned(t *testing.T) {
	h := parkingHost(t)
	var out syncBuffer
	spec := parkedSpec(&out)
	spec.Held = true
	c, err := h.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	m := helper(t)
	a := Assignment{
		Mounts: []Mount{m}, Dir: m.Target, Argv: []string{"/bin/sh", "-c", "pwd; echo $0 $1 $A; ls /proc/self/fd; exec /var/task/payload", "zero", "one"},
		Env: []string{"A=b", payloadVariable + "=who", "PATH=/usr/bin:/bin"},
	}
	if err := c.Assign(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	for _, want := range []string{"/var/task\nzero one b\n0\n1\n2\n3\nuid 993 gid 990\n", "CapEff: 0000000000000000\n", "NoNewPrivs: 1\n", "Seccomp: 2\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	if exit := c.Exit(); exit.Code != 0 || exit.Err != nil {
		t.Errorf("exit %+v", exit)
	}
}

func TestAssignedLimitsHold(t *testing.T) {
	h := parkingHost(t)
	var out syncBuffer
	spec := parkedSpec(&out)
	spec.Held = true
	c, err := h.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	a := Assignment{
		Mounts: []Mount{helper(t)}, Argv: []string{"/var/task/payload"}, Env: []string{payloadVariable + "=memory"}, Limits: Limits{MemoryMB: 64},
	}
	if err := c.Assign(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if !c.Exit().OutOfMemory {
		t.Errorf("exit %+v, want out of memory", c.Exit())
	}
}

func TestHeldCellWithoutProgramSaysWhy(t *testing.T) {
	h := parkingHost(t)
	var out syncBuffer
	spec := parkedSpec(&out)
	spec.Held = true
	c, err := h.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Assign(t.Context(), Assignment{Argv: []string{"/var/task/bootstrap"}}); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Exit().Err; err == nil || !strings.Contains(err.Error(), "run the program: no such file") {
		t.Errorf("error %v", err)
	}
}

func TestParkedCellThatIsKilledCannotBeAssigned(t *testing.T) {
	h := parkingHost(t)
	var out syncBuffer
	spec := parkedSpec(&out)
	spec.Held = true
	c, err := h.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	c.Kill()
	<-c.Done()
	if err := c.Assign(t.Context(), Assignment{Argv: []string{"/bin/true"}}); err == nil {
		t.Error("a dead cell was assigned")
	}
}

func TestLimitOfFilesDoesNotBindTheMakingOfACell(t *testing.T) {
	spec := payloadSpec(helper(t), "who", nil)
	spec.Limits.Files = 9 // less than the child has open on the way
	spec.Argv, spec.Env = []string{"/bin/sh", "-c", "ulimit -n; cat /etc/hosts"}, nil
	if out, exit := runAct(t, isolatedHost(t), spec); !strings.HasPrefix(out, "9\n127.0.0.1 ") || exit.Code != 0 {
		t.Errorf("%q, exit %+v", out, exit)
	}
}

// BenchmarkAssign measures from the assignment of a held cell to the end of the program that it runs.
func BenchmarkAssign(b *testing.B) {
	h := parkingHost(b)
	code := b.TempDir()
	for b.Loop() {
		b.StopTimer()
		var out syncBuffer
		spec := parkedSpec(&out)
		spec.Held = true
		c, err := h.Start(b.Context(), spec)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		began := time.Now()
		if err := c.Assign(b.Context(), Assignment{Mounts: []Mount{{Source: code, Target: "/var/task"}}, Argv: []string{"/bin/true"}}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Microseconds()), "µs-assign")
		<-c.Done()
	}
}
