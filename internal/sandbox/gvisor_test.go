//go:build linux

package sandbox

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// gvisorHost is a host whose cells are run by the runsc in PATH; `make gvisor` builds one and runs these tests.
func gvisorHost(t *testing.T) *Host {
	t.Helper()
	runsc, err := exec.LookPath("runsc")
	if err != nil {
		t.Skip("gVisor's runsc is not in PATH: see make gvisor")
	}
	if os.Geteuid() != 0 {
		t.Skip("isolation by gVisor needs root")
	}
	h := openHost(t, Options{GVisor: runsc})
	if r := h.Report(); r.Mode != "gvisor" || !r.Isolated() || h.CanPark() {
		t.Fatalf("%s", r)
	}
	return h
}

func TestGVisorIsTheKernelOfItsCells(t *testing.T) {
	h := gvisorHost(t)
	spec := payloadSpec(helper(t), "", nil)
	spec.Argv = []string{"/bin/sh", "-c", "uname -r; id -u; exit 7"}
	out, exit := runAct(t, h, spec)
	if out != "4.19.0-gvisor\n993\n" && !strings.Contains(out, "gvisor\n993\n") || exit.Code != 7 {
		t.Errorf("%+v\n%s", exit, out)
	}
	out, _ = runAct(t, h, payloadSpec(helper(t), "files", nil, "SECRET="+hostSecret(t)))
	// The first process is the payload itself there, whose environment and root it may read; /sys/kernel is gVisor's.
	own := []string{"read environ done", "read root done", "read kernel done", "read mem done"}
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "read ") && !strings.Contains(line, "refused") && !slices.Contains(own, line) {
			t.Error(line)
		}
	}
	if !strings.Contains(out, "write /tmp done") || !strings.Contains(out, "write /usr/bin/x refused") {
		t.Error(out)
	}
}

func TestGVisorCellsReachTheDaemonAlone(t *testing.T) {
	h := gvisorHost(t)
	var out syncBuffer
	spec := payloadSpec(helper(t), "network", &out, "TARGETS=127.0.0.1:9001 169.254.169.254:80 10.0.0.1:80")
	spec.Listen = []Listen{{Name: "api", Addr: netip.MustParseAddrPort("127.0.0.1:9001")}}
	c, err := h.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := c.Listener("api").Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if got := out.String(); !strings.Contains(got, "connect 127.0.0.1:9001 done") || strings.Count(got, "refused") != 2 {
		t.Errorf("%s", got)
	}
}

func TestGVisorCellsHaveTheirSocketAndAreKilled(t *testing.T) {
	h := gvisorHost(t)
	spec := payloadSpec(helper(t), "echo", nil)
	spec.Socket = true
	c, err := h.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8)
	if _, err := c.Socket().Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Socket().Read(buf); err != nil || string(buf[:n]) != "ping" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	c.Kill()
	<-c.Done()
	left := processes(func(dir string) bool {
		exe, err := os.Readlink(filepath.Join(dir, "exe"))
		return err == nil && filepath.Base(exe) == "runsc"
	})
	if len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
}

func TestGVisorRunsImages(t *testing.T) {
	h := gvisorHost(t)
	out, exit := runAct(t, h, rootSpec(imageRoot(t), "roots"))
	if exit.Code != 0 || !strings.Contains(out, "/etc/hosts 127.0.0.1 localhost lambent") || strings.Contains(out, " home ") {
		t.Errorf("%+v\n%s", exit, out)
	}
}

func TestMissingGVisorIsAnError(t *testing.T) {
	h := openHost(t, Options{GVisor: "/does/not/exist/runsc"})
	if r := h.Report(); r.Isolated() || !strings.Contains(r.Layer(LayerNamespaces).Detail, "gVisor") {
		t.Errorf("%s", r)
	}
	if _, err := h.Start(t.Context(), payloadSpec(helper(t), "who", nil)); err == nil {
		t.Error("a cell was started without the isolation that was asked for")
	}
}
