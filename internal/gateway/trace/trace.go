// Package trace records what happens to a request on its way through an API: each stage with what went in, what came out, and how long it took. It is what
// `lambent trace` shows, what the header X-Lambent-Trace asks for, and what TestInvokeMethod logs.
//
// A [Recorder] keeps the last requests of a Lambent, in memory, bounded in number and bytes. It keeps what a plane hands it without
// copying, and makes text of it when somebody reads the trace ([Text]), so recording costs a request next to nothing; what is handed over must not be changed
// afterwards. A nil [Trace] records nothing, so planes need not ask. Headers are shown without the values that prove who somebody is; the event of a function is kept as
// the function got it. Only the root user reads traces.
package trace

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
)

const (
	// keptRequests is how many requests a recorder keeps.
	keptRequests = 1024
	// keptText is how much of an input or an output is kept, in bytes, and keptWhole how much of one that was asked for by the header.
	keptText, keptWhole = 4 << 10, 1 << 20
	// usualSteps is how many stages most requests have at most.
	usualSteps = 6
)

// Header is the request header that asks for a whole trace, and Answer the one that names it.
const (
	Header = "X-Lambent-Trace"
	Answer = "X-Lambent-Trace-Id"
)

// Recorder keeps traces. A nil Recorder keeps none.
type Recorder struct {
	clock clock.Clock

	mu sync.Mutex // guards the fields below
	// traces are those that are kept, by their IDs; ring has them in the order of their ends, and next is the place of the oldest once the ring is full.
	traces map[string]*Trace
	ring   []*Trace
	next   int
	// free are records that can be used again.
	free []*Trace
}

// NewRecorder returns an empty recorder.
func NewRecorder(c clock.Clock) *Recorder {
	return &Recorder{clock: c, traces: map[string]*Trace{}}
}

// keep keeps the record of a request that is over instead of the oldest.
func (r *Recorder) keep(t *Trace) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) < keptRequests {
		r.ring = append(r.ring, t)
	} else {
		old := r.ring[r.next]
		r.ring[r.next] = t
		r.next = (r.next + 1) % keptRequests
		if r.traces[old.ID] == old {
			delete(r.traces, old.ID)
		}
		r.free = append(r.free, old)
	}
	r.traces[t.ID] = t
}

// blank returns a record to use, an old one if there is any.
func (r *Recorder) blank() *Trace {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.free)
	if n == 0 {
		return &Trace{}
	}
	t := r.free[n-1]
	r.free[n-1] = nil
	r.free = r.free[:n-1]
	return t
}

// Trace is the record of one request. It belongs to the goroutine that serves the request until [Trace.End], after which that must not use it any more: its
// memory serves other requests later.
type Trace struct {
	// ID is the request id; API, Stage, Method and Path say what was asked for.
	ID, API, Stage, Method, Path string
	// Whole tells that the client asked for the trace: nothing is cut short.
	Whole bool
	Start time.Time

	recorder *Recorder
	clock    clock.Clock

	// steps are the stages in their order.
	steps  []Step
	status int
	took   time.Duration
}

// Step is one stage.
type Step struct {
	// Name is the stage, such as "authorizer" or "integration request".
	Name string
	// After is when it began, after the request; Took is how long it took.
	After, Took time.Duration
	// Input and Output are what went in and came out.
	Input, Output Text
}

// Begin starts the record of a request, which came now; whole keeps all of what it sees.
func (r *Recorder) Begin(now time.Time, id, api, stage, method, path string, whole bool) *Trace {
	if r == nil {
		return nil
	}
	t := r.blank()
	*t = Trace{ID: id, API: api, Stage: stage, Method: method, Path: path, Whole: whole, Start: now, clock: r.clock, recorder: r, steps: t.steps[:0]}
	return t
}

// Find returns the trace of a request that was kept as a document, or nil.
func (r *Recorder) Find(id string) *Document {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.traces[id]; ok {
		return t.document()
	}
	return nil
}

// Running is a stage that goes on.
type Running struct {
	trace *Trace
	name  string
	input Text
	from  time.Time
}

