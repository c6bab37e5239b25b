package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

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
	shared    bool   // by invocations that run at the same time
	tenant    string // of the environment; empty for none

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

// warn writes what the platform has to say to the function's author.
func (w *logWriter) warn(text string) {
	w.system("LAMBENT WARNING: "+text, func() (string, map[string]any) {
		return "lambent.warning", map[string]any{"message": text, "status": "warning"}
	})
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

// linesOf are the last lines that name an invocation, of a log that several write to.
func (w *logWriter) linesOf(requestID string) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []byte
	for line := range bytes.Lines(w.tail) {
		if bytes.Contains(line, []byte(requestID)) {
			out = append(out, line...)
		}
	}
	return out[max(0, len(out)-maxTail):]
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

// addLocked adds one line, whose event ends with its newline, as on AWS. The runtime clients separate the lines of one event by CR.
func (w *logWriter) addLocked(line string) {
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return
	}
	line = strings.ReplaceAll(line, "\r", "\n")
	if w.held == nil {
		w.held = make([]port.LogLine, 0, 4)
	}
	w.held = append(w.held, port.LogLine{Time: w.l.deps.Clock.Now(), Message: line + "\n"})
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
	if !w.shared {
		w.begin()
	}
	w.tellLater("platform.start", func() map[string]any { return startRecord(requestID, version, trace) })
	w.system("START RequestId: "+requestID+" Version: "+version, func() (string, map[string]any) {
		fields := map[string]any{"requestId": requestID, "version": version}
		if w.tenant != "" {
			fields["tenantId"] = w.tenant
		}
		return "platform.start", fields
	})
}

// report is what is known about an invocation at its end.
type report struct {
	requestID         string
	duration          time.Duration
	boot              boot // zero for a warm start
	memory            int32
	peak              int64
	status, errorType string // "", "error" or "timeout"; the type of the error
	produced          int    // bytes of the answer
}

// fields are the members of a platform.report event.
func (r *report) fields(billed, used int64) map[string]any {
	metrics := map[string]any{"durationMs": milliseconds(r.duration), "billedDurationMs": billed, "memorySizeMB": r.memory, "maxMemoryUsedMB": used}
	if r.boot.init > 0 {
		metrics["initDurationMs"] = milliseconds(r.boot.init)
	}
	if r.boot.restore > 0 {
		metrics["restoreDurationMs"], metrics["billedRestoreDurationMs"] = milliseconds(r.boot.restore), billedFor(r.boot.restore)
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
	w.tellLater("platform.runtimeDone", r.done)
	w.system("END RequestId: "+r.requestID, func() (string, map[string]any) {
		return "platform.runtimeDone", map[string]any{"requestId": r.requestID, "status": r.outcome()}
	})
	billed := billedFor(r.duration + r.boot.init)
	used := max((r.peak+1<<20-1)>>20, 1)
	w.tellLater("platform.report", func() map[string]any {
		fields := r.fields(billed, used)
		fields["status"] = r.outcome()
		return fields
	})
	w.system(r.text(billed, used), func() (string, map[string]any) { return "platform.report", r.fields(billed, used) })
	w.flush()
}

// billedFor is a duration in whole milliseconds.
func billedFor(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }

// initialised reports an initialisation ahead of any invocation.
func (w *logWriter) initialised(kind string, cause error, took time.Duration) {
	w.runtimeReady(kind, cause)
	w.phase("INIT_REPORT Init Duration: ", "\tPhase: init", cause, took, func(fields map[string]any) string {
		fields["initializationType"], fields["phase"] = kind, "init"
		return "platform.initReport"
	})
}

// restoring and restored are the lines around a restoration.
func (w *logWriter) restoring(v *version) {
	runtime := runtimeVersion(w.ref.scope, v.Runtime)
	record := func() map[string]any {
		return map[string]any{"runtimeVersion": v.Runtime, "runtimeVersionArn": runtime, "functionName": w.ref.name, "functionVersion": v.Number}
	}
	w.tellLater("platform.restoreStart", record)
	w.system("RESTORE_START Runtime Version: "+v.Runtime+"\tRuntime Version ARN: "+runtime, func() (string, map[string]any) { return "platform.restoreStart", record() })
}

func (w *logWriter) restored(cause error, took time.Duration) {
	w.phase("RESTORE_REPORT Restore Duration: ", "", cause, took, func(map[string]any) string { return "platform.restoreReport" })
}

// phase adds the report of a phase that is over. name adds fields to its record and names that.
func (w *logWriter) phase(label, which string, cause error, took time.Duration, name func(fields map[string]any) string) {
	text := append(appendMilliseconds([]byte(label), took), " ms"+which...)
	status, kind := "success", ""
	if cause != nil {
		status, kind = "error", failureType(cause)
		if kind == "" {
			status = "timeout"
		}
		text = append(append(text, "\tStatus: "...), status...)
	}
	if kind != "" {
		text = append(append(text, "\tError Type: "...), kind...)
	}
	record := func() (string, map[string]any) {
		fields := map[string]any{"status": status, "metrics": map[string]any{"durationMs": milliseconds(took)}}
		if kind != "" {
			fields["errorType"] = kind
		}
		return name(fields), fields
	}
	if w.telemetry != nil {
		w.tell(record())
	}
	w.system(string(text), record)
	w.flush()
}

// restream has the lines that follow written to another stream.
func (w *logWriter) restream(stream string) {
	w.flush()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stream = stream
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
	if r.boot.init > 0 {
		b = append(appendMilliseconds(append(b, "Init Duration: "...), r.boot.init), " ms\t"...)
	}
	if r.boot.restore > 0 {
		b = append(appendMilliseconds(append(b, "Restore Duration: "...), r.boot.restore), " ms\tBilled Restore Duration: "...)
		b = append(strconv.AppendInt(b, billedFor(r.boot.restore), 10), " ms\t"...)
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
