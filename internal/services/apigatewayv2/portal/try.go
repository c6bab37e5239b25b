package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/reach"
	"lambent.dev/lambent/internal/lib/tokenbucket"
)

// Limits of what visitors try (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-portals-try-it.html).
const (
	triesASecond = 3 // of an API
	tryTime      = 29 * time.Second
	maxTryAnswer = 6 << 20 // bytes

	// maxTryForm bounds a form, in bytes: what an API takes, and how a form spells it.
	maxTryForm = 10 << 20
	// maxTried bounds the APIs whose rates are kept.
	maxTried = 4096
)

// try is the form of a method, as it was filled in, and what came of it.
type try struct {
	// methods are those to choose from, of an endpoint that has all.
	methods []string
	method  string
	fields  []field
	// hasBody tells that the method may have a body.
	hasBody     bool
	contentType string
	body        string

	answer *answer
	// problem is why there is no answer.
	problem string
}

// field is a parameter in a form; input is the name of its input.
type field struct {
	parameter

	input, value string
}

// answer is what an API answered.
type answer struct {
	status  string
	took    time.Duration
	headers []header
	body    string
}

type header struct{ name, value string }

// newTry returns the empty form of a method.
func newTry(m *shownMethod) *try {
	t := &try{method: m.Method, hasBody: m.Method != http.MethodGet && m.Method != http.MethodHead && m.Method != http.MethodOptions}
	if m.Method == "ANY" {
		t.methods, t.method = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions}, http.MethodGet
	}
	for _, p := range m.Parameters {
		t.fields = append(t.fields, field{parameter: p, input: p.In + "." + p.Name})
	}
	for _, s := range m.Schemes {
		p := parameter{Name: "Authorization", In: "header", Required: true, Text: "What secures this method: " + s}
		if s == "api_key" {
			p = parameter{Name: "x-api-key", In: "header", Required: true, Text: "Your API key"}
		}
		if !slices.ContainsFunc(t.fields, func(f field) bool { return strings.EqualFold(f.Name, p.Name) && f.In == p.In }) {
			t.fields = append(t.fields, field{parameter: p, input: "header." + p.Name})
		}
	}
	t.contentType = "application/json"
	if len(m.Contents) > 0 {
		t.contentType = m.Contents[0].Type
	}
	return t
}

// fill takes what a visitor filled in.
func (t *try) fill(form url.Values) {
	if m := form.Get("method"); slices.Contains(t.methods, m) {
		t.method = m
	}
	for i := range t.fields {
		t.fields[i].value = form.Get(t.fields[i].input)
	}
	if form.Has("type") {
		t.contentType = form.Get("type")
	}
	t.body = form.Get("body")
}

// request makes the request of a form. The error says what is wrong with the form.
func (t *try) request(ctx context.Context, m *shownMethod) (*http.Request, error) {
	path, query, headers := m.Path, url.Values{}, http.Header{"User-Agent": {"Lambent-Portal"}}
	for _, f := range t.fields {
		if f.value == "" {
			if f.Required {
				return nil, errors.New("Give a value for " + f.Name + ".") //nolint:revive,staticcheck // a sentence for the page
			}
			continue
		}
		switch f.In {
		case "path":
			path = strings.NewReplacer("{"+f.Name+"}", url.PathEscape(f.value), "{"+f.Name+"+}", escapePath(f.value)).Replace(path)
		case "query":
			query.Add(f.Name, f.value)
		case "header":
			headers.Set(f.Name, f.value)
		}
	}
	target := m.URL + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var body io.Reader
	if t.hasBody && t.body != "" {
		body = strings.NewReader(t.body)
		headers.Set("Content-Type", t.contentType)
	}
	r, err := http.NewRequestWithContext(ctx, t.method, target, body)
	if err != nil {
		return nil, errors.New("These values make no request that can be sent.") //nolint:revive,staticcheck // a sentence for the page
	}
	r.Header = headers
	return r, nil
}

// escapePath escapes the elements of a path.
func escapePath(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// send sends what a visitor filled in, and returns the status of the page with the answer.
func (v *visit) send() int {
	m, t := v.page.Endpoint, v.try
	if !m.TryIt {
		t.problem = "This method cannot be tried here."
		return http.StatusForbidden
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxTryForm)
	if err := v.r.ParseForm(); err != nil {
		t.problem = "This form cannot be read: it may be too large."
		return http.StatusBadRequest
	}
	t.fill(v.r.PostForm)
	ctx, cancel := context.WithTimeout(v.r.Context(), tryTime)
	defer cancel()
	r, err := t.request(ctx, m)
	if err != nil {
		t.problem = err.Error()
		return http.StatusBadRequest
	}
	from := v.portals.deps.Clock.Now()
	if !v.portals.tried.Take(m.API, tokenbucket.Limit{Rate: triesASecond, Burst: triesASecond}, 1, from) {
		t.problem = "This API is being tried by too many at once. Try again in a second."
		return http.StatusTooManyRequests
	}
	t.answer, t.problem = v.portals.fetch(r)
	if t.answer == nil {
		return http.StatusBadGateway
	}
	t.answer.took = v.portals.deps.Clock.Now().Sub(from).Round(time.Millisecond)
	return http.StatusOK
}

// fetch sends a request to an API, and returns its answer, or why there is none.
func (p *Portals) fetch(r *http.Request) (*answer, string) {
	got, err := deliver.NewClient(p.options.Endpoints, 0).Do(r)
	var body []byte
	if err == nil {
		defer func() { _ = got.Body.Close() }()
		body, err = io.ReadAll(io.LimitReader(got.Body, maxTryAnswer+1))
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, "The API did not answer within " + strconv.Itoa(int(tryTime.Seconds())) + " seconds."
	case errors.Is(err, reach.ErrBlocked):
		return nil, "The platform may not reach the address of this API."
	case err != nil:
		p.deps.Log.InfoContext(r.Context(), "a method was tried and its api gave no answer", slog.Any("error", err))
		return nil, "The API gave no answer."
	case len(body) > maxTryAnswer:
		return nil, "The API answered with more than " + strconv.Itoa(maxTryAnswer>>20) + " MB."
	}
	a := &answer{status: got.Status, body: readable(body)}
	for _, name := range slices.Sorted(maps.Keys(got.Header)) {
		for _, value := range got.Header[name] {
			a.headers = append(a.headers, header{name, value})
		}
	}
	return a, ""
}

// readable returns a body for people: JSON is indented, and what is no text is told by its length.
func readable(body []byte) string {
	var b bytes.Buffer
	switch {
	case json.Valid(body) && json.Indent(&b, body, "", "  ") == nil:
		return b.String()
	case utf8.Valid(body):
		return string(body)
	}
	return strconv.Itoa(len(body)) + " bytes that are no text"
}
