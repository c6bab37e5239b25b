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
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/lru"
)

const (
	// keptRequests is how many requests a recorder keeps.
	keptRequests = 1024
	// keptText is how much of an input or an output is kept, in bytes, and keptWhole how much of one that was asked for by the header.
	keptText, keptWhole = 4 << 10, 1 << 20
)

// Header is the request header that asks for a whole trace, and Answer the one that names it.
const (
	Header = "X-Lambent-Trace"
	Answer = "X-Lambent-Trace-Id"
)

// Recorder keeps traces. A nil Recorder keeps none.
type Recorder struct {
	clock  clock.Clock
	traces *lru.Cache[string, *Trace]
}

// NewRecorder returns an empty recorder.
func NewRecorder(c clock.Clock) *Recorder {
	return &Recorder{clock: c, traces: lru.New[string, *Trace](keptRequests)}
}

// Trace is the record of one request. It belongs to the goroutine that serves the request until [Trace.End].
type Trace struct {
	// ID is the request id; API, Stage, Method and Path say what was asked for.
	ID, API, Stage, Method, Path string
	// Whole tells that the client asked for the trace: nothing is cut short.
	Whole bool
	Start time.Time

	recorder *Recorder
	clock    clock.Clock

	mu sync.Mutex // guards the fields below, which are read while other requests are served
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

// Begin starts the record of a request; whole keeps all of what it sees.
func (r *Recorder) Begin(id, api, stage, method, path string, whole bool) *Trace {
	if r == nil {
		return nil
	}
	t := New(r.clock, id, api, stage, method, path, whole)
	t.recorder = r
	return t
}

// New returns a record that no recorder keeps.
func New(c clock.Clock, id, api, stage, method, path string, whole bool) *Trace {
	return &Trace{ID: id, API: api, Stage: stage, Method: method, Path: path, Whole: whole, Start: c.Now(), clock: c, steps: make([]Step, 0, 8)}
}

// Find returns the trace of a request that was kept, or nil.
func (r *Recorder) Find(id string) *Trace {
	if r == nil {
		return nil
	}
	t, _ := r.traces.Get(id)
	return t
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
	now := t.clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps = append(t.steps, Step{Name: r.name, After: r.from.Sub(t.Start), Took: now.Sub(r.from), Input: r.input, Output: t.cut(output)})
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

// End ends the record with the status that the client got, and has the recorder keep it.
func (t *Trace) End(status int) {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.status, t.took = status, t.clock.Now().Sub(t.Start)
	t.mu.Unlock()
	if t.recorder != nil {
		t.recorder.traces.Put(t.ID, t)
	}
}

// Steps returns the stages so far.
func (t *Trace) Steps() []Step {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.steps)
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
	t := r.Find(id)
	if t == nil {
		http.Error(w, "No request with the id "+id+" is among the last "+strconv.Itoa(keptRequests)+" that were traced.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// The client is told of a connection that breaks by the connection.
	_ = json.NewEncoder(w).Encode(t.document())
}

func (t *Trace) document() *Document {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := &Document{
		ID: t.ID, API: t.API, Stage: t.Stage, Method: t.Method, Path: t.Path, Start: t.Start, Status: t.status, TookUS: t.took.Microseconds(), Entries: []Entry{},
	}
	for _, s := range t.steps {
		d.Entries = append(d.Entries, Entry{Name: s.Name, AfterUS: s.After.Microseconds(), TookUS: s.Took.Microseconds(), Input: s.Input.String(), Output: s.Output.String()})
	}
	return d
}
