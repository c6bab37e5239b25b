package lambda

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"lambent.dev/lambent/internal/runtimes/telemetry"
)

// What subscribers of telemetry learn (https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html) is made by the same calls as the log.

// extensionLog is the part of a log that extensions write.
type extensionLog struct{ w *logWriter }

// Write implements io.Writer for what extensions write.
func (e extensionLog) Write(p []byte) (int, error) {
	return e.w.write(p, &e.w.partialExtension, telemetry.Extension)
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
func (w *logWriter) tell(kind string, record map[string]any) {
	w.telemetry.Publish(telemetry.Event{Time: w.l.deps.Clock.Now(), Type: kind, Record: record})
}

// tellLater is tell with a record that is made when somebody may want it.
func (w *logWriter) tellLater(kind string, record func() map[string]any) {
	if w.telemetry != nil {
		w.tell(kind, record())
	}
}

// startRecord is the record of a platform.start event.
func startRecord(requestID, version, trace string) map[string]any {
	record := map[string]any{"requestId": requestID, "version": version}
	if trace != "" {
		record["tracing"] = map[string]any{"type": "X-Amzn-Trace-Id", "value": trace}
	}
	return record
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

// initialising tells subscribers of telemetry that an environment of the version is initialised.
func (w *logWriter) initialising(v *version, kind string) {
	w.tellLater("platform.initStart", func() map[string]any {
		record := map[string]any{
			"initializationType": kind, "phase": "init", "functionName": w.ref.name, "functionVersion": v.Number, "instanceId": w.stream, "instanceMaxMemory": int64(v.Memory) << 20,
		}
		if v.Image == nil {
			record["runtimeVersion"], record["runtimeVersionArn"] = v.Runtime, runtimeVersion(w.ref.scope, v.Runtime)
		}
		return record
	})
}

// runtimeReady tells subscribers of telemetry how the initialisation of the runtime has ended.
func (w *logWriter) runtimeReady(kind string, cause error) {
	w.tellLater("platform.initRuntimeDone", func() map[string]any { return initRecord(kind, cause) })
}

// initReport tells subscribers of telemetry of an initialisation that the log says nothing of.
func (w *logWriter) initReport(kind string, cause error, took time.Duration) {
	w.tellLater("platform.initReport", func() map[string]any {
		record := initRecord(kind, cause)
		record["metrics"] = map[string]any{"durationMs": milliseconds(took)}
		return record
	})
}

func initRecord(kind string, cause error) map[string]any {
	status := "success"
	switch {
	case errors.Is(cause, errTimeout):
		status = "timeout"
	case cause != nil:
		status = "error"
	}
	return map[string]any{"initializationType": kind, "phase": "init", "status": status}
}
