package s3

import (
	"cmp"
	"context"
	"errors"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// websitePlane serves buckets as websites, to anyone whom the bucket policy lets read:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html.
type websitePlane struct{ s *Service }

// visit is one request of a website.
type visit struct {
	s      *Service
	w      http.ResponseWriter
	r      *http.Request
	ctx    context.Context //nolint:containedctx // the visit lives as long as the request, and carries the anonymous caller.
	bucket *bucket
	conf   api.WebsiteConfiguration
	base   string // what stands in front of every path of the site: "" or "/_aws/s3-website/bucket"
	key    string
	code   string // of the error that was answered
}

// websiteOperation is the operation of a request to a website.
const websiteOperation = "GetWebsite"

// ServeHTTP answers GET and HEAD.
func (p *websitePlane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := front.Record(w, &front.Recorder{})
	v := &visit{s: p.s, w: rec, r: r}
	defer func() { v.record(rec) }()
	p.visit(v, front.RouteVar(r, "bucket"), front.RoutePath(r))
}

func (p *websitePlane) visit(v *visit, name, path string) {
	w, r := v.w, v.r
	if strings.HasPrefix(r.URL.Path, "/_aws/s3-website/") {
		v.base = "/_aws/s3-website/" + name
		if path == "" {
			redirectTo(w, http.StatusMovedPermanently, v.base+"/")
			return
		}
	}
	if p.s.CORS(w, r, "/"+name) {
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		v.page(methodNotAllowed().WithDetail(&MethodOfResource{r.Method, "OBJECT"}), nil)
		return
	}
	key, err := url.PathUnescape(strings.TrimPrefix(path, "/"))
	if err != nil {
		v.page(fail("InvalidURI", http.StatusBadRequest, "Couldn't parse the specified URI."), nil)
		return
	}
	v.key = key
	if err := v.find(name); err != nil {
		v.page(err, nil)
		return
	}
	v.serve()
}

// find looks up the bucket and its website, and sets the context of the anonymous visitor.
func (v *visit) find(name string) error {
	err := v.s.view(v.r.Context(), name, nil, func(r store.Reader, b *bucket) error {
		conf, ok, err := record.Get[api.WebsiteConfiguration](r, b.confKey(websiteConf))
		if err == nil && !ok {
			return noSuchWebsite()
		}
		v.bucket, v.conf = b, conf
		return err
	})
	if err != nil {
		return err
	}
	req := &service.Request{
		API: "s3", Operation: "GetObject", Account: v.bucket.Account, Region: v.bucket.Region, Time: v.s.now(),
		UserAgent: v.r.UserAgent(), Secure: v.r.TLS != nil,
	}
	if at, err := netip.ParseAddrPort(v.r.RemoteAddr); err == nil {
		req.SourceIP = at.Addr().Unmap()
	}
	v.ctx = service.WithRequest(v.r.Context(), req)
	return nil
}

// record makes the record of the visit, if the bucket has a log.
func (v *visit) record(rec *front.Recorder) {
	if v.bucket == nil || !v.bucket.Logs {
		return
	}
	req := *service.RequestFrom(v.ctx)
	req.ID, req.Operation = v.s.newID(), websiteOperation
	req.HTTP = &service.HTTPRequest{Method: v.r.Method, RawTarget: v.r.RequestURI, Host: v.r.Host, Header: v.r.Header.Get}
	v.s.answered(&service.Exchange{
		Request: &req, RawPath: "/" + v.bucket.Name + "/" + escapeKey(v.key), Protocol: v.r.Proto, TLS: v.r.TLS,
		Status: rec.Status, Code: v.code, Bytes: rec.Written, Duration: v.s.now().Sub(req.Time),
	})
}

func (v *visit) serve() {
	if all := v.conf.RedirectAllRequestsTo; all != nil {
		redirectTo(v.w, http.StatusMovedPermanently, v.origin(all.Protocol, all.HostName)+"/"+escapeKey(v.key))
		return
	}
	if v.route("") {
		return
	}
	key := v.key
	if key == "" || strings.HasSuffix(key, "/") {
		key += v.conf.IndexDocument.Suffix
	}
	a, err := v.get(key, true)
	if err == nil {
		v.object(a, http.StatusOK)
		return
	}
	if service.Code(err) == "NotModified" {
		v.notModified(err)
		return
	}
	if key == v.key && v.isFolder(key) {
		redirectTo(v.w, http.StatusFound, v.base+"/"+escapeKey(key)+"/")
		return
	}
	if e, ok := asError(err); ok && v.route(strconv.Itoa(e.Status)) {
		return
	}
	v.fail(err)
}

// get reads an object as the visitor.
func (v *visit) get(key string, conditional bool) (*answer, error) {
	t, err := v.s.objectTarget(v.ctx, v.bucket.Name, key, nil)
	if err != nil {
		return nil, err
	}
	t.Action = "s3:GetObject"
	if err := v.s.allow(v.ctx, t); err != nil {
		return nil, err
	}
	q := query{source: source{bucket: v.bucket.Name, key: key, head: v.r.Method == http.MethodHead}}
	if conditional {
		h := v.r.Header
		q.rangeHeader, q.ifRange = optional(h.Get("Range")), h.Get("If-Range")
		q.conditions = readConditions{optional(h.Get("If-Match")), optional(h.Get("If-None-Match")), httpDate(h, "If-Modified-Since"), httpDate(h, "If-Unmodified-Since")}
	}
	return v.s.openRead(v.ctx, q)
}

func httpDate(h http.Header, name string) *time.Time {
	t, err := http.ParseTime(h.Get(name))
	if err != nil {
		return nil
	}
	return &t
}

// isFolder tells whether key names a folder with an index document that the visitor may read.
func (v *visit) isFolder(key string) bool {
	a, err := v.get(key+"/"+v.conf.IndexDocument.Suffix, false)
	if err != nil {
		return false
	}
	if a.body != nil {
		_ = a.body.Close() // only its existence was asked for
	}
	return true
}

// route applies the first routing rule for the key and the status of the failure so far ("" before the object was looked for).
func (v *visit) route(status string) bool {
	for _, r := range v.conf.RoutingRules {
		prefix := ""
		if c := r.Condition; c != nil {
			prefix = deref(c.KeyPrefixEquals)
			if deref(c.HttpErrorCodeReturnedEquals) != status {
				continue
			}
		} else if status != "" {
			continue
		}
		if !strings.HasPrefix(v.key, prefix) {
			continue
		}
		key := v.key
		switch {
		case r.Redirect.ReplaceKeyWith != nil:
			key = *r.Redirect.ReplaceKeyWith
		case r.Redirect.ReplaceKeyPrefixWith != nil:
			key = *r.Redirect.ReplaceKeyPrefixWith + strings.TrimPrefix(v.key, prefix)
		}
		code := http.StatusMovedPermanently
		if c, err := strconv.Atoi(deref(r.Redirect.HttpRedirectCode)); err == nil {
			code = c
		}
		redirectTo(v.w, code, v.origin(r.Redirect.Protocol, deref(r.Redirect.HostName))+"/"+escapeKey(key))
		return true
	}
	return false
}

// origin returns the scheme and host of a redirect; the parts that are not given are those of the request. On
// its own host a site keeps what stands in front of its paths.
func (v *visit) origin(protocol, host string) string {
	if protocol == "" {
		protocol = "http"
		if v.r.TLS != nil {
			protocol = "https"
		}
	}
	if host == "" {
		return protocol + "://" + v.r.Host + v.base
	}
	return protocol + "://" + host
}

func redirectTo(w http.ResponseWriter, status int, location string) {
	w.Header().Set("Location", location)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

// object answers with an object, or with the redirect that it asks for.
func (v *visit) object(a *answer, status int) {
	if a.body != nil {
		defer a.body.Close()
	}
	if to := a.Headers.Redirect; to != "" { // also that of an error document
		if strings.HasPrefix(to, "/") {
			to = v.base + to
		}
		redirectTo(v.w, http.StatusMovedPermanently, to)
		return
	}
	v.head(a)
	if a.contentRange != nil && status == http.StatusOK {
		status = http.StatusPartialContent
	}
	v.w.WriteHeader(status)
	if a.body == nil {
		return
	}
	if _, err := io.CopyN(v.w, a.body, a.at.length); err != nil && !errors.Is(err, context.Canceled) {
		v.s.log.DebugContext(v.r.Context(), "website answer was cut off", slog.String("bucket", v.bucket.Name), slog.Any("error", err))
	}
}

func (v *visit) head(a *answer) {
	h := v.w.Header()
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Length", strconv.FormatInt(a.at.length, 10))
	h.Set("Content-Type", a.Headers.ContentType)
	h.Set("ETag", *quoted(a.ETag))
	h.Set("Last-Modified", httpTime(a.Modified))
	set("Content-Range", deref(a.contentRange))
	set("Cache-Control", a.Headers.CacheControl)
	set("Content-Disposition", a.Headers.ContentDisposition)
	set("Content-Encoding", a.Headers.ContentEncoding)
	set("Content-Language", a.Headers.ContentLanguage)
	set("Expires", a.Headers.Expires)
	for _, name := range slices.Sorted(maps.Keys(a.Headers.Meta)) {
		h["x-amz-meta-"+name] = []string{a.Headers.Meta[name]}
	}
}

func (v *visit) notModified(err error) {
	if e, ok := asError(err); ok {
		if d, ok := e.Detail.(*NotModified); ok {
			maps.Copy(v.w.Header(), d.ResponseHeader())
		}
	}
	v.w.WriteHeader(http.StatusNotModified)
}

// fail answers with the site's error document, or with a plain page when there is none that the visitor may read.
func (v *visit) fail(err error) {
	e, known := asError(err)
	if !known || v.conf.ErrorDocument == nil || e.Status < 400 || e.Status > 499 {
		v.page(err, nil)
		return
	}
	v.code = e.Code
	a, docErr := v.get(v.conf.ErrorDocument.Key, false)
	if docErr != nil {
		v.page(err, docErr)
		return
	}
	v.object(a, e.Status)
}

// page answers with an error as a page. document is why the site's error document could not be read, if it has one.
func (v *visit) page(err, document error) {
	e := v.shown(err)
	status := cmp.Or(e.Status, http.StatusForbidden)
	id := v.s.newID()
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	var b strings.Builder
	b.WriteString("<html>\n<head><title>" + title + "</title></head>\n<body>\n<h1>" + title + "</h1>\n")
	listElements(&b, append(errorElements(e), [2]string{"RequestId", id}))
	if document != nil {
		b.WriteString("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n")
		listElements(&b, errorElements(v.shown(document)))
	}
	b.WriteString("<hr/>\n</body>\n</html>\n")
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("X-Amz-Error-Code", e.Code)
	h.Set("X-Amz-Request-Id", id)
	v.code = e.Code
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_, _ = io.WriteString(v.w, b.String()) // a client that has gone needs no page
	}
}

// shown returns an error as visitors see it.
func (v *visit) shown(err error) *service.Error {
	e, known := asError(err)
	if !known {
		v.s.log.ErrorContext(v.r.Context(), "website request failed", slog.Any("error", err))
		e = fail("InternalError", http.StatusInternalServerError, "We encountered an internal error. Please try again.")
	}
	return e
}

func listElements(b *strings.Builder, elements [][2]string) {
	b.WriteString("<ul>\n")
	for _, e := range elements {
		b.WriteString("<li>" + e[0] + ": " + html.EscapeString(e[1]) + "</li>\n")
	}
	b.WriteString("</ul>\n")
}
