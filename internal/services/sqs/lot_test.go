package sqs

import (
	"strconv"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/store"
)

// lots returns how many rows of lots a queue has.
func (h *harness) lots(t *testing.T, name string) (n int) {
	t.Helper()
	err := h.store.View(t.Context(), func(r store.Reader) error {
		n = 0
		q, err := h.impl.get(r, place{"000000000000", "us-east-1"}, name)
		if err != nil {
			return err
		}
		for _, err := range r.Range(q.base("mh").Span()) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// hold receives n messages for a time in seconds.
func (h *harness) hold(t *testing.T, url string, n, timeout int32) []api.Message {
	t.Helper()
	return do[api.ReceiveMessageOutput](t, h, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: &n, VisibilityTimeout: &timeout}).Messages
}

// fill sends n messages to a queue.
func (h *harness) fill(t *testing.T, url string, n int) {
	t.Helper()
	send := &api.SendMessageBatchInput{QueueUrl: url}
	for i := range n {
		send.Entries = append(send.Entries, api.SendMessageBatchRequestEntry{Id: strconv.Itoa(i), MessageBody: strconv.Itoa(i)})
	}
	do[api.SendMessageBatchOutput](t, h, "SendMessageBatch", send)
}

func TestMessagesOfALotComeBackUnlessTheyLeftIt(t *testing.T) {
	for name, timeout := range map[string]int32{"soon due": 30, "due late": 3600} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			url := h.create(t, "q", nil)
			h.fill(t, url, 5)
			got := h.hold(t, url, 5, timeout)
			if len(got) != 5 || h.lots(t, "q") != 1 {
				t.Fatalf("received %d messages in %d lots, want 5 in one", len(got), h.lots(t, "q"))
			}
			do[api.DeleteMessageOutput](t, h, "DeleteMessage", &api.DeleteMessageInput{QueueUrl: url, ReceiptHandle: *got[0].ReceiptHandle})
			do[api.ChangeMessageVisibilityOutput](t, h, "ChangeMessageVisibility", &api.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: *got[1].ReceiptHandle, VisibilityTimeout: 0})
			do[api.ChangeMessageVisibilityOutput](t, h, "ChangeMessageVisibility", &api.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: *got[2].ReceiptHandle, VisibilityTimeout: 2 * timeout})
			if again := h.hold(t, url, 10, 3*timeout); len(again) != 1 || *again[0].MessageId != *got[1].MessageId {
				t.Fatalf("received %d messages, want the one that was made visible", len(again))
			}
			h.advance(time.Duration(timeout) * time.Second)
			if back := h.hold(t, url, 10, 3*timeout); len(back) != 2 || *back[0].MessageId != *got[3].MessageId || *back[1].MessageId != *got[4].MessageId {
				t.Errorf("%d messages came back, want the two that stayed in the lot", len(back))
			}
			h.advance(time.Duration(timeout) * time.Second)
			if back := h.hold(t, url, 10, 3*timeout); len(back) != 1 || *back[0].MessageId != *got[2].MessageId {
				t.Errorf("%d messages came back, want the one whose timeout was extended", len(back))
			}
		})
	}
}

func TestLotsLeaveNothingBehind(t *testing.T) {
	h := newHarness(t)
	url := h.create(t, "q", nil)
	h.fill(t, url, 10)
	for i, m := range h.hold(t, url, 10, 43200) { // one by one, long before they are due
		do[api.DeleteMessageOutput](t, h, "DeleteMessage", &api.DeleteMessageInput{QueueUrl: url, ReceiptHandle: *m.ReceiptHandle})
		if want := min(1, 9-i); h.lots(t, "q") != want {
			t.Fatalf("%d lots after %d deletions, want %d", h.lots(t, "q"), i+1, want)
		}
	}
	h.fill(t, url, 10)
	remove := &api.DeleteMessageBatchInput{QueueUrl: url}
	for i, m := range h.hold(t, url, 10, 30) {
		remove.Entries = append(remove.Entries, api.DeleteMessageBatchRequestEntry{Id: strconv.Itoa(i), ReceiptHandle: *m.ReceiptHandle})
	}
	do[api.DeleteMessageBatchOutput](t, h, "DeleteMessageBatch", remove)
	if n := h.lots(t, "q"); n != 0 {
		t.Errorf("%d lots after a batch was deleted, want none", n)
	}
	h.fill(t, url, 2)
	for _, m := range h.hold(t, url, 2, 30) { // one by one, shortly before they are due
		do[api.DeleteMessageOutput](t, h, "DeleteMessage", &api.DeleteMessageInput{QueueUrl: url, ReceiptHandle: *m.ReceiptHandle})
	}
	h.advance(31 * time.Second)
	if n := h.lots(t, "q"); n != 0 {
		t.Errorf("%d lots after their time, want none", n)
	}
}
