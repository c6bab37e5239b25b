package telemetry

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/clock"
)

// receiver stands in for an extension: it keeps what it is sent, one text a batch.
type receiver struct {
	began time.Time

	mu      sync.Mutex // guards the fields below
	batches []string
	refuse  int // how many batches are refused first
	silent  bool
}

func (r *receiver) keep(batch string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches = append(r.batches, fmt.Sprintf("+%v %s", time.Since(r.began), batch))
}

// dial is a connection to the receiver, which speaks HTTP.
func (r *receiver) dial(uint16) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		in := bufio.NewReader(far)
		for {
			q, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			body, err := io.ReadAll(q.Body)
			if err != nil {
				return
			}
			r.mu.Lock()
			refused, silent := r.refuse > 0, r.silent
			r.refuse--
			r.mu.Unlock()
			if silent {
				return
			}
			status := "200 OK"
			if refused {
				status = "500 No"
			} else {
				r.keep(types(body))
			}
			if _, err := io.WriteString(far, "HTTP/1.1 "+status+"\r\nContent-Length: 0\r\n\r\n"); err != nil {
				return
			}
		}
	}()
	return near, nil
}

// types are the types in a batch, with the texts of lines and the numbers of dropped ones.
func types(batch []byte) string {
	var list []struct {
		Type   string
		Record any
	}
	if err := json.Unmarshal(batch, &list); err != nil {
		return err.Error()
	}
	var out []string
	for _, e := range list {
		switch record := e.Record.(type) {
		case string:
			e.Type += ":" + record
		case map[string]any:
			if n, ok := record["droppedRecords"]; ok {
				e.Type += fmt.Sprintf(":%v", n)
			}
		}
		out = append(out, e.Type)
	}
	return strings.Join(out, " ")
}

// onHub runs fn in virtual time with a hub and a receiver.
func onHub(t *testing.T, fn func(t *testing.T, h *Hub, r *receiver)) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{began: time.Now()}
		h := NewHub(clock.System{})
		h.Attach(r.dial)
		fn(t, h, r)
		h.Close()
	})
}

const toHTTP = `"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:4243/x"}`

func subscribe(t *testing.T, h *Hub, more string) {
	t.Helper()
	err := h.Subscribe(Request{Extension: "e", Body: []byte(`{"schemaVersion":"2022-12-13",` + toHTTP + `,` + more + `}`)})
	if err != nil {
		t.Fatal(err)
	}
}

func line(text string) Event { return Event{Type: Function, Record: text} }

func (r *receiver) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := cmp.Diff(want, r.batches); d != "" {
		t.Errorf("batches (-want +got):\n%s", d)
	}
}

func TestBatchIsSentWhenItIsOldEnoughAndWithWhatCameBeforeTheSubscription(t *testing.T) {
	onHub(t, func(t *testing.T, h *Hub, r *receiver) {
		h.Publish(Event{Type: "platform.initStart", Record: map[string]any{}})
		h.Publish(line("not wanted"))
		subscribe(t, h, `"types":["platform"],"buffering":{"timeoutMs":500}`)
		time.Sleep(499 * time.Millisecond)
		r.want(t)
		time.Sleep(time.Millisecond)
		r.want(t, "+500ms platform.initStart platform.telemetrySubscription")
	})
}

func TestFullBatchIsSentAtOnce(t *testing.T) {
	onHub(t, func(t *testing.T, h *Hub, r *receiver) {
		subscribe(t, h, `"types":["function"],"buffering":{"maxItems":1000,"timeoutMs":30000}`)
		for range 1001 {
			h.Publish(line("x"))
		}
		r.want(t, "+0s "+strings.TrimSuffix(strings.Repeat("function:x ", 1000), " "))
		h.Flush(t.Context())
		r.want(t, "+0s "+strings.TrimSuffix(strings.Repeat("function:x ", 1000), " "), "+0s function:x")
	})
}

func TestRefusedBatchIsSentAgain(t *testing.T) {
	onHub(t, func(t *testing.T, h *Hub, r *receiver) {
		r.refuse = 2
		subscribe(t, h, `"types":["function"],"buffering":{"timeoutMs":25}`)
		h.Publish(line("x"))
		time.Sleep(time.Second)
		r.want(t, "+175ms function:x") // 25 ms, and 50 and 100 ms later
	})
}

// TestWhatABufferCannotTakeIsCounted fills a buffer, which holds four batches, while a fifth one is on its way to a receiver that does not take it.
func TestWhatABufferCannotTakeIsCounted(t *testing.T) {
	onHub(t, func(t *testing.T, h *Hub, r *receiver) {
		r.silent = true
		subscribe(t, h, `"types":["function"],"buffering":{"maxItems":1000,"timeoutMs":25}`)
		publish := func(n int) {
			for range n {
				h.Publish(line("x"))
			}
		}
		publish(1000)
		synctest.Wait() // that batch has left the buffer
		publish(4000 + 17)
		r.mu.Lock()
		r.silent = false
		r.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		h.Flush(ctx)
		lines, dropped := 0, []string(nil)
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, b := range r.batches {
			lines += strings.Count(b, "function:x")
			for _, e := range strings.Fields(b) {
				if strings.HasPrefix(e, "platform.logsDropped") {
					dropped = append(dropped, e)
				}
			}
		}
		if want := []string{"platform.logsDropped:17"}; lines != 5000 || !slices.Equal(dropped, want) {
			t.Errorf("%d lines came, and %v, want 5000 and %v", lines, dropped, want)
		}
	})
}

