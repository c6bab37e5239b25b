package s3

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
)

var update = flag.Bool("update", false, "write testdata/faults.txt")

// writePoint is a kind of write to the disk: of which file, and which call.
type writePoint struct{ file, call string }

func (p writePoint) String() string { return fmt.Sprintf("%-22s %-11s", p.file, p.call) }

// calls are the operations of a file system that write. A removal that fails leaves a file that the next start removes.
var calls = map[errorfs.OpKind]string{
	errorfs.OpCreate: "create", errorfs.OpRename: "rename", errorfs.OpReuseForWrite: "create", errorfs.OpMkdirAll: "make",
	errorfs.OpFilePreallocate: "preallocate", errorfs.OpFileWrite: "write", errorfs.OpFileSync: "sync", errorfs.OpFileSyncData: "sync",
	errorfs.OpFileSyncTo: "sync", errorfs.OpFileFlush: "flush", errorfs.OpFileClose: "close",
}

// pointOf returns the write point of an operation.
func pointOf(op errorfs.Op) (writePoint, bool) {
	call, known := calls[op.Kind]
	name := path.Base(op.Path)
	var file string
	switch {
	case strings.HasSuffix(name, ".log"):
		file = "log of the store"
	case strings.HasSuffix(name, ".sst"):
		file = "table of the store"
	case strings.HasPrefix(name, "MANIFEST"):
		file = "manifest of the store"
	case strings.HasPrefix(name, "OPTIONS") || strings.HasPrefix(name, "marker.") || strings.HasPrefix(name, "temporary."):
		file = "settings of the store"
	case name == "OWNER" || name == "BALLAST" || name == "LOCK":
		file = strings.ToLower(name) + " of the store"
	case strings.HasPrefix(name, "NEXT"):
		file = "ids of bodies"
	case len(name) == 16:
		file = "body"
	case op.Path == "db":
		file = "folder of the store"
	case strings.HasPrefix(op.Path, "blobs"):
		file = "folder of bodies"
	default:
		file = "folder above"
	}
	return writePoint{file, call}, known
}

// fault breaks a disk at one write point, while the store is opened or in use, once or from then on.
type fault struct {
	err   error
	at    writePoint
	inUse bool
	lasts bool

	mu   sync.Mutex // guards the fields below
	on   bool
	seen map[writePoint]bool
	hit  bool
}

func (f *fault) set(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = on
}

// MaybeError implements errorfs.Injector.
func (f *fault) MaybeError(op errorfs.Op) error {
	p, ok := pointOf(op)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.on || !ok {
		return nil
	}
	f.seen[p] = true
	if p != f.at || f.hit && !f.lasts {
		return nil
	}
	f.hit = true
	return f.err
}

func (f *fault) String() string {
	return fmt.Sprintf("%s: %v, in use %v, lasting %v", f.at, f.err, f.inUse, f.lasts)
}

// rows are puts of objects that lie in the store's rows, enough for some tables.
func rows() (out []call) {
	for i := range 15 {
		key, body := fmt.Sprintf("row-%d", i), pattern(30<<10)
		out = append(out, call{key, body, func(f *fixture) error {
			_, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: key, Body: bytes.NewReader(body)})
			return err
		}})
	}
	return out
}

// run opens an object store on a disk with the fault, and changes it. It returns what becomes of it, after it was proven that nothing acknowledged is lost.
func (f *fault) run(t *testing.T) string {
	t.Helper()
	disk := vfs.NewCrashableMem()
	whole := onFS(t, disk)
	if _, err := whole.createBucket(whole.ctx(), &api.CreateBucketInput{Bucket: "pictures"}); err != nil {
		t.Fatal(err)
	}
	may, failed := playScript(whole, script())
	if err := whole.close(); err != nil || failed > 0 {
		t.Fatalf("%d calls fail on a whole disk, and closing: %v", failed, err)
	}
	broken := &filling{FS: errorfs.Wrap(disk, f)}
	broken.avail.Store(5 << 30)
	outcome := f.change(t, broken, may)
	f.set(false)
	after := onFS(t, disk.CrashClone(vfs.CrashCloneCfg{}))
	after.wantStates(f.String(), may)
	if err := after.close(); err != nil {
		t.Error(err)
	}
	return outcome
}

