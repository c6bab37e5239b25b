package server

import (
	"bufio"
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/blobtest"
	"lambent.dev/lambent/internal/blob/mem"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
)

func TestHeldBodiesAreDeletedWhenTheBackupHasEnded(t *testing.T) {
	blobs := mem.New()
	h := &heldBodies{Store: blobs, log: slog.New(slog.DiscardHandler)}
	id := blobtest.Put(t, blobs, []byte("body"))
	old := blobtest.Put(t, blobs, []byte("old"))
	nobody := func(blob.ID) (bool, error) { return false, nil }
	h.hold()
	if err := h.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.Sweep(t.Context(), nobody); err != nil {
			t.Fatal(err)
		}
	}
	if !there(t, blobs, id) || !there(t, blobs, old) {
		t.Error("a body was deleted while bodies were held")
	}
	h.release(t.Context())
	if there(t, blobs, id) || !there(t, blobs, old) {
		t.Error("the deletion was not made up for, or another body went")
	}
	if err := h.Delete(t.Context(), old); err != nil || there(t, blobs, old) {
		t.Errorf("a body that is not held stays: %v", err)
	}
}

// request makes a request for backups with the root key. The caller closes the answer's body.
func (s *Server) request(t *testing.T, ctx context.Context, method string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, s.URL()+"/_lambent/backup", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	root := s.RootKey()
	signer := sigv4.Signer{AccessKeyID: root.AccessKeyID, Secret: root.Secret, Region: "us-east-1", Service: AdminService}
	if err := signer.SignHTTP(r, sigv4.Hash(nil), time.Now()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestBackupEndsWithItsClient(t *testing.T) {
	s := run(t, machine{clock: clock.System{}}, func(*config.Config) {})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	first := s.request(t, ctx, http.MethodPost)
	defer first.Body.Close()
	lines := bufio.NewScanner(first.Body)
	for lines.Scan() && lines.Text() != `{"end":true}` {
	}
	at := filepath.Join(s.backups.dir, backupFolder)
	if _, err := os.Stat(at); err != nil {
		t.Errorf("there is no checkpoint: %v", err)
	}
	s.backups.patience = 0
	second := s.request(t, t.Context(), http.MethodPost)
	if second.Body.Close(); second.StatusCode != http.StatusConflict {
		t.Errorf("a second backup answers %d, want 409", second.StatusCode)
	}
	// One that comes while the platform has not yet seen that the first client is gone waits for it.
	s.backups.patience = time.Minute
	leave()
	third := s.request(t, t.Context(), http.MethodPost)
	if third.Body.Close(); third.StatusCode != http.StatusOK {
		t.Errorf("a backup after the first has ended answers %d", third.StatusCode)
	}
}

func TestBackupsAreForTheRootKeyAlone(t *testing.T) {
	s := run(t, machine{clock: clock.System{}}, func(*config.Config) {})
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		if status := call(t, s, AdminService, method, "/_lambent/backup"); status != http.StatusForbidden {
			t.Errorf("%s with the conventional pair answers %d, want 403", method, status)
		}
	}
	if answer := s.request(t, t.Context(), http.MethodGet); answer.Body.Close() != nil || answer.StatusCode != http.StatusConflict {
		t.Errorf("a file of no backup answers %d, want 409", answer.StatusCode)
	}
}

func TestBackupOfNothingIsRefused(t *testing.T) {
	s := run(t, machine{clock: clock.System{}}, func(c *config.Config) { c.Ephemeral = true })
	answer := s.request(t, t.Context(), http.MethodPost)
	defer answer.Body.Close()
	text, err := bufio.NewReader(answer.Body).ReadString('\n')
	if err != nil || answer.StatusCode != http.StatusConflict || !strings.Contains(text, "ephemeral") {
		t.Errorf("an ephemeral platform answers %d, %q, %v", answer.StatusCode, text, err)
	}
}
