package sqs

import (
	"strconv"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/sqs"
)

func BenchmarkSend(b *testing.B) {
	h := newHarness(b)
	url := h.create(b, "q", nil)
	body := strings.Repeat("x", 1024)
	b.ReportAllocs()
	for b.Loop() {
		do[api.SendMessageOutput](b, h, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: body})
	}
}

// BenchmarkReceiveAndDelete works on ten messages at a time.
func BenchmarkReceiveAndDelete(b *testing.B) {
	h := newHarness(b)
	url := h.create(b, "q", nil)
	send := &api.SendMessageBatchInput{QueueUrl: url}
	for i := range 10 {
		send.Entries = append(send.Entries, api.SendMessageBatchRequestEntry{Id: strconv.Itoa(i), MessageBody: strings.Repeat("x", 1024)})
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		do[api.SendMessageBatchOutput](b, h, "SendMessageBatch", send)
		b.StartTimer()
		remove := &api.DeleteMessageBatchInput{QueueUrl: url}
		for i, m := range h.receive(b, url, 10, 0) {
			remove.Entries = append(remove.Entries, api.DeleteMessageBatchRequestEntry{Id: strconv.Itoa(i), ReceiptHandle: *m.ReceiptHandle})
		}
		do[api.DeleteMessageBatchOutput](b, h, "DeleteMessageBatch", remove)
	}
}
