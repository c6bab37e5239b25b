package telemetry

import (
	"encoding/json"
	"time"
)

// The types of streams.
const (
	Platform  = "platform"
	Function  = "function"
	Extension = "extension"
)

// Event is something that has happened. Its type is that of the stream for lines that were written, else it begins with "platform.".
type Event struct {
	Time time.Time
	Type string
	// Record is a text, or a map that is encoded as JSON.
	Record any
}

// stream is the stream that the event belongs to.
func (e *Event) stream() string {
	if e.Type == Function || e.Type == Extension {
		return e.Type
	}
	return Platform
}

const timeLayout = "2006-01-02T15:04:05.000Z"

// encode is the event as subscribers get it.
func (e *Event) encode() ([]byte, error) {
	return json.Marshal(struct {
		Time   string `json:"time"`
		Type   string `json:"type"`
		Record any    `json:"record"`
	}{e.Time.UTC().Format(timeLayout), e.Type, e.Record})
}

// dialect turns an event into those that a subscription gets.
type dialect func(e Event) []Event

// modern is the Telemetry API's.
func modern(e Event) []Event { return []Event{e} }

// legacy is the Logs API's, which knows fewer events, with fewer members. done tells whether its schema has platform.runtimeDone.
func legacy(done bool) dialect {
	return func(e Event) []Event {
		record, _ := e.Record.(map[string]any)
		switch e.Type {
		case "platform.start", "platform.report":
			e.Record = only(record, "requestId", "version", "metrics")
			return []Event{e}
		case "platform.runtimeDone":
			end := Event{Time: e.Time, Type: "platform.end", Record: only(record, "requestId")}
			if !done {
				return []Event{end}
			}
			e.Record = only(record, "requestId", "status")
			return []Event{e, end}
		case "platform.telemetrySubscription":
			e.Type = "platform.logsSubscription"
			return []Event{e}
		case Function, Extension, "platform.extension", "platform.logsDropped":
			return []Event{e}
		}
		return nil
	}
}

// only is a map with some of the members of another.
func only(m map[string]any, names ...string) map[string]any {
	out := map[string]any{}
	for _, n := range names {
		if v, ok := m[n]; ok {
			out[n] = v
		}
	}
	return out
}
