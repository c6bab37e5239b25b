package s3

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/service"
)

// site serves the routes of the fixture and returns its address.
func (f *fixture) site() string {
	f.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(f.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	s, err := front.Serve(l, front.Options{
		Routes: f.Service.Service().Routes, API: http.NotFoundHandler(), Health: http.NotFoundHandler(), Loopback: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := s.Shutdown(context.WithoutCancel(f.t.Context())); err != nil {
			f.t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestWebsite(t *testing.T) {
	f := newFixture(t)
	addr := f.site()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for k, body := range map[string]string{"index.html": "home", "docs/index.html": "docs", "oops.html": "sorry", "a b/ü.txt": "odd", "secret": "hidden"} {
		_, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: k, Body: strings.NewReader(body), ContentType: ptr("text/html"), CacheControl: ptr("max-age=1")})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "moved", WebsiteRedirectLocation: ptr("/docs/")}); err != nil {
		t.Fatal(err)
	}
	// A visitor may read all but one object, and list nothing.
	f.door.deny = func(ctx context.Context, target service.Target) bool {
		if p := service.RequestFrom(ctx).Principal; p.Kind != service.Anonymous {
			t.Errorf("the visitor is %+v", p)
		}
		return target.Action != "s3:GetObject" || strings.HasSuffix(target.ARN, "/secret")
	}
	do := func(method, path, host string, header http.Header) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			r.Host = host
		}
		maps.Copy(r.Header, header)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	const root = "/_aws/s3-website/pictures"
	if resp, body := do("GET", root+"/", "", nil); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "NoSuchWebsiteConfiguration") {
		t.Errorf("without a configuration: %d %s", resp.StatusCode, body)
	}
	conf := &api.WebsiteConfiguration{
		IndexDocument: &api.IndexDocument{Suffix: "index.html"}, ErrorDocument: &api.ErrorDocument{Key: "oops.html"},
		RoutingRules: []api.RoutingRule{
			{Condition: &api.Condition{KeyPrefixEquals: ptr("old/")}, Redirect: &api.Redirect{ReplaceKeyPrefixWith: ptr("docs/"), HttpRedirectCode: ptr("302")}},
			{Condition: &api.Condition{KeyPrefixEquals: ptr("app/"), HttpErrorCodeReturnedEquals: ptr("403")}, Redirect: &api.Redirect{HostName: ptr("example.com"), Protocol: "https", ReplaceKeyWith: ptr("spa")}},
		},
	}
	if _, err := f.putBucketWebsite(f.ctx(), &api.PutBucketWebsiteInput{Bucket: "pictures", WebsiteConfiguration: conf}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path, host string
		status             int
		body, location     string
	}{
		{"GET", root, "", 301, "", root + "/"},
		{"GET", root + "/", "", 200, "home", ""},
		{"HEAD", root + "/", "", 200, "", ""},
		{"GET", root + "/docs/", "", 200, "docs", ""},
		{"GET", root + "/docs", "", 302, "", root + "/docs/"},
		{"GET", root + "/a%20b/%C3%BC.txt", "", 200, "odd", ""},
		{"GET", root + "/moved", "", 301, "", root + "/docs/"},
		{"GET", root + "/secret", "", 403, "sorry", ""},
		{"GET", root + "/none", "", 403, "sorry", ""},
		{"GET", root + "/old/x?q=1", "", 302, "", "http://" + addr + root + "/docs/x"},
		{"GET", root + "/app/x", "", 301, "", "https://example.com/spa"},
		{"PUT", root + "/x", "", 405, "", ""},
		{"GET", "/", "pictures.s3-website.us-east-1.amazonaws.com", 200, "home", ""},
		{"GET", "/docs", "pictures.s3-website-us-east-1.amazonaws.com:80", 302, "", "/docs/"},
		{"GET", "/old/", "pictures.s3-website.us-east-1.localhost", 302, "", "http://pictures.s3-website.us-east-1.localhost/docs/"},
		{"GET", "/_aws/s3-website/nobucket/", "", 404, "", ""},
	} {
		resp, body := do(c.method, c.path, c.host, nil)
		if resp.StatusCode != c.status || resp.Header.Get("Location") != c.location || c.body != "" && body != c.body {
			t.Errorf("%s %s %s: %d to %q: %.80s; want %d to %q: %s", c.method, c.host, c.path, resp.StatusCode, resp.Header.Get("Location"), body, c.status, c.location, c.body)
		}
	}
	resp, _ := do("GET", root+"/", "", nil)
	etag := resp.Header.Get("ETag")
	if resp.Header.Get("Content-Type") != "text/html" || resp.Header.Get("Cache-Control") != "max-age=1" || etag == "" {
		t.Errorf("head of the index: %v", resp.Header)
	}
	if resp, body := do("GET", root+"/", "", http.Header{"If-None-Match": {etag}}); resp.StatusCode != http.StatusNotModified || body != "" || resp.Header.Get("ETag") != etag {
		t.Errorf("unchanged index: %d %q %v", resp.StatusCode, body, resp.Header)
	}
	if resp, body := do("GET", root+"/", "", http.Header{"Range": {"bytes=1-2"}}); resp.StatusCode != http.StatusPartialContent || body != "om" {
		t.Errorf("range of the index: %d %q", resp.StatusCode, body)
	}
}

func TestWebsiteConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	index := &api.IndexDocument{Suffix: "index.html"}
	for name, c := range map[string]struct {
		conf api.WebsiteConfiguration
		want string
	}{
		"index":              {api.WebsiteConfiguration{IndexDocument: index}, ""},
		"redirect":           {api.WebsiteConfiguration{RedirectAllRequestsTo: &api.RedirectAllRequestsTo{HostName: "x"}}, ""},
		"nothing":            {api.WebsiteConfiguration{}, "InvalidArgument"},
		"both":               {api.WebsiteConfiguration{IndexDocument: index, RedirectAllRequestsTo: &api.RedirectAllRequestsTo{HostName: "x"}}, "InvalidArgument"},
		"index with a slash": {api.WebsiteConfiguration{IndexDocument: &api.IndexDocument{Suffix: "a/b"}}, "InvalidArgument"},
		"bad code":           {api.WebsiteConfiguration{IndexDocument: index, RoutingRules: []api.RoutingRule{{Redirect: &api.Redirect{HttpRedirectCode: ptr("200")}}}}, "InvalidRequest"},
		"bad condition":      {api.WebsiteConfiguration{IndexDocument: index, RoutingRules: []api.RoutingRule{{Redirect: &api.Redirect{HostName: ptr("x")}, Condition: &api.Condition{HttpErrorCodeReturnedEquals: ptr("200")}}}}, "InvalidRequest"},
		"two replacements":   {api.WebsiteConfiguration{IndexDocument: index, RoutingRules: []api.RoutingRule{{Redirect: &api.Redirect{ReplaceKeyWith: ptr("a"), ReplaceKeyPrefixWith: ptr("b")}}}}, "InvalidRequest"},
	} {
		if got := service.Code(checkWebsite(&c.conf)); got != c.want {
			t.Errorf("%s: code is %q, want %q", name, got, c.want)
		}
	}
}
