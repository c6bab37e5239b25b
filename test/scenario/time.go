package scenario

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"lambent.dev/lambent/internal/auth/keyfile"
	"lambent.dev/lambent/internal/auth/sigv4"
)

// advance moves the clock of the platform.
func advance(w *world, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: advance DURATION")
	}
	_, err := time.ParseDuration(args[0])
	ts.Check(err)
	w.platform.clock(ts, args[0])
}

// now sets a variable to the platform's time, for the times that a client computes.
func now(w *world, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: now VAR [DURATION]")
	}
	t := w.platform.clock(ts, "0s")
	if len(args) == 2 {
		d, err := time.ParseDuration(args[1])
		ts.Check(err)
		t = t.Add(d)
	}
	ts.Setenv(args[0], strconv.FormatInt(t.Unix(), 10))
}

// clock moves the clock of the platform, and returns what it shows then.
func (p *platform) clock(ts *testscript.TestScript, by string) time.Time {
	keys, err := keyfile.Open(filepath.Join(p.dir, ".lambent"), "000000000000", rand.Reader)
	ts.Check(err)
	r, err := http.NewRequest(http.MethodPost, p.url()+"/_lambent/clock?advance="+url.QueryEscape(by), http.NoBody)
	ts.Check(err)
	signer := sigv4.Signer{AccessKeyID: keys.Root.AccessKeyID, Secret: keys.Root.Secret, Region: "us-east-1", Service: "lambent"}
	ts.Check(signer.SignHTTP(r, sigv4.Hash(nil), time.Now()))
	answer, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	var out struct{ Now time.Time }
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil || answer.StatusCode != http.StatusOK {
		ts.Fatalf("the clock was not moved: %s (%v)", answer.Status, err)
	}
	return out.Now
}
