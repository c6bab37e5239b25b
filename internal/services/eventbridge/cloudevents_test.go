package eventbridge

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	queueapi "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/lib/cloudevent"
	"lambent.dev/lambent/internal/service"
)

// cloud makes a request to the endpoint for CloudEvents as a user of the account.
func (h *harness) cloud(method, path, body string, header ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.ctx, method, "/"+path, strings.NewReader(body))
	r.RequestURI = "/" + path
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	h.impl.options.Caller = func(r *http.Request, api string, _ []byte) (service.Principal, error) {
		if r.Header.Get("Authorization") != api {
			return service.Principal{}, service.Errorf("AccessDenied", "The test has not signed it.").WithStatus(http.StatusForbidden)
		}
		return service.Principal{Kind: service.User, Account: account, ARN: "arn:aws:iam::" + account + ":user/u"}, nil
	}
	w := httptest.NewRecorder()
	cloudPlane{h.impl}.ServeHTTP(w, r)
	synctest.Wait()
	return w
}

const oneEvent = `{"specversion":"1.0","id":"1","source":"app","type":"t","data":{"n":1}}`

func TestBrokenRequestsForCloudEventsAreRefused(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		bus, queue := "arn:aws:events:eu-west-1:"+account+":event-bus/default", h.queue("q")
		batch := "[" + strings.TrimSuffix(strings.Repeat(oneEvent+",", 11), ",") + "]"
		for _, tc := range []struct {
			method, path, body, kind, signed string
			status                           int
			want                             string
		}{
			{"POST", "orders", oneEvent, cloudevent.MediaType, "events", 400, "with the ARN of an event bus"},
			{"POST", "arn:aws:s3:::b", oneEvent, cloudevent.MediaType, "s3", 400, "with the ARN of an event bus"},
			{"POST", bus, oneEvent, cloudevent.MediaType, "", 403, "AccessDenied"},
			{"POST", bus, oneEvent, cloudevent.MediaType, "sqs", 403, "AccessDenied"},
			{"POST", bus, `{}`, "application/json", "events", 400, "no CloudEvent"},
			{"POST", bus, batch, cloudevent.BatchMediaType, "events", 400, "between 1 and 10"},
			{"POST", bus, `[]`, cloudevent.BatchMediaType, "events", 400, "between 1 and 10"},
			{"POST", bus, strings.Replace(oneEvent, "app", "aws.s3", 1), cloudevent.MediaType, "events", 400, "NotAuthorizedForSource"},
			{"POST", bus, strings.Repeat(" ", maxCloudBody+1), cloudevent.MediaType, "events", 413, "more than"},
			{"GET", bus, "", "", "events", 405, "GET and DELETE take them from a queue"},
			{"GET", queue + "?max=2", "", "", "sqs", 400, "for batches"},
			{"GET", queue + "?wait=x", "", "", "sqs", 400, "whole number"},
			{"DELETE", queue, "", "", "sqs", 400, "must name the receipts"},
			{"DELETE", queue + "?receipt=x", "", "", "sqs", 400, "ReceiptHandleIsInvalid"},
			{"GET", queue + "none", "", "", "sqs", 400, "QueueDoesNotExist"},
		} {
			w := h.cloud(tc.method, tc.path, tc.body, "Content-Type", tc.kind, "Authorization", tc.signed)
			if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) {
				t.Errorf("%s %s: %d %s, want %d %q", tc.method, tc.path, w.Code, w.Body, tc.status, tc.want)
			}
		}
	})
}

func TestBatchOfCloudEventsComesThroughAFIFOQueueInOrder(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		queue := h.queue("q.fifo")
		batch := "[" + oneEvent + "," + strings.Replace(oneEvent, `"id":"1"`, `"id":"2"`, 1) + "," + oneEvent + "]"
		if w := h.cloud("POST", queue, batch, "Content-Type", cloudevent.BatchMediaType, "Authorization", "sqs"); w.Code != 200 || strings.Count(w.Body.String(), `"id"`) != 3 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		w := h.cloud("GET", queue+"?max=10", "", "Accept", "text/html, "+cloudevent.BatchMediaType, "Authorization", "sqs")
		list, err := cloudevent.Read(w.Header(), w.Body.Bytes())
		if err != nil || len(list) != 2 || list[0].ID() != "1" || list[1].ID() != "2" {
			t.Fatalf("%d %s, %v: the event that was sent twice must be there once", w.Code, w.Body, err)
		}
		receipts := w.Header().Values(receiptHeader)
		if w := h.cloud("DELETE", queue+"?receipt="+strings.Join(receipts, "&receipt="), "", "Authorization", "sqs"); w.Code != 204 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w := h.cloud("GET", "sqs/eu-west-1/"+account+"/q.fifo", "", "Authorization", "sqs"); w.Code != 204 {
			t.Errorf("%d %s after all was confirmed", w.Code, w.Body)
		}
	})
}

