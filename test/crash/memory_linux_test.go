package crash

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// machineMemory is the memory of the small machine, in bytes.
const machineMemory = 512 << 20

// eaters are the functions that run at the same time, each of which takes eaten MiB of the 256 that it may have. Two fit, with some room left: where the last one just
// fits, the kernel does nothing but look for memory for half a minute.
const (
	eaters = 6
	eaten  = 170
)

// memoryGroup makes a cgroup that stands for a machine with little memory: what runs in it is killed as the kernel does it when there is none left.
func memoryGroup(t *testing.T) string {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	base, file := "/sys/fs/cgroup", "memory.max"
	for line := range strings.Lines(string(own)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if strings.Contains(","+parts[1]+",", ",memory,") {
			base, file = filepath.Join("/sys/fs/cgroup/memory", parts[2]), "memory.limit_in_bytes"
			break
		}
		if parts[0] == "0" {
			base = filepath.Join("/sys/fs/cgroup", parts[2])
		}
	}
	group := filepath.Join(base, fmt.Sprintf("lambent-test-%d", os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skipf("a cgroup cannot be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := os.Remove(group); err != nil {
			t.Errorf("remove cgroup: %v", err)
		}
	})
	if err := os.WriteFile(filepath.Join(group, file), fmt.Append(nil, machineMemory), 0o600); err != nil {
		t.Skipf("memory cannot be limited here: %v", err)
	}
	return group
}

// TestMachineWithoutMemoryKillsFunctionsOnly runs more functions at a time than the machine has memory for, each well within its own limit. Those that are killed are answered
// with the cause, the others with their result; the platform goes on, and serves everybody afterwards.
func TestMachineWithoutMemoryKillsFunctionsOnly(t *testing.T) {
	if !*long {
		t.Skip("it takes long on a small machine: make crash runs it")
	}
	if os.Getuid() != 0 {
		t.Skip("the memory of a process can only be limited by root")
	}
	p := newPlatformIn(t, memoryGroup(t), t.TempDir())
	t.Cleanup(func() { p.stop(t) })
	p.deploy(t, "memory.yaml")
	c := newClient(p.address)
	invoke := func(function, event string) (string, error) {
		body, err := c.do(t.Context(), "lambda", http.MethodPost, "/2015-03-31/functions/"+function+"/invocations", nil, []byte(event))
		return string(body), err
	}
	for range 2 {
		began, killed := time.Now(), 0
		var mu sync.Mutex
		var all sync.WaitGroup
		for range eaters {
			all.Go(func() {
				body, err := invoke("eats", fmt.Sprintf(`{"Eat":%d}`, eaten))
				var e struct{ ErrorType string }
				_ = json.Unmarshal([]byte(body), &e)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Errorf("a call failed: %v", err)
				case e.ErrorType == "Runtime.OutOfMemory":
					killed++
				case body != "null":
					t.Errorf("answered %s", body)
				}
			})
		}
		all.Wait()
		if killed == 0 || killed == eaters {
			t.Errorf("%d of %d functions were killed, want some", killed, eaters)
		}
		t.Logf("%d of %d functions were killed, in %d s", killed, eaters, int(time.Since(began).Seconds()))
		if body, err := invoke("fine", "{}"); err != nil || body != "null" {
			t.Errorf("a small function answered %s, %v", body, err)
		}
	}
	if err := p.cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the platform is gone: %v", err)
	}
}

// stop ends the process in order, so that nothing is left in its cgroup.
func (p *platform) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	_ = p.cmd.Wait()
	var left []string
	err := filepath.WalkDir(p.group, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != p.group {
			left = append(left, path)
		}
		return err
	})
	if err != nil || len(left) != 0 {
		t.Errorf("cgroups left: %v, %v", left, err)
	}
}
