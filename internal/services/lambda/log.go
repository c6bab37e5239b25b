package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/runtimes/rapi"
	"lambent.dev/lambent/internal/runtimes/telemetry"
	"lambent.dev/lambent/internal/service/port"
)

const (
	maxTail = 4 << 10 // bytes of the log that an invocation can return
	// maxLine is the longest log event, https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html.
	maxLine = 256 << 10
)

// logWriter is the log of one environment. It takes what the function writes, a line at a time, and the lines that the
// platform adds.
type logWriter struct {
	l      *Lambda
	ref    ref
	config logConfig
	stream string
	// telemetry passes on what happens to extensions; nil for none.
	telemetry *telemetry.Hub

	mu      sync.Mutex // guards the fields below, and keeps lines in order while the sink takes them
	partial []byte
	// partialExtension is partial for what extensions write.
	partialExtension []byte
	held             []port.LogLine // lines that go with the next ones
	tail             []byte
}

// Write implements io.Writer for the function's output.
func (w *logWriter) Write(p []byte) (int, error) {
	return w.write(p, &w.partial, telemetry.Function)
}

// extensionLog is the part of a log that extensions write.
type extensionLog struct{ w *logWriter }

// Write implements io.Writer for what extensions write.
func (e extensionLog) Write(p []byte) (int, error) {
	return e.w.write(p, &e.w.partialExtension, telemetry.Extension)
}

// write adds lines; partial is what a stream has begun.
func (w *logWriter) write(p []byte, partial *[]byte, stream string) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		p = rest
		if room := maxLine - len(*partial); len(line) > room {
			p = append(append([]byte(nil), line[room:]...), p...)
			if ended {
				p = append(append([]byte(nil), line[room:]...), append([]byte("\n"), rest...)...)
			}
			line, ended = line[:room], true
		}
		*partial = append(*partial, line...)
		if ended {
			w.addWrittenLocked(string(*partial), stream)
			*partial = (*partial)[:0]
		}
	}
	w.flushLocked()
	return n, nil
}

// addWrittenLocked adds a line that a program has written. Subscribers of a log in JSON get a line that is an object as such.
func (w *logWriter) addWrittenLocked(line, stream string) {
	w.addLocked(line)
	if w.telemetry == nil || line == "" {
		return
	}
	var record any = strings.ReplaceAll(strings.TrimSuffix(line, "\r"), "\r", "\n") + "\n"
	if w.config.Format == logJSON && strings.HasPrefix(line, "{") {
		var object map[string]any
		if json.Unmarshal([]byte(line), &object) == nil {
			record = object
		}
	}
	w.telemetry.Publish(telemetry.Event{Time: w.l.deps.Clock.Now(), Type: stream, Record: record})
}

// tell passes an event of the platform on to those who subscribe to telemetry.
func (w *logWriter) tell(kind string, record func() map[string]any) {
	if w.telemetry != nil {
		w.telemetry.Publish(telemetry.Event{Time: w.l.deps.Clock.Now(), Type: kind, Record: record()})
	}
}

// system adds a line of the platform; it is handed on together with the next line of the function, or by flush.
func (w *logWriter) system(text string, record func() (kind string, fields map[string]any)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.config.Format != logJSON {
		w.addLocked(text)
		return
	}
	kind, fields := record()
	if w.config.SystemLevel == "WARN" && fields["status"] == nil {
		return
	}
	line, err := json.Marshal(struct {
		Time   string         `json:"time"`
		Type   string         `json:"type"`
		Record map[string]any `json:"record"`
	}{w.l.deps.Clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"), kind, fields})
	if err == nil {
		w.addLocked(string(line))
	}
}

// begin starts the tail of a new invocation.
func (w *logWriter) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tail = w.tail[:0]
}

// lastLines is the end of the log since begin.
func (w *logWriter) lastLines() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.tail[max(0, len(w.tail)-maxTail):])
}

// flush hands on what is there, an unfinished line included.
func (w *logWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.partial) > 0 {
		w.addWrittenLocked(string(w.partial), telemetry.Function)
		w.partial = w.partial[:0]
	}
	w.flushLocked()
}

// addLocked adds one line. The runtime clients separate the lines of one event by CR.
func (w *logWriter) addLocked(line string) {
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return
	}
	line = strings.ReplaceAll(line, "\r", "\n")
	if w.held == nil {
		w.held = make([]port.LogLine, 0, 4)
	}
	w.held = append(w.held, port.LogLine{Time: w.l.deps.Clock.Now(), Message: line})
	w.tail = append(append(w.tail, line...), '\n')
	if len(w.tail) > 4*maxTail {
		w.tail = append(w.tail[:0], w.tail[len(w.tail)-maxTail:]...)
	}
}

func (w *logWriter) flushLocked() {
	if len(w.held) == 0 {
		return
	}
	lines := w.held
	w.held = nil
	if w.l.o.Logs == nil {
		return
	}
	err := w.l.o.Logs.PutLog(context.Background(), w.ref.account, w.ref.region, w.config.Group, w.stream, lines)
	if err != nil {
		w.l.deps.Log.Error("function log was not kept", slog.String("function", w.ref.function()), slog.Int("lines", len(lines)), slog.Any("error", err))
	}
}

// The lines around an invocation, https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html and
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html.

func (w *logWriter) started(requestID, version, trace string) {
	w.begin()
	w.tell("platform.start", func() map[string]any {
		record := map[string]any{"requestId": requestID, "version": version}
		if trace != "" {
			record["tracing"] = map[string]any{"type": "X-Amzn-Trace-Id", "value": trace}
		}
		return record
	})
	w.system("START RequestId: "+requestID+" Version: "+version, func() (string, map[string]any) {
		return "platform.start", map[string]any{"requestId": requestID, "version": version}
	})
}

