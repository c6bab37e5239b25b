package eventbridge

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lambent.dev/lambent/internal/lib/jsonenc"
	"lambent.dev/lambent/internal/lib/jsonscan"
)

// eventTime is the layout of the times in events.
const eventTime = "2006-01-02T15:04:05Z"

// event is an event on a bus.
type event struct {
	ID, Source, DetailType string
	Account, Region        string
	Time, Ingested         time.Time
	Resources              []string `json:",omitempty"`
	Trace                  string   `json:",omitempty"`
	// JSON is the event as rules and targets see it. It is kept beside the other fields, as it is.
	JSON []byte `json:"-"`
	// Space is how many bytes lay between the tokens of the detail as it was sent. They are not handed out, and count in archives.
	Space int `json:",omitempty"`
	// Forwarded tells that the event came from another bus: it does not go on to a third.
	Forwarded bool `json:",omitempty"`
}

// seal writes the event's JSON (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html). replay is the name
// of the replay that sends it again, or empty.
func (e *event) seal(detail, replay string) {
	b := make([]byte, 0, 256+len(detail))
	b = append(b, `{"version":"0"`...)
	add := func(name, value string) {
		b = append(append(append(b, `,"`...), name...), `":`...)
		b = jsonenc.String(b, value)
	}
	add("id", e.ID)
	add("detail-type", e.DetailType)
	add("source", e.Source)
	add("account", e.Account)
	add("time", e.Time.UTC().Format(eventTime))
	add("region", e.Region)
	if replay != "" {
		add("replay-name", replay)
	}
	b = append(b, `,"resources":`...)
	b = appendStrings(b, e.Resources)
	b = append(b, `,"detail":`...)
	start := len(b)
	b = appendCompact(b, detail)
	e.Space = len(detail) - (len(b) - start)
	e.JSON = append(b, '}')
}

// appendCompact appends a JSON text without the space between its tokens, as AWS hands events out.
func appendCompact(b []byte, text string) []byte {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\' && i+1 < len(text):
			b = append(b, c)
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			continue
		}
		b = append(b, text[i])
	}
	return b
}

func appendStrings(b []byte, all []string) []byte {
	b = append(b, '[')
	for i, s := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonenc.String(b, s)
	}
	return append(b, ']')
}

// withoutDetail returns what the variable aws.events.event stands for.
func (e *event) withoutDetail() []byte {
	b := []byte(`{"id":`)
	b = jsonenc.String(b, e.ID)
	for _, f := range [][2]string{
		{"account", e.Account}, {"detailType", e.DetailType}, {"time", e.Time.UTC().Format(eventTime)}, {"source", e.Source}, {"region", e.Region},
	} {
		b = append(append(append(b, `,"`...), f[0]...), `":`...)
		b = jsonenc.String(b, f[1])
	}
	b = append(b, `,"resources":`...)
	return append(appendStrings(b, e.Resources), `,"version":"0"}`...)
}

// size is how many bytes an archive counts for the event: those of its entry, with the time as events have it.
func (e *event) size() int64 {
	n := len(e.Source) + len(e.DetailType) + len(eventTime)
	for _, r := range e.Resources {
		n += len(r)
	}
	if _, detail, ok := bytes.Cut(e.JSON, []byte(`,"detail":`)); ok { // a text cannot hold this: its quotation marks are escaped
		n += len(detail) - len("}") + e.Space
	}
	return int64(n)
}

// detail returns the detail of the event.
func (e *event) detail() string {
	var doc struct {
		Detail json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(e.JSON, &doc) != nil {
		return "{}"
	}
	return string(doc.Detail)
}

func validJSON(b []byte) bool { return jsonscan.Valid(b) }

// isObject tells whether b is a JSON object.
func isObject(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '{' && jsonscan.Valid(b)
}

// envelope tells whether b has what every event has.
func envelope(b []byte) bool {
	var doc map[string]json.RawMessage
	if json.Unmarshal(b, &doc) != nil {
		return false
	}
	for _, name := range []string{"id", "account", "source", "time", "region", "detail-type"} {
		if _, ok := doc[name]; !ok {
			return false
		}
	}
	return true
}

// pack encodes head with an event's JSON behind it, which encoding/json would rewrite.
func pack(head any, raw []byte) ([]byte, error) {
	h, err := json.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	b := binary.AppendUvarint(make([]byte, 0, len(h)+len(raw)+binary.MaxVarintLen32), uint64(len(h)))
	return append(append(b, h...), raw...), nil
}

var errCutOff = errors.New("decode event: the row is cut off")

// unpack decodes head from what pack wrote, and returns the rest.
func unpack(b []byte, head any) ([]byte, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, errCutOff
	}
	end := size + int(n)
	if err := json.Unmarshal(b[size:end], head); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	return bytes.Clone(b[end:]), nil
}

// decodeEvent reads an archived event.
func decodeEvent(b []byte) (*event, error) {
	e := &event{}
	var err error
	e.JSON, err = unpack(b, e)
	return e, err
}