func TestMessagesThatAreNoCloudEventsBecomeSome(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.queue("q")
		for body, want := range map[string]string{
			`plain text`: `"type":"com.amazonaws.sqs.message","datacontenttype":"text/plain; charset=utf-8","time":"2026-11-29T12:00:00Z","data":"plain text"}`,
			`{"a":1}`:    `"type":"com.amazonaws.sqs.message","datacontenttype":"application/json","time":"2026-11-29T12:00:00Z","data":{"a":1}}`,
			`{"Type":"Notification","MessageId":"m","TopicArn":"arn:t","Subject":"s","Message":"x","Timestamp":"2026-11-29T12:00:00.000Z"}`: `{"specversion":"1.0","id":"m","source":"arn:t",` +
				`"type":"com.amazonaws.sns.Notification","datacontenttype":"text/plain; charset=utf-8","subject":"s","time":"2026-11-29T12:00:00.000Z","data":"x"}`,
			`{"Type":"Notification","TopicArn":"arn:t","Message":"{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",\"type\":\"t\"}"}`: `{"specversion":"1.0","id":"i","source":"s","type":"t"}`,
			`{"version":"0","id":"e","detail-type":"k","source":"app","account":"1","time":"2026-11-29T12:00:00Z","region":"r","resources":["x"],"detail":{"n":1}}`: `{"specversion":"1.0",` +
				`"id":"e","source":"app","type":"k","awsaccount":"1","awsregion":"r","datacontenttype":"application/json","subject":"x","time":"2026-11-29T12:00:00Z","data":{"n":1}}`,
		} {
			if _, err := h.Call(h.ctx, "sqs", "SendMessage", &queueapi.SendMessageInput{QueueUrl: "http://127.0.0.1:4566/" + account + "/q", MessageBody: body}); err != nil {
				t.Fatal(err)
			}
			w := h.cloud("GET", "arn:aws:sqs:eu-west-1:"+account+":q", "", "Accept", cloudevent.MediaType, "Authorization", "sqs")
			if !strings.HasSuffix(w.Body.String(), want) {
				t.Errorf("%s\n got %s\nwant %s", body, w.Body, want)
			}
		}
	})
}

func TestAPIDestinationsGetCloudEventsWhenTheyAskForThem(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		d := h.connect(`{"Name":"c","AuthorizationType":"API_KEY","AuthParameters":{"ApiKeyAuthParameters":{"ApiKeyName":"K","ApiKeyValue":"v"}}}`)
		target := func(header string) string {
			return `{"Id":"d","Arn":"` + d + `","RoleArn":"arn:aws:iam::` + account + `:role/r","HttpParameters":{"PathParameterValues":["p"],"HeaderParameters":{` + header + `}}}`
		}
		h.rule("default", "structured", `{"source":["s"]}`, target(`"Content-Type":"application/cloudevents+json"`))
		h.rule("default", "binary", `{"source":["b"]}`, target(`"ce-specversion":"1.0"`))
		id := h.put("default", "s", `{"n":1}`)
		synctest.Wait()
		want := `{"specversion":"1.0","id":"` + id + `","source":"s","type":"test","awsaccount":"111111111111","awsregion":"eu-west-1","datacontenttype":"application/json","time":"2026-11-29T12:00:00Z","data":{"n":1}}`
		if got := h.endpoint.seen(); len(got) != 1 || !strings.HasSuffix(got[0], want) || !strings.Contains(got[0], "Content-Type: application/cloudevents+json") {
			t.Errorf("structured: %v", got)
		}
		id = h.put("default", "b", `{"n":2}`)
		synctest.Wait()
		got := h.endpoint.seen()
		for _, part := range []string{"Ce-Id: " + id, "Ce-Source: b", "Ce-Type: test", "Content-Type: application/json", `] {"n":2}`} {
			if !slices.ContainsFunc(got, func(r string) bool { return strings.Contains(r, part) }) {
				t.Errorf("binary: %v has no %q", got, part)
			}
		}
	})
}
