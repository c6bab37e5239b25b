package access

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var quiet = slog.New(slog.DiscardHandler)

func TestLineHoldsWhatIsKnown(t *testing.T) {
	e := Entry{
		Time: time.Date(2026, 11, 25, 12, 0, 0, 5000, time.UTC), RequestID: "r-1", SourceIP: netip.MustParseAddr("127.0.0.1"), Method: "PUT", Host: "h:1",
		Path: "/b/\"k\"\n", Service: "s3", Operation: "PutObject", Principal: "arn:aws:iam::000000000000:root", Region: "us-east-1", Status: 403,
		ErrorCode: "AccessDenied", Duration: 1500 * time.Microsecond, Bytes: 12, UserAgent: "x\xff",
	}
	var got map[string]any
	if err := json.Unmarshal(e.append(nil), &got); err != nil {
		t.Fatalf("%v in %s", err, e.append(nil))
	}
	want := map[string]any{
		"time": "2026-11-25T12:00:00.000005Z", "request_id": "r-1", "source_ip": "127.0.0.1", "method": "PUT", "host": "h:1", "path": "/b/\"k\"\n", "service": "s3",
		"operation": "PutObject", "principal": "arn:aws:iam::000000000000:root", "region": "us-east-1", "status": 403.0, "error_code": "AccessDenied",
		"duration_ms": 1.5, "bytes": 12.0, "user_agent": "x\ufffd",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	empty := Entry{Time: e.Time, Status: 200}
	if got := string(empty.append(nil)); got != `{"time":"2026-11-25T12:00:00.000005Z","status":200,"duration_ms":0.000,"bytes":0}`+"\n" {
		t.Errorf("line of little = %s", got)
	}
}

func TestReopenGoesOnInANewFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "access.log")
		l, err := Open(path, quiet)
		if err != nil {
			t.Fatal(err)
		}
		l.Write(&Entry{RequestID: "one"})
		synctest.Wait()
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		l.Write(&Entry{RequestID: "two"})
		l.Reopen()
		synctest.Wait()
		l.Write(&Entry{RequestID: "three"})
		for range 2 {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		l.Write(&Entry{RequestID: "late"})
		if got := ids(t, path+".1") + " | " + ids(t, path); got != "one two | three" {
			t.Errorf("the files have %s", got)
		}
	})
}

func TestSlowWriterHoldsNobodyUpAndLosesCountedLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stuck{free: make(chan struct{})}
		l := New(w, quiet)
		l.Write(&Entry{RequestID: "first"})
		synctest.Wait()
		long := strings.Repeat("x", 1<<10)
		const lines = 2000
		for range lines {
			l.Write(&Entry{RequestID: long})
		}
		if n := len(l.waiting); n > MaxWaiting+2<<10 {
			t.Errorf("%d bytes wait, want at most about %d", n, MaxWaiting)
		}
		close(w.free)
		synctest.Wait()
		l.Write(&Entry{RequestID: "last"})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		kept := strings.Count(w.b.String(), long)
		if said := fmt.Sprintf(`{"dropped":%d}`, lines-kept); kept == lines || !strings.Contains(w.b.String(), said) || !strings.Contains(w.b.String(), "last") {
			t.Errorf("%d of %d lines were kept, and the log does not say %s", kept, lines, said)
		}
	})
}

func TestNilLogWritesNothing(t *testing.T) {
	var l *Log
	l.Write(&Entry{})
	l.Reopen()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestFolderThatIsMissingIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "access.log")
	if _, err := Open(path, quiet); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open = %v, want an error that names the file", err)
	}
}

// stuck is a writer that waits until it is free.
type stuck struct {
	free chan struct{}
	b    bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.free
	return s.b.Write(p)
}

// ids returns the request ids of a log.
func ids(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(raw)) {
		var e struct {
			ID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e.ID)
	}
	return strings.Join(all, " ")
}
