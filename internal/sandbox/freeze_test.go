//go:build linux

package sandbox

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestFrozenCellGoesOnWhenItIsThawed(t *testing.T) {
	h := isolatedHost(t)
	var out syncBuffer
	spec := payloadSpec(helper(t), "listen", &out)
	spec.Inbound = 1
	c, err := h.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Kill()
	waitFor(t, &out, "listen done")
	if !c.CanFreeze() {
		t.Skip("cells cannot be frozen here: that takes a cgroup of version 2, or the freezer of version 1")
	}
	conn, err := c.Dial(7000)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := c.Freeze(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a frozen cell has answered %q, %v", buf[:n], err)
	}
	if err := c.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "hello" {
		t.Errorf("then it has answered %q, %v", buf, err)
	}
	if err := c.Freeze(); err != nil {
		t.Fatal(err)
	}
	c.Kill()
	<-c.Done() // a frozen cell can be killed
}

func TestFreezerOfVersion1(t *testing.T) {
	mounts, err := readCgroupMounts()
	if err != nil {
		t.Fatal(err)
	}
	base := ""
	for _, m := range mounts {
		for _, ctl := range m.controllers {
			if ctl == freezerController {
				base = filepath.Join(m.own, cgroupPrefix+strconv.Itoa(os.Getpid())+"-test")
			}
		}
	}
	c := &cgroups{v1: map[string]string{}}
	if c.openFreezer(base); c.v1[freezerController] == "" {
		t.Skip("there is no freezer of version 1 here that can be written to")
	}
	defer c.close()
	g, err := c.create("1", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir := g.v1[freezerController]
	if err := writeCgroup(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(cmd.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	file := g.freezeFile()
	if err := writeCgroup(file, freezeWord(file, true)); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	for state() == "FREEZING" {
		continue // reading it has the kernel look again
	}
	if got := state(); got != "FROZEN" {
		t.Errorf("the state is %s", got)
	}
	g.kill()
	if got := state(); got != "THAWED" {
		t.Errorf("what is killed is %s", got)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	for !g.remove() {
		continue // it stays busy until the process has been reaped
	}
}
