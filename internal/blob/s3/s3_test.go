package s3_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/blobtest"
	"lambent.dev/lambent/internal/blob/mem"
	"lambent.dev/lambent/internal/blob/s3"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/s3client"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

// TestMain lets the sandbox of the servers start its helper from this binary.
func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// cluster is a running Lambent with the bucket "bodies", behind a proxy that can break requests.
type cluster struct {
	client *s3client.Client
	// fault sees every request; it may answer it itself, which it reports, or change its body.
	fault atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool]
}

// tool is the program of versitygw, which then is the cluster (make compat-bodies).
const tool = "S3_TOOL"

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{}
	start := lambent
	if os.Getenv(tool) != "" {
		start = versitygw
	}
	u, keys := start(t)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = u.Scheme, u.Host, r.In.Host
			r.Out.URL.Path, r.Out.URL.RawPath, r.Out.URL.RawQuery, r.Out.URL.Opaque = "", "", "", r.In.RequestURI
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault := c.fault.Load(); fault != nil && (*fault)(w, r) {
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	at, err := url.Parse(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	c.client = &s3client.Client{
		Endpoint: at, Region: "us-east-1", PathStyle: true, Credentials: keys, HTTP: &http.Client{Transport: s3client.NewTransport()}, Clock: clock.System{}, Random: rand.Reader,
	}
	if err := c.client.CreateBucket(t.Context(), "bodies"); err != nil && !s3client.HasCode(err, "BucketAlreadyOwnedByYou", "BucketAlreadyExists") {
		t.Fatal(err)
	}
	return c
}

// lambent starts a Lambent.
func lambent(t *testing.T) (*url.URL, s3client.Credentials) {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Ephemeral, cfg.Listen, cfg.Sandbox = t.TempDir(), true, "127.0.0.1:0", config.SandboxOff
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	return u, s3client.Credentials{AccessKeyID: "test", Secret: "test"}
}

// versitygw starts the program that tool names. The client's first request is tried again until it answers.
func versitygw(t *testing.T) (*url.URL, s3client.Credentials) {
	t.Helper()
	const address = "127.0.0.1:17070"
	cmd := exec.CommandContext(t.Context(), os.Getenv(tool), "-a", "key", "-s", "secret", "-p", address, "posix", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the end of the test's context kills it
	return &url.URL{Scheme: "http", Host: address}, s3client.Credentials{AccessKeyID: "key", Secret: "secret"}
}

// breaking makes requests pass through fault.
func (c *cluster) breaking(fault func(w http.ResponseWriter, r *http.Request) bool) {
	c.fault.Store(&fault)
}

func (c *cluster) options(t *testing.T) s3.Options {
	return s3.Options{
		Client: c.client, Bucket: "bodies", Prefix: strings.ReplaceAll(t.Name(), "/", "-") + rand.Text() + "/", Owner: "owner", Process: rand.Text(), Spool: t.TempDir(), Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
	}
}

func open(t *testing.T, o s3.Options) *s3.Store {
	t.Helper()
	o.Process = rand.Text()
	s, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	c := newCluster(t)
	blobtest.Run(t, func(t *testing.T) (blob.Store, func() blob.Store) {
		o := c.options(t)
		var s blob.Store = open(t, o)
		return s, func() blob.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, o)
			return s
		}
	})
}

// pattern returns n bytes that differ from place to place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 31 >> 3)
	}
	return b
}

