package s3

import (
	"encoding/json"
	"net/http"
)

// serveScrub verifies every stored body: POST /_lambent/s3/scrub. It answers with a JSON line for each damaged version as it is found, and one with the totals.
func (s *Service) serveScrub(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "Use POST.", http.StatusMethodNotAllowed)
		return
	}
	out := newLines(w)
	total, err := s.Scrub(r.Context(), func(f Finding) error { return out.write(f) })
	out.end(map[string]any{"total": total}, err)
}

// serveUsage tells what each bucket holds: GET /_lambent/s3/usage. It answers with a JSON line for each bucket, and one that ends the list.
func (s *Service) serveUsage(w http.ResponseWriter, r *http.Request) {
	out := newLines(w)
	err := s.Usage(r.Context(), func(u Usage) error { return out.write(u) })
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