// Step begins a stage with what goes in.
func (t *Trace) Step(name, input string) Running { return t.StepText(name, Text{Line: input}) }

// StepText begins a stage into which a message goes.
func (t *Trace) StepText(name string, input Text) Running {
	if t == nil {
		return Running{}
	}
	return Running{trace: t, name: name, input: t.cut(input), from: t.clock.Now()}
}

// End ends the stage with what came out.
func (r Running) End(output string) { r.EndText(Text{Line: output}) }

// EndText ends a stage out of which a message came.
func (r Running) EndText(output Text) {
	t := r.trace
	if t == nil {
		return
	}
	if t.steps == nil {
		t.steps = make([]Step, 0, usualSteps)
	}
	t.steps = append(t.steps, Step{Name: r.name, After: r.from.Sub(t.Start), Took: t.clock.Now().Sub(r.from), Input: r.input, Output: t.cut(output)})
}

// Note records a stage that takes no time of its own.
func (t *Trace) Note(name, output string) { t.NoteText(name, Text{Line: output}) }

// NoteText is Note for a stage out of which a message came.
func (t *Trace) NoteText(name string, output Text) {
	if t != nil {
		t.Step(name, "").EndText(output)
	}
}

// cut bounds what is kept of a text.
func (t *Trace) cut(text Text) Text {
	limit := keptText
	if t.Whole {
		limit = keptWhole
	}
	return text.cut(limit)
}

// End ends the record now with the status that the client got, and has the recorder keep it.
func (t *Trace) End(now time.Time, status int) {
	if t == nil {
		return
	}
	t.status, t.took = status, now.Sub(t.Start)
	t.recorder.keep(t)
}

// Steps returns the stages so far, until the next one ends.
func (t *Trace) Steps() []Step {
	if t == nil {
		return nil
	}
	return t.steps
}

// Timing returns the stages and their times as the header Server-Timing has them (W3C Server Timing), which browsers show.
func (t *Trace) Timing() string {
	var b []byte
	for _, s := range t.Steps() {
		if len(b) > 0 {
			b = append(b, ", "...)
		}
		b = append(b, strings.ReplaceAll(s.Name, " ", "-")...)
		b = strconv.AppendFloat(append(b, ";dur="...), float64(s.Took.Microseconds())/1000, 'f', -1, 64)
	}
	return string(b)
}

// Document is a trace as `lambent trace` reads it.
type Document struct {
	ID      string    `json:"id"`
	API     string    `json:"api"`
	Stage   string    `json:"stage"`
	Method  string    `json:"method"`
	Path    string    `json:"path"`
	Start   time.Time `json:"start"`
	Status  int       `json:"status"`
	TookUS  int64     `json:"took_us"`
	Entries []Entry   `json:"steps"`
}

// Entry is a stage in a [Document]; times are in microseconds.
type Entry struct {
	Name    string `json:"name"`
	AfterUS int64  `json:"after_us"`
	TookUS  int64  `json:"took_us"`
	Input   string `json:"input,omitempty"`
	Output  string `json:"output,omitempty"`
}

// ServeID answers with the trace of a request as a [Document].
func (r *Recorder) ServeID(w http.ResponseWriter, id string) {
	d := r.Find(id)
	if d == nil {
		http.Error(w, "No request with the id "+id+" is among the last "+strconv.Itoa(keptRequests)+" that were traced.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// The client is told of a connection that breaks by the connection.
	_ = json.NewEncoder(w).Encode(d)
}

func (t *Trace) document() *Document {
	d := &Document{
		ID: t.ID, API: t.API, Stage: t.Stage, Method: t.Method, Path: t.Path, Start: t.Start, Status: t.status, TookUS: t.took.Microseconds(), Entries: []Entry{},
	}
	for _, s := range t.steps {
		d.Entries = append(d.Entries, Entry{Name: s.Name, AfterUS: s.After.Microseconds(), TookUS: s.Took.Microseconds(), Input: s.Input.String(), Output: s.Output.String()})
	}
	return d
}
