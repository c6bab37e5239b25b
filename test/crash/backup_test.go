package crash

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// bodySize is the size of the objects of this test: large enough to lie outside of the store.
const bodySize = 40 << 10

// backupLimit is how long a backup may take to get as far as the test wants it.
const backupLimit = 30 * time.Second

// series is a writer whose writes tell their order: object N of it comes before the value N of its counter, and that before object N+1.
type series struct {
	id    int
	acked atomic.Int64 // the greatest N whose counter was acknowledged
	sent  atomic.Int64
}

func (s *series) key(n int64) string { return fmt.Sprintf("s%d-%06d", s.id, n) }
func (s *series) counter() string    { return fmt.Sprintf("counter-%d", s.id) }
func (s *series) body(n int64) []byte {
	return bytes.Repeat([]byte(s.key(n)+"\n"), bodySize/len(s.key(n)))
}

// run writes until ctx ends. Calls may fail while the platform is down.
func (s *series) run(ctx context.Context, c *client) {
	for n := s.acked.Load() + 1; ctx.Err() == nil; {
		s.sent.Store(n)
		if c.putObject(ctx, s.key(n), s.body(n)) == nil && c.putObject(ctx, s.counter(), []byte(strconv.FormatInt(n, 10))) == nil {
			s.acked.Store(n)
			n++
		}
	}
}

// check tells whether what a platform has of the series is the state of one moment, not before least.
func (s *series) check(t *testing.T, c *client, least int64) {
	t.Helper()
	raw, err := c.getObject(t.Context(), s.counter())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < least {
		t.Fatalf("the counter of series %d is %q, want at least %d", s.id, raw, least)
	}
	for i := int64(1); i <= n; i++ {
		if got, err := c.getObject(t.Context(), s.key(i)); err != nil || !bytes.Equal(got, s.body(i)) {
			t.Fatalf("object %s reads as %d bytes, %v; the counter is %d", s.key(i), len(got), err, n)
		}
	}
	if _, err := c.getObject(t.Context(), s.key(n+2)); err == nil {
		t.Errorf("object %s is there, and the counter is %d", s.key(n+2), n)
	}
}

// await waits until something of other processes is so.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for end := time.After(backupLimit); !ok(); {
		select {
		case <-again.C:
		case <-end:
			t.Fatalf("waited for %v until %s", backupLimit, what)
		}
	}
}

// backupCommand is a backup of the platform whose project is in dir.
func (p *platform) backupCommand(t *testing.T, dir, to string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), p.binary, "backup", to)
	cmd.Dir = dir
	return cmd
}

// breakOff starts a backup, and calls end when it has copied some objects more. A backup that was done before end came is followed by another one.
func (p *platform) breakOff(t *testing.T, dir, to string, end func(backup *os.Process)) {
	t.Helper()
	for {
		want := objects(t, to) + 10
		cmd := p.backupCommand(t, dir, to)
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		result := make(chan error, 1)
		go func() { result <- cmd.Wait() }()
		await(t, "the backup copies objects", func() bool { return objects(t, to) >= want || len(result) > 0 })
		if len(result) == 0 {
			end(cmd.Process)
		}
		switch err := <-result; {
		case err != nil && objects(t, to) < want:
			t.Fatalf("backup: %v\n%s", err, &said)
		case err != nil:
			return
		}
		if p.cmd.ProcessState != nil { // it was killed after the backup
			p.start(t)
		}
	}
}

// objects counts the contents in a folder of copies.
func objects(t *testing.T, dir string) int {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "objects", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestBackupUnderWritesIsTheStateOfOneMoment(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "copies")
	p := newPlatform(t, filepath.Join(dir, ".lambent"))
	c := newClient(p.address)
	if err := c.prepare(t); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	all := []*series{{id: 0}, {id: 1}, {id: 2}}
	var writing sync.WaitGroup
	for _, s := range all {
		writing.Go(func() { s.run(ctx, c) })
	}
	await(t, "objects are written", func() bool { return all[0].acked.Load() >= 30 })

	// One backup is killed, and the platform under another one.
	p.breakOff(t, dir, to, func(backup *os.Process) { _ = backup.Kill() })
	p.breakOff(t, dir, to, func(*os.Process) { p.kill() })
	p.start(t)
	before := make([]int64, len(all))
	for i, s := range all {
		before[i] = s.acked.Load()
	}
	for range 2 {
		if out, err := p.backupCommand(t, dir, to).CombinedOutput(); err != nil {
			t.Fatalf("backup: %v\n%s", err, out)
		}
	}
	stop()
	writing.Wait()
	p.kill()

	restored := t.TempDir()
	cmd := exec.CommandContext(t.Context(), p.binary, "restore", to, filepath.Join(restored, ".lambent"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("restore: %v\n%s", err, out)
	}
	q := newPlatform(t, filepath.Join(restored, ".lambent"))
	for i, s := range all {
		s.check(t, newClient(q.address), before[i])
	}
	cmd = exec.CommandContext(t.Context(), q.binary, "s3", "scrub")
	cmd.Dir = restored
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), " 0 damaged") {
		t.Errorf("scrub: %v\n%s", err, out)
	}
	// The copy goes on by itself: it has a body of its own for a name that the original gives away too.
	if err := newClient(q.address).putObject(t.Context(), "after", all[0].body(1)); err != nil {
		t.Error(err)
	}
	if out, err := q.backupCommand(t, restored, to).CombinedOutput(); err == nil || !strings.Contains(string(out), "another data folder") {
		t.Errorf("the copy was backed up among those of the original: %v\n%s", err, out)
	}
}
