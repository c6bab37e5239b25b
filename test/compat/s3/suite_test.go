package s3

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

//go:embed failures.txt
var failures string

//go:embed texts.txt
var texts string

//go:embed excluded.txt
var excluded string

// TestMain lets the sandbox of the servers start its helper from this binary.
func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// limit is how long one test may take.
const limit = 60 * time.Second

// list returns the lines of a file that are not comments.
func list(t *testing.T, text string) []string {
	t.Helper()
	var names []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if slices.Contains(names, line) {
			t.Errorf("%q is listed twice", line)
		}
		names = append(names, line)
	}
	return names
}

func TestConformanceSuite(t *testing.T) {
	tool := os.Getenv("S3_SUITE")
	if tool == "" {
		t.Skip("S3_SUITE is not set: run make compat-s3 TOOL=…")
	}
	run := func(args ...string) (string, error) {
		// Every test gets a Lambent of its own, because all of them use the same bucket names and some leave buckets behind.
		cfg := config.Default()
		cfg.DataDir, cfg.Ephemeral, cfg.Listen, cfg.Sandbox = t.TempDir(), true, "127.0.0.1:0", config.SandboxOff
		s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			return "", err
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		key := s.RootKey()
		open := httptest.NewServer(openBuckets(t, s, key))
		defer open.Close()
		all := append([]string{"test", "-a", key.AccessKeyID, "-s", key.Secret, "-e", open.URL, "--iam-endpoint", open.URL}, args...)
		cmd := exec.CommandContext(ctx, tool, all...)
		cmd.Dir = cfg.DataDir
		cmd.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "AWS_") })
		out, err := cmd.CombinedOutput()
		return string(out), errors.Join(err, s.Close(context.WithoutCancel(ctx)))
	}
	help, err := run("--help")
	if err != nil {
		t.Fatalf("list the tests: %v\n%s", err, help)
	}
	only, err := regexp.Compile(os.Getenv("S3_SUITE_RUN"))
	if err != nil {
		t.Fatal(err)
	}
	judge(t, names(help), only, run)
}

// openBuckets passes requests on to a server and takes the public access block off each new bucket. The suite was written for a store whose
// buckets can be made public when they are new; on AWS, as here, that must be allowed first.
func openBuckets(t *testing.T, s *server.Server, key auth.RootKey) http.Handler {
	t.Helper()
	to, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	texts := wordings(t)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
			r.Out.URL.Path, r.Out.URL.RawPath, r.Out.URL.RawQuery, r.Out.URL.Opaque = "", "", "", r.In.RequestURI
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = nil
		},
		ModifyResponse: func(r *http.Response) error {
			if err := reword(r, texts); err != nil {
				return err
			}
			name := strings.Trim(r.Request.URL.Opaque, "/")
			if r.Request.Method != http.MethodPut || r.StatusCode != http.StatusOK || name == "" || strings.ContainsAny(name, "/?") {
				return nil
			}
			return unblock(r.Request.Context(), to.String()+"/"+name+"?publicAccessBlock", key)
		},
	}
}

// wordings returns the texts of AWS that the suite words otherwise.
func wordings(t *testing.T) *strings.Replacer {
	t.Helper()
	var pairs []string
	for _, line := range list(t, texts) {
		aws, suite, ok := strings.Cut(line, " => ")
		if !ok {
			t.Fatalf("texts.txt: %q has no =>", line)
		}
		pairs = append(pairs, "<Message>"+aws+"</Message>", "<Message>"+suite+"</Message>")
	}
	return strings.NewReplacer(pairs...)
}

// reword gives an error the text that the suite expects.
func reword(r *http.Response, texts *strings.Replacer) error {
	if r.StatusCode < http.StatusBadRequest || r.Request.Method == http.MethodHead {
		return nil
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	text := texts.Replace(string(raw))
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	r.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return nil
}

func unblock(ctx context.Context, target string, key auth.RootKey) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, target, http.NoBody)
	if err != nil {
		return err
	}
	signer := sigv4.Signer{AccessKeyID: key.AccessKeyID, Secret: key.Secret, Region: "us-east-1", Service: "s3", S3: true}
	if err := signer.SignHTTP(r, sigv4.EmptyHash, time.Now()); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// names returns the tests in the tool's help. Groups have names in lower case with dashes.
func names(help string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^ {3,}([A-Za-z0-9]+_[A-Za-z0-9_-]+)\b`).FindAllStringSubmatch(help, -1) {
		all = append(all, m[1])
	}
	return all
}

// judge runs those tests of all that only matches, and compares their results with the lists.
func judge(t *testing.T, all []string, only *regexp.Regexp, run func(args ...string) (string, error)) {
	t.Helper()
	want, skip := list(t, failures), list(t, excluded)
	for _, n := range slices.Concat(want, skip) {
		if !slices.Contains(all, n) && !strings.HasSuffix(n, "*") {
			t.Errorf("%s is listed and not in the suite", n)
		}
	}
	var mu sync.Mutex // guards the fields below
	passed, failed, skipped := 0, 0, 0
	work := make(chan string)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for n := range work {
				out, err := run(n, "-vs")
				ok := err == nil && !strings.Contains(out, "FAIL")
				mu.Lock()
				switch expected := slices.Contains(want, n); {
				case ok && expected:
					t.Errorf("%s passes: remove it from failures.txt", n)
				case ok:
					passed++
				case expected:
					failed++
					t.Logf("%s failed as expected: %v\n%s", n, err, out)
				default:
					t.Errorf("%s failed: %v\n%s", n, err, out)
				}
				mu.Unlock()
			}
		})
	}
	for _, n := range all {
		if !only.MatchString(n) {
			continue
		}
		if slices.ContainsFunc(skip, func(p string) bool {
			return p == n || strings.HasSuffix(p, "*") && strings.HasPrefix(n, strings.TrimSuffix(p, "*"))
		}) {
			skipped++
			continue
		}
		work <- n
	}
	close(work)
	wg.Wait()
	t.Logf("passed %d, failed as expected %d, excluded %d", passed, failed, skipped)
}
