//go:build linux

package sandbox

import (
	"sync"
	"syscall"
	"testing"
)

// TestSpawnerMayBeKilledAtAnyMoment kills it while it clones. Every start returns a cell then, of another spawner if need be.
func TestSpawnerMayBeKilledAtAnyMoment(t *testing.T) {
	h := openHost(t, Options{})
	m := helper(t)
	h.Report()
	for range 30 {
		var wg sync.WaitGroup
		var first sync.Once
		for range 4 {
			wg.Go(func() {
				c, err := h.Start(t.Context(), payloadSpec(m, "sleep", nil))
				first.Do(func() {
					h.mu.Lock()
					pid := h.spawner.cmd.Process.Pid
					h.mu.Unlock()
					if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
						t.Error(err)
					}
				})
				if err != nil {
					t.Error(err)
					return
				}
				c.Kill()
				<-c.Done()
			})
		}
		wg.Wait()
	}
	if left := marked(); len(left) != 0 {
		t.Errorf("processes left: %v", left)
	}
}
