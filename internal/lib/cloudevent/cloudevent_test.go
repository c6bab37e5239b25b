package cloudevent_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/lib/cloudevent"
)

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestEventsAreReadInEveryMode(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header http.Header
		body   string
		want   string // events in the JSON format, joined by blanks
	}{
		{
			"structured", header("Content-Type", "application/cloudevents+json; charset=utf-8"),
			`{"type":"t","specversion":"1.0","source":"/s","id":"1","n":3,"b":true,"none":null,"time":"2026-11-30T03:00:00.5Z","data":{"a":1}}`,
			`{"specversion":"1.0","id":"1","source":"/s","type":"t","b":true,"n":3,"time":"2026-11-30T03:00:00.5Z","data":{"a":1}}`,
		},
		{
			"batch", header("Content-Type", "application/cloudevents-batch+json"),
			`[{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AQI="},{"specversion":"1.0","id":"2","source":"/s","type":"t"}]`,
			`{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AQI="} {"specversion":"1.0","id":"2","source":"/s","type":"t"}`,
		},
		{
			"binary JSON", header("Content-Type", "application/json", "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", "t", "ce-subject", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
			`{"a":1}`, `{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"application/json","subject":"Euro € 😀","data":{"a":1}}`,
		},
		{
			"binary text", header("Content-Type", "text/plain", "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", `"quoted \" text"`),
			`hello`, `{"specversion":"1.0","id":"1","source":"/s","type":"quoted \" text","datacontenttype":"text/plain","data":"hello"}`,
		},
		{
			"binary bytes", header("Content-Type", "image/png", "ce-specversion", "1.0", "ce-id", "50%", "ce-source", "/s", "ce-type", "t"),
			"\x89P", `{"specversion":"1.0","id":"50%","source":"/s","type":"t","datacontenttype":"image/png","data_base64":"iVA="}`,
		},
		{
			"binary without data", header("ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", "t"),
			"", `{"specversion":"1.0","id":"1","source":"/s","type":"t"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			events, err := cloudevent.Read(tc.header, []byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range events {
				got = append(got, string(e.JSON()))
				h := http.Header{}
				body := e.WriteBinary(h)
				again, err := cloudevent.Read(h, body)
				if err != nil {
					t.Fatalf("read what was written: %v", err)
				}
				if e.Data != nil && e.Get("datacontenttype") == "" {
					continue // the binary mode names the type
				}
				for name := range e.Attributes { // the binary mode has no types
					if e.Get(name) == "" {
						e.Set(name, string(e.Attributes[name]))
					}
				}
				if diff := cmp.Diff(string(e.JSON()), string(again[0].JSON())); diff != "" {
					t.Errorf("another event after a round trip: %s", diff)
				}
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBrokenEventsAreRefused(t *testing.T) {
	structured := header("Content-Type", "application/cloudevents+json")
	for _, tc := range []struct {
		header     http.Header
		body, want string
	}{
		{header("Content-Type", "application/json"), `{}`, "neither the media type"},
		{header("Content-Type", ";"), `{}`, "Content-Type cannot be read"},
		{header("Content-Type", "application/cloudevents+avro"), `{}`, "are not read"},
		{structured, `[]`, "not a JSON object"},
		{structured, `{"specversion":"0.3","id":"1","source":"s","type":"t"}`, "specversion must be 1.0"},
		{structured, `{"specversion":"1.0","source":"s","type":"t"}`, "attribute id"},
		{structured, `{"specversion":"1.0","id":"1","source":"s","type":"t","Upper":"x"}`, "lower-case"},
		{structured, `{"specversion":"1.0","id":"1","source":"s","type":"t","x":{}}`, "must be a text"},
		{structured, `{"specversion":"1.0","id":"1","source":"s","type":"t","time":"today"}`, "RFC 3339"},
		{structured, `{"specversion":"1.0","id":"1","source":"s","type":"t","data":1,"data_base64":""}`, "not both"},
		{structured, `{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"?"}`, "base64"},
		{header("Content-Type", "application/cloudevents-batch+json"), `[{}]`, "event 0"},
		{header("ce-specversion", "1.0", "ce-id", "%FF", "ce-source", "s", "ce-type", "t"), ``, "UTF-8"},
	} {
		if _, err := cloudevent.Read(tc.header, []byte(tc.body)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v %s: %v, want %q", tc.header, tc.body, err, tc.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("application/cloudevents+json", "x", `{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":[1]}}`)
	f.Add("text/plain", "a%20b", "text")
	f.Fuzz(func(t *testing.T, kind, subject, body string) {
		h := header("Content-Type", kind, "ce-specversion", "1.0", "ce-id", "1", "ce-source", "s", "ce-type", "t", "ce-subject", subject)
		events, err := cloudevent.Read(h, []byte(body))
		if err != nil {
			return
		}
		for _, e := range events {
			if again, err := cloudevent.Parse(e.JSON()); err != nil || string(again.JSON()) != string(e.JSON()) {
				t.Errorf("%s is read as another event: %v", e.JSON(), err)
			}
		}
	})
}
