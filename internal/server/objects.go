package server

import (
	"encoding/json"
	"net/http"

	"lambent.dev/lambent/internal/services/s3"
)

// scrub verifies every stored body: POST /_lambent/s3/scrub. It answers with a JSON line for each damaged version as it is found, and one with the totals.
func (a *admin) scrub(w http.ResponseWriter, r *http.Request) {
	if !a.root(w, r, "scrub the object store") {
		return
	}
	if r.Method != http.MethodPost {
		http.Error(w, "Use POST.", http.StatusMethodNotAllowed)
		return
	}
	out := newLines(w)
	total, err := a.objects.Scrub(r.Context(), func(f s3.Finding) error { return out.write(f) })
	out.end(map[string]any{"total": total}, err)
}

// usage tells what each bucket holds: GET /_lambent/s3/usage. It answers with a JSON line for each bucket, and one that ends the list.
func (a *admin) usage(w http.ResponseWriter, r *http.Request) {
	if !a.root(w, r, "read the usage of the object store") {
		return
	}
	out := newLines(w)
	err := a.objects.Usage(r.Context(), func(u s3.Usage) error { return out.write(u) })
	out.end(map[string]any{"end": true}, err)
}

// lines is an answer of JSON lines that are sent as they come.
type lines struct {
	w    *json.Encoder
	push *http.ResponseController
}

func newLines(w http.ResponseWriter) *lines {
	w.Header().Set("Content-Type", "application/x-ndjson")
	return &lines{json.NewEncoder(w), http.NewResponseController(w)}
}

func (l *lines) write(v any) error {
	if err := l.w.Encode(v); err != nil {
		return err
	}
	return l.push.Flush()
}

// end writes the last line, or why there is none.
func (l *lines) end(last any, err error) {
	if err != nil {
		last = map[string]string{"error": err.Error()}
	}
	_ = l.w.Encode(last) // a client that has gone needs no end
}