func TestFlushDoesNotWaitForAReceiverThatIsGone(t *testing.T) {
	onHub(t, func(t *testing.T, h *Hub, r *receiver) {
		r.silent = true
		subscribe(t, h, `"types":["function"]`)
		h.Publish(line("x"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		h.Flush(ctx)
		if d := time.Since(r.began); d != time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

func TestLogsAPIHasItsOwnEventsAndSpeaksTCP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		h := NewHub(clock.System{})
		h.Attach(func(uint16) (net.Conn, error) { return near, nil })
		defer h.Close()
		body := `{"schemaVersion":"2021-03-18","types":["platform","function"],"buffering":{"timeoutMs":25},"destination":{"protocol":"TCP","port":4243}}`
		if err := h.Subscribe(Request{Extension: "e", Logs: true, Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
		for _, e := range []Event{
			{Type: "platform.initStart", Record: map[string]any{"phase": "init"}},
			{Type: "platform.start", Record: map[string]any{"requestId": "1", "version": "2", "tracing": 1}},
			{Type: Function, Record: "said\n"},
			{Type: "platform.runtimeDone", Record: map[string]any{"requestId": "1", "status": "success", "metrics": 1}},
			{Type: "platform.report", Record: map[string]any{"requestId": "1", "status": "success", "metrics": map[string]any{"durationMs": 1.5}}},
		} {
			e.Time = now
			h.Publish(e)
		}
		in := bufio.NewReader(far)
		var got []string
		for range 6 {
			text, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, strings.TrimPrefix(strings.TrimSpace(text), `{"time":"2026-01-02T03:04:05.006Z",`))
		}
		want := []string{
			`{"time":"2000-01-01T00:00:00.000Z","type":"platform.logsSubscription","record":{"name":"e","state":"Subscribed","types":["platform","function"]}}`,
			`"type":"platform.start","record":{"requestId":"1","version":"2"}}`,
			`"type":"function","record":"said\n"}`,
			`"type":"platform.runtimeDone","record":{"requestId":"1","status":"success"}}`,
			`"type":"platform.end","record":{"requestId":"1"}}`,
			`"type":"platform.report","record":{"metrics":{"durationMs":1.5},"requestId":"1"}}`,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
	})
}

func TestSubscriptionIsTakenDuringTheInitialisationOnly(t *testing.T) {
	onHub(t, func(t *testing.T, h *Hub, _ *receiver) {
		h.Seal()
		if err := h.Subscribe(Request{Extension: "e", Body: []byte(`{"schemaVersion":"2022-07-01","types":["function"],` + toHTTP + `}`)}); !errors.Is(err, ErrClosed) {
			t.Errorf("after the initialisation: %v", err)
		}
	})
	h := NewHub(clock.System{})
	if err := h.Subscribe(Request{Extension: "e", Body: []byte(`{"schemaVersion":"2022-07-01","types":["function"],` + toHTTP + `}`)}); !errors.Is(err, ErrNoNetwork) {
		t.Errorf("without connections into the sandbox: %v", err)
	}
}

func TestSubscriptionThatIsWrongIsRefusedByName(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                             "not JSON of the expected form",
		`{"schemaVersion":"2020-01-01"}`: "schemaVersion",
		`{"schemaVersion":"2022-07-01"}`: "types is missing",
		`{"schemaVersion":"2022-07-01","types":["all"]}`:                    `"all"`,
		`{"schemaVersion":"2022-07-01","types":["function"]}`:               "destination.protocol",
		good(`"buffering":{"maxItems":999}`, toHTTP):                        "maxItems is 999",
		good(`"buffering":{"maxBytes":1}`, toHTTP):                          "maxBytes is 1",
		good(`"buffering":{"timeoutMs":24}`, toHTTP):                        "timeoutMs is 24",
		good(`"destination":{"protocol":"HTTP"}`):                           "the port 0",
		good(`"destination":{"protocol":"HTTP","URI":"http://x:1"}`):        "http://sandbox.localdomain:PORT",
		good(`"destination":{"protocol":"HTTP","URI":"http://sandbox"}`):    "has no port",
		good(`"destination":{"protocol":"TCP","port":9001}`):                "not 9001",
		good(`"destination":{"protocol":"HTTP","port":1,"method":"PUT"}`):   "destination.method",
		good(`"destination":{"protocol":"HTTP","port":1,"encoding":"XML"}`): "destination.encoding",
	} {
		if _, err := parse(Request{Body: []byte(text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func good(more ...string) string {
	return `{"schemaVersion":"2022-07-01","types":["function"],` + strings.Join(more, ",") + `}`
}

func FuzzSubscription(f *testing.F) {
	f.Add([]byte(good(toHTTP)), false)
	f.Add([]byte(`{"types":["platform"],"destination":{"protocol":"TCP","port":1}}`), true)
	f.Fuzz(func(t *testing.T, body []byte, logs bool) {
		s, err := parse(Request{Body: body, Logs: logs})
		if err == nil && (s.port == 0 || s.port == reservedPort || len(s.types) == 0 || s.items < minItems || s.bytes < minBytes) {
			t.Errorf("taken: %s as %+v", body, s)
		}
	})
}
