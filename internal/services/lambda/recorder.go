package lambda

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/front"
)

// maxRecorded is how many events are kept at most.
const maxRecorded = 4096

// recorded is the event of an invocation.
type recorded struct {
	requestID, function, clientContext, tenant string // the function's ARN as it was invoked
	payload                                    []byte
	time                                       time.Time
}

// recorder keeps the events of the last invocations in memory, so that they can be sent again. It is bounded in events and in bytes.
type recorder struct {
	limit int // bytes of all payloads; 0 keeps nothing

	mu sync.Mutex // guards the fields below
	// events lie in a ring: the oldest at first, count of them.
	events       []recorded
	first, count int
	bytes        int
}

// note keeps the event of an invocation that is about to be carried out.
func (r *recorder) note(c *call, now time.Time) {
	if len(c.payload) > r.limit || r.limit == 0 {
		return
	}
	c.keep()
	e := recorded{requestID: c.requestID, function: c.arn, clientContext: c.clientContext, tenant: c.tenant, payload: c.payload, time: now}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events == nil {
		r.events = make([]recorded, maxRecorded)
	}
	for r.count == maxRecorded || r.bytes+len(e.payload) > r.limit {
		r.bytes -= len(r.events[r.first].payload)
		r.events[r.first] = recorded{}
		r.first, r.count = (r.first+1)%maxRecorded, r.count-1
	}
	r.events[(r.first+r.count)%maxRecorded] = e
	r.count++
	r.bytes += len(e.payload)
}

// last returns the events that are kept, the newest first, without their payloads.
func (r *recorder) last() []recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]recorded, 0, r.count)
	for i := range r.count {
		out = append(out, r.events[(r.first+r.count-1-i)%maxRecorded])
	}
	return out
}

// find returns the newest event of a request: one that was tried again has several.
func (r *recorder) find(requestID string) (recorded, bool) {
	for _, e := range r.last() {
		if e.requestID == requestID {
			return e, true
		}
	}
	return recorded{}, false
}

// recordedEvent is an event as the administration shows it; lists leave out what is sent again.
type recordedEvent struct {
	RequestID     string          `json:"requestId"`
	Function      string          `json:"function"`
	Time          time.Time       `json:"time"`
	Size          int             `json:"size"`
	Tenant        string          `json:"tenant,omitempty"`
	ClientContext string          `json:"clientContext,omitempty"`
	Payload       json.RawMessage `json:"payload,omitempty"`
}

func (e *recorded) shown() recordedEvent {
	return recordedEvent{RequestID: e.requestID, Function: e.function, Time: e.time.UTC(), Size: len(e.payload), Tenant: e.tenant}
}

// serveRecorded answers GET /_lambent/invocations, the last invocations, and GET /_lambent/invocations/REQUEST-ID, one with its event.
func (l *Lambda) serveRecorded(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(front.RoutePath(r), "/")
	if id == "" {
		list := []recordedEvent{}
		for _, e := range l.recorder.last() {
			list = append(list, e.shown())
		}
		writeJSON(w, map[string]any{"invocations": list})
		return
	}
	e, ok := l.recorder.find(id)
	if !ok {
		http.Error(w, "No event of the request "+id+" is kept. The last ones are kept in memory, as the setting recorded-events says, until Lambent stops.", http.StatusNotFound)
		return
	}
	out := e.shown()
	out.ClientContext, out.Payload = e.clientContext, e.payload
	writeJSON(w, out)
}

func writeJSON(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header()["Content-Type"] = []string{"application/json"}
	_, _ = w.Write(append(b, '\n'))
}
