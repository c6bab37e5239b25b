package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/service"
)

// AdminService is the service name in the credential scope of requests to the platform's own paths.
const AdminService = "lambent"

// health answers whether the platform serves, in a form that clients of other emulators know too.
type health struct{ services []service.Service }

// ServeHTTP answers GET and HEAD.
func (h health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "Use GET.", http.StatusMethodNotAllowed)
		return
	}
	names := make(map[string]string, len(h.services))
	for i := range h.services {
		names[h.services[i].API.Name] = "running"
	}
	writeJSON(w, map[string]any{"status": "running", "services": names, "edition": "lambent"})
}

// admin serves the platform's own paths to the root user.
type admin struct {
	journal       *auth.Journal
	authenticator *auth.Authenticator
	clock         clock.Clock
}

// Decision is one decision of a request, as `lambent iam explain` shows it.
type Decision struct {
	RequestID string      `json:"requestId"`
	Time      string      `json:"time"`
	API       string      `json:"service"`
	Operation string      `json:"operation"`
	Principal string      `json:"principal"`
	Action    string      `json:"action"`
	Resource  string      `json:"resource"`
	Allowed   bool        `json:"allowed"`
	Message   string      `json:"message"`
	Trace     []iam.Trace `json:"trace,omitempty"`
}

// guard returns a route whose handler only the root user reaches, if that is what it asks for.
func (a *admin) guard(r service.Route) service.Route {
	if r.RootOnly == "" {
		return r
	}
	next := r.Handler
	r.Owner = AdminService
	r.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if a.root(w, q, r.RootOnly) {
			next.ServeHTTP(w, q)
		}
	})
	return r
}

// explain tells how the calls of one request were decided: GET /_lambent/decisions/REQUEST-ID.
func (a *admin) explain(w http.ResponseWriter, r *http.Request) {
	out := []Decision{}
	for _, d := range a.journal.Find(front.RouteVar(r, "id")) {
		out = append(out, describe(&d))
	}
	writeJSON(w, map[string]any{"decisions": out})
}

// advance moves the clock of a test: POST /_lambent/clock?advance=24h. A Lambent that was not started for that refuses it.
func (a *admin) advance(w http.ResponseWriter, r *http.Request) {
	moved, ok := a.clock.(*clock.Movable)
	if !ok {
		http.Error(w, "The clock of this Lambent cannot be moved; that is for tests alone.", http.StatusForbidden)
		return
	}
	d, err := time.ParseDuration(r.URL.Query().Get("advance"))
	if r.Method != http.MethodPost || err != nil || d < 0 {
		http.Error(w, "Use POST with advance=DURATION, such as 90s or 24h.", http.StatusBadRequest)
		return
	}
	moved.Advance(d)
	writeJSON(w, map[string]string{"now": moved.Now().UTC().Format(time.RFC3339Nano)})
}

// root tells whether the root user signed a request for [AdminService], and refuses it otherwise.
func (a *admin) root(w http.ResponseWriter, r *http.Request, what string) bool {
	proof, err := a.authenticator.Authenticate(r.Context(), &auth.Head{
		Request: sigv4.FromHTTP(r), Options: sigv4.Options{Services: []string{AdminService}}, Family: sigv4.FamilyREST,
		Body: func() (string, error) { return sigv4.Hash(nil), nil },
	})
	var refused *service.Error
	switch {
	case errors.As(err, &refused):
		http.Error(w, refused.Message, refused.Status)
		return false
	case err != nil || proof.Principal.Kind != service.Root:
		http.Error(w, "Only the root user may "+what+". Use the root key of the data folder.", http.StatusForbidden)
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n'))
}