// report is what is known about an invocation at its end.
type report struct {
	requestID          string
	duration, initTime time.Duration // initTime is 0 for a warm start
	memory             int32
	peak               int64
	status, errorType  string // "", "error" or "timeout"; the type of the error
	produced           int    // bytes of the answer
}

// outcome is the status of the invocation in events.
func (r *report) outcome() string {
	if r.status == "" {
		return "success"
	}
	return r.status
}

// done is the record of a platform.runtimeDone event.
func (r *report) done() map[string]any {
	record := map[string]any{"requestId": r.requestID, "status": r.outcome(), "metrics": map[string]any{"durationMs": milliseconds(r.duration), "producedBytes": r.produced}}
	if r.errorType != "" {
		record["errorType"] = r.errorType
	}
	return record
}

// fields are the members of a platform.report event.
func (r *report) fields(billed, used int64) map[string]any {
	metrics := map[string]any{"durationMs": milliseconds(r.duration), "billedDurationMs": billed, "memorySizeMB": r.memory, "maxMemoryUsedMB": used}
	if r.initTime > 0 {
		metrics["initDurationMs"] = milliseconds(r.initTime)
	}
	fields := map[string]any{"requestId": r.requestID, "metrics": metrics}
	if r.status != "" {
		fields["status"] = r.status
	}
	if r.errorType != "" {
		fields["errorType"] = r.errorType
	}
	return fields
}

func (w *logWriter) ended(r *report) {
	w.tell("platform.runtimeDone", r.done)
	w.system("END RequestId: "+r.requestID, func() (string, map[string]any) {
		return "platform.runtimeDone", map[string]any{"requestId": r.requestID, "status": r.outcome()}
	})
	billed := (r.duration + r.initTime + time.Millisecond - 1).Milliseconds()
	used := max((r.peak+1<<20-1)>>20, 1)
	w.tell("platform.report", func() map[string]any {
		fields := r.fields(billed, used)
		fields["status"] = r.outcome()
		return fields
	})
	w.system(r.text(billed, used), func() (string, map[string]any) { return "platform.report", r.fields(billed, used) })
	w.flush()
}

// initFailed reports an initialisation ahead of any invocation that did not succeed.
func (w *logWriter) initFailed(cause error, took time.Duration) {
	kind, status := "Runtime.ExitError", "error"
	var reported *rapi.InitError
	switch {
	case errors.As(cause, &reported):
		kind = reported.Type
	case errors.Is(cause, errTimeout):
		kind, status = "", "timeout"
	}
	text := appendMilliseconds([]byte("INIT_REPORT Init Duration: "), took)
	text = append(append(text, " ms\tPhase: init\tStatus: "...), status...)
	if kind != "" {
		text = append(append(text, "\tError Type: "...), kind...)
	}
	w.system(string(text), func() (string, map[string]any) {
		fields := map[string]any{
			"initializationType": provisionedConcurrency, "phase": "init", "status": status, "metrics": map[string]any{"durationMs": milliseconds(took)},
		}
		if kind != "" {
			fields["errorType"] = kind
		}
		return "platform.initReport", fields
	})
	w.flush()
}

// initialising tells subscribers of telemetry that an environment of the version is initialised.
func (w *logWriter) initialising(v *version, kind string) {
	w.tell("platform.initStart", func() map[string]any {
		record := map[string]any{
			"initializationType": kind, "phase": "init", "functionName": w.ref.name, "functionVersion": v.Number, "instanceId": w.stream, "instanceMaxMemory": int64(v.Memory) << 20,
		}
		if v.Image == nil {
			record["runtimeVersion"], record["runtimeVersionArn"] = v.Runtime, runtimeVersion(w.ref.scope, v.Runtime)
		}
		return record
	})
}

// initialised tells subscribers of telemetry how the initialisation has ended.
func (w *logWriter) initialised(kind string, cause error, took time.Duration) {
	status := "success"
	switch {
	case errors.Is(cause, errTimeout):
		status = "timeout"
	case cause != nil:
		status = "error"
	}
	record := func() map[string]any {
		return map[string]any{"initializationType": kind, "phase": "init", "status": status}
	}
	w.tell("platform.initRuntimeDone", record)
	w.tell("platform.initReport", func() map[string]any {
		r := record()
		r["metrics"] = map[string]any{"durationMs": milliseconds(took)}
		return r
	})
}

// text is the REPORT line, in which each part ends with a tab.
func (r *report) text(billed, used int64) string {
	b := make([]byte, 0, 224)
	b = append(append(b, "REPORT RequestId: "...), r.requestID...)
	b = appendMilliseconds(append(b, "\tDuration: "...), r.duration)
	b = strconv.AppendInt(append(b, " ms\tBilled Duration: "...), billed, 10)
	b = strconv.AppendInt(append(b, " ms\tMemory Size: "...), int64(r.memory), 10)
	b = strconv.AppendInt(append(b, " MB\tMax Memory Used: "...), min(used, int64(r.memory)), 10)
	b = append(b, " MB\t"...)
	if r.initTime > 0 {
		b = append(appendMilliseconds(append(b, "Init Duration: "...), r.initTime), " ms\t"...)
	}
	if r.status != "" {
		b = append(append(append(b, "Status: "...), r.status...), '\t')
	}
	if r.errorType != "" {
		b = append(append(append(b, "Error Type: "...), r.errorType...), '\t')
	}
	return string(b)
}

// appendMilliseconds appends a duration with two decimals.
func appendMilliseconds(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, milliseconds(d), 'f', 2, 64)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// line adds a line that is the same in both formats.
func (w *logWriter) line(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addLocked(text)
}