// change changes what is on the disk, notes in may what it can be afterwards, and returns how it went.
func (f *fault) change(t *testing.T, disk vfs.FS, may *outcomes) string {
	t.Helper()
	f.set(!f.inUse)
	s, err := openOn(t, disk, 128<<10)
	if err != nil {
		if !errors.Is(err, f.err) {
			t.Errorf("%s: opening fails with %v", f, err)
		}
		return "does not start"
	}
	f.set(f.inUse)
	answers := map[string]bool{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		calls := append(rows(), script()...)
		for i := range calls {
			if err := may.run(s, &calls[i]); err != nil {
				answers[answerTo(err)] = true
			}
		}
	}()
	select {
	case <-done:
	case <-s.store.Failed(): // a call at the change to a new log does not end
	}
	_ = s.close() // waits for work in the background; the error is the fault's
	select {
	case <-s.store.Failed():
		return "500, stops" // what a call is told before it stops depends on who notices first
	default:
	}
	outcome := strings.Join(slices.Sorted(maps.Keys(answers)), ", ")
	background := f.inUse && (strings.HasPrefix(f.at.file, "table") || strings.HasPrefix(f.at.file, "manifest"))
	switch {
	case background && (outcome == "" || strings.HasPrefix(outcome, "503")):
		return "503 or nothing" // whether a call comes before there is room again is a matter of time
	case outcome == "":
		return "nothing"
	}
	return outcome
}

// answerTo is what a client is told of an error.
func answerTo(err error) string {
	e, known := asError(err)
	switch {
	case !known:
		return "500"
	case e.Status < http.StatusInternalServerError:
		return "a call of its own: " + service.Code(err)
	}
	return fmt.Sprintf("%d %s", e.Status, e.Code)
}

// outcome runs the fault, again if work in the background did not get to its point.
func (f *fault) outcome(t *testing.T) string {
	t.Helper()
	for range 10 {
		if outcome := f.run(t); f.hit {
			return outcome
		}
	}
	t.Errorf("%s was not met", f)
	return ""
}

// TestEveryWritePointAndWhatItsFailureDoes breaks the disk in four ways at each point at which store and bodies write.
func TestEveryWritePointAndWhatItsFailureDoes(t *testing.T) {
	var table strings.Builder
	table.WriteString("# What becomes of calls when the disk fails at a write point, once or from then on. Nothing that was acknowledged is lost at any.\n")
	for _, inUse := range []bool{false, true} {
		none := &fault{inUse: inUse, seen: map[writePoint]bool{}}
		none.run(t)
		title := "at the start"
		if inUse {
			title = "in use"
		}
		fmt.Fprintf(&table, "\n%-34s | %-22s | %-22s | %-22s | %s\n", title, "EIO once", "EIO", "ENOSPC once", "ENOSPC")
		for _, p := range slices.SortedFunc(maps.Keys(none.seen), func(a, b writePoint) int { return strings.Compare(a.String(), b.String()) }) {
			outcomes := []string{p.String()}
			for _, err := range []error{syscall.EIO, syscall.ENOSPC} {
				for _, lasts := range []bool{false, true} {
					f := &fault{err: err, at: p, inUse: inUse, lasts: lasts, seen: map[writePoint]bool{}}
					outcomes = append(outcomes, fmt.Sprintf("%-22s", f.outcome(t)))
				}
			}
			table.WriteString(strings.TrimSpace(strings.Join(outcomes, " | ")) + "\n")
		}
	}
	const golden = "testdata/faults.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(table.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := table.String(); got != string(want) {
		t.Errorf("%s says\n%s\nbut it is\n%s", golden, want, got)
	}
}