func TestLargeBodiesAreReadFromAnyOffset(t *testing.T) {
	s := open(t, newCluster(t).options(t))
	defer s.Close()
	body := pattern(2*(16<<20) + 12345)
	id := blobtest.Put(t, s, body)
	if got := blobtest.Get(t, s, id); !bytes.Equal(got, body) {
		t.Error("a body of several parts reads otherwise")
	}
	for _, at := range []blob.Span{{Offset: 5, Length: 100}, {Offset: 16<<20 - 3, Length: 7}, {Offset: int64(len(body)) - 9, Length: 9}, {Offset: 16 << 20, Length: -1}} {
		r, err := s.Open(t.Context(), id, at)
		if err != nil {
			t.Fatal(err)
		}
		want := body[at.Offset:]
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("read from %d: %d bytes, want %d (%v)", at.Offset, len(got), len(want), err)
		}
		head := make([]byte, 16)
		if _, err := r.ReadAt(head, 0); err != nil || !bytes.Equal(head, body[:16]) {
			t.Errorf("the start of the body reads %x (%v)", head, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRangeAsksForNoMoreThanIsWanted(t *testing.T) {
	c := newCluster(t)
	s := open(t, c.options(t))
	defer s.Close()
	id := blobtest.Put(t, s, pattern(1<<20))
	var ranges []string
	c.breaking(func(_ http.ResponseWriter, r *http.Request) bool {
		ranges = append(ranges, r.Header.Get("Range"))
		return false
	})
	r, err := s.Open(t.Context(), id, blob.Span{Offset: 1000, Length: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if len(ranges) != 1 || ranges[0] != "bytes=1000-1009" {
		t.Errorf("the ranges asked for are %q", ranges)
	}
}

// cut answers with the first half of what was promised, and then hangs up.
func cut(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "1000000")
	w.Header().Set("Content-Range", "bytes 0-999999/1000000")
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(pattern(1_000_000)[:500_000])
	if h, ok := w.(http.Hijacker); ok {
		conn, _, err := h.Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
}

func TestReadsGoOnWhereTheyBroke(t *testing.T) {
	c := newCluster(t)
	s := open(t, c.options(t))
	defer s.Close()
	body := pattern(1_000_000)
	id := blobtest.Put(t, s, body)
	var once sync.Once
	var second string
	c.breaking(func(w http.ResponseWriter, r *http.Request) (answered bool) {
		second = r.Header.Get("Range")
		once.Do(func() { cut(w); answered = true })
		return answered
	})
	r, err := s.Open(t.Context(), id, blob.Span{Length: int64(len(body))})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
		t.Errorf("read %d bytes of %d (%v)", len(got), len(body), err)
	}
	if !strings.HasPrefix(second, "bytes=") || strings.HasPrefix(second, "bytes=0-") {
		t.Errorf("the second request asked for %q", second)
	}
}

func TestRequestsThatFailAreSentAgain(t *testing.T) {
	c := newCluster(t)
	s := open(t, c.options(t))
	defer s.Close()
	var n atomic.Int64
	c.breaking(func(w http.ResponseWriter, r *http.Request) bool {
		if n.Add(1)%3 != 1 {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>")
		return true
	})
	body := pattern(2*(16<<20) + 1)
	if got := blobtest.Get(t, s, blobtest.Put(t, s, body)); !bytes.Equal(got, body) {
		t.Error("a body that was sent in spite of failures reads otherwise")
	}
}

// flip changes a byte of what a client uploads.
type flip struct{ io.ReadCloser }

func (f flip) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if n > 0 {
		p[n/2] ^= 1
	}
	return n, err
}

func TestBodiesThatAreDamagedOnTheWayAreNotAcknowledged(t *testing.T) {
	for _, size := range []int{1000, 2 * (16 << 20)} {
		c := newCluster(t)
		s := open(t, c.options(t))
		var damaged atomic.Int64
		c.breaking(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut && damaged.Add(1) == 1 {
				r.Body = flip{r.Body}
			}
			return false
		})
		body := pattern(size)
		if got := blobtest.Get(t, s, blobtest.Put(t, s, body)); !bytes.Equal(got, body) {
			t.Errorf("a body of %d bytes that was damaged once reads otherwise", size)
		}
		if damaged.Load() < 2 {
			t.Errorf("the damaged request of %d bytes was not sent again", size)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAwayClusterIsUnavailableAndSaysWhy(t *testing.T) {
	c := newCluster(t)
	o := c.options(t)
	s := open(t, o)
	defer s.Close()
	id := blobtest.Put(t, s, []byte("x"))
	c.breaking(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>")
		return true
	})
	var away *blob.UnavailableError
	if _, err := s.Open(t.Context(), id, blob.Whole()); !errors.As(err, &away) || away.Reason != "it answers 403 InvalidAccessKeyId" {
		t.Errorf("Open = %v", err)
	}
	for _, size := range []int{10, 2 * (16 << 20)} {
		w, err := s.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(pattern(size))
		if err == nil {
			_, err = w.Commit(t.Context())
		}
		if !errors.Is(err, blob.ErrUnavailable) {
			t.Errorf("a body of %d bytes: %v", size, err)
		}
		w.Abort()
	}
	if _, err := s3.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "bodies-keys") {
		t.Errorf("a start with keys that are refused: %v", err)
	}
}

func TestPrefixHasOneOwner(t *testing.T) {
	c := newCluster(t)
	o := c.options(t)
	first := open(t, o)
	defer first.Close()
	other := o
	other.Owner = "somebody else"
	if _, err := s3.Open(t.Context(), other); err == nil || !strings.Contains(err.Error(), "another Lambent") {
		t.Errorf("another owner: %v", err)
	}
	kept := blobtest.Put(t, first, []byte("kept"))
	second := open(t, o)
	defer second.Close()
	if err := first.Sweep(t.Context(), func(blob.ID) (bool, error) { return false, nil }); err == nil || !strings.Contains(err.Error(), "taken over") {
		t.Errorf("a sweep after the prefix was taken over: %v", err)
	}
	if got := string(blobtest.Get(t, second, kept)); got != "kept" {
		t.Errorf("read %q", got)
	}
}

func TestSweepEndsUploadsThatACrashLeft(t *testing.T) {
	c := newCluster(t)
	o := c.options(t)
	s := open(t, o)
	begun := make(chan struct{}, 1)
	c.breaking(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("partNumber") {
			begun <- struct{}{}
		}
		return false
	})
	w, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(pattern(16<<20 + 1)); err != nil {
		t.Fatal(err)
	}
	uploads := func() int {
		t.Helper()
		page, _, err := c.client.Uploads(t.Context(), o.Bucket, o.Prefix, "")
		if err != nil {
			t.Fatal(err)
		}
		return len(page)
	}
	<-begun
	if n := uploads(); n != 1 {
		t.Errorf("%d uploads have begun", n)
	}
	later := open(t, o) // as after a crash: the writer of the first process never ended
	if err := later.Sweep(t.Context(), func(blob.ID) (bool, error) { return true, nil }); err != nil {
		t.Fatal(err)
	}
	if n := uploads(); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
	w.Abort()
	if err := errors.Join(s.Close(), later.Close()); err != nil {
		t.Error(err)
	}
}

func TestLocalBodiesStayWhereTheyAre(t *testing.T) {
	local := mem.New()
	old := blobtest.Put(t, local, []byte("old"))
	o := newCluster(t).options(t)
	o.Local = local
	s := open(t, o)
	defer s.Close()
	young := blobtest.Put(t, s, []byte("young"))
	if got := string(blobtest.Get(t, s, old)) + string(blobtest.Get(t, s, young)); got != "oldyoung" {
		t.Errorf("read %q", got)
	}
	for range 2 {
		if err := s.Sweep(t.Context(), func(id blob.ID) (bool, error) { return id == young, nil }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Open(t.Context(), old, blob.Whole()); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("a local body that nobody holds is there after a sweep: %v", err)
	}
}
