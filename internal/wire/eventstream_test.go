package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/service"
)

// readEvents takes messages of vnd.amazon.eventstream apart, checking lengths
// and checksums.
func readEvents(t *testing.T, data []byte) []map[string]string {
	t.Helper()
	var out []map[string]string
	for len(data) > 0 {
		total, headers := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
		if crc32.ChecksumIEEE(data[:8]) != binary.BigEndian.Uint32(data[8:]) {
			t.Fatal("the prelude's checksum is wrong")
		}
		message := data[:total]
		if crc32.ChecksumIEEE(message[:total-4]) != binary.BigEndian.Uint32(message[total-4:]) {
			t.Fatal("the message's checksum is wrong")
		}
		event := map[string]string{"payload": string(message[12+headers : total-4])}
		for h := message[12 : 12+headers]; len(h) > 0; {
			name := string(h[1 : 1+h[0]])
			h = h[1+len(name):]
			if h[0] != 7 {
				t.Fatalf("header %s has type %d", name, h[0])
			}
			size := int(binary.BigEndian.Uint16(h[1:]))
			event[name] = string(h[3 : 3+size])
			h = h[3+size:]
		}
		out = append(out, event)
		data = data[total:]
	}
	return out
}

func TestLiveTailStartsWithItsInitialResponseAndEndsWithItsError(t *testing.T) {
	a := New(logs.API, (&logs.Handlers{}).Bindings())
	req := &Request{Method: "POST", RawPath: "/", Header: http.Header{"X-Amz-Target": {"Logs_20140328.StartLiveTail"}}}
	op, err := a.Match(req)
	if err != nil {
		t.Fatal(err)
	}
	id := "session"
	out := &logs.StartLiveTailOutput{ResponseStream: func(_ context.Context, send func(*logs.StartLiveTailResponseStream) error) error {
		if err := send(&logs.StartLiveTailResponseStream{SessionStart: &logs.LiveTailSessionStart{SessionId: &id}}); err != nil {
			return err
		}
		return service.Errorf("SessionTimeoutException", "The session has ended.")
	}}
	w := httptest.NewRecorder()
	if err := op.WriteResponse(t.Context(), w, req, out); err != nil {
		t.Fatal(err)
	}
	want := []map[string]string{
		{":message-type": "event", ":event-type": "initial-response", ":content-type": "application/x-amz-json-1.1", "payload": "{}"},
		{":message-type": "event", ":event-type": "sessionStart", ":content-type": "application/x-amz-json-1.1", "payload": `{"sessionId":"session"}`},
		{":message-type": "exception", ":exception-type": "SessionTimeoutException", ":content-type": "application/json", "payload": `{"message":"The session has ended."}`},
	}
	if diff := cmp.Diff(want, readEvents(t, w.Body.Bytes())); diff != "" {
		t.Error(diff)
	}
}

// brokenWriter fails as a connection does whose client has gone.
type brokenWriter struct{ *httptest.ResponseRecorder }

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestEventsStopWhenTheClientHasGone(t *testing.T) {
	a := New(logs.API, (&logs.Handlers{}).Bindings())
	req := &Request{Method: "POST", RawPath: "/", Header: http.Header{"X-Amz-Target": {"Logs_20140328.StartLiveTail"}}}
	op, err := a.Match(req)
	if err != nil {
		t.Fatal(err)
	}
	called := false
	out := &logs.StartLiveTailOutput{ResponseStream: func(context.Context, func(*logs.StartLiveTailResponseStream) error) error {
		called = true
		return nil
	}}
	if err := op.WriteResponse(t.Context(), brokenWriter{httptest.NewRecorder()}, req, out); err == nil || called {
		t.Errorf("called %v, error %v", called, err)
	}
}
