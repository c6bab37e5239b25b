package sqs

import (
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/test/metertest"
)

func TestMessagesAreCounted(t *testing.T) {
	h := newHarness(t)
	url := h.create(t, "q", nil)
	do[api.SendMessageOutput](t, h, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: "four"})
	do[api.SendMessageBatchOutput](t, h, "SendMessageBatch", &api.SendMessageBatchInput{QueueUrl: url, Entries: []api.SendMessageBatchRequestEntry{
		{Id: "a", MessageBody: "123456"}, {Id: "b", MessageBody: "x", DelaySeconds: new(int32(60))},
	}})
	receive := func() []api.Message {
		return do[api.ReceiveMessageOutput](t, h, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: new(int32(10))}).Messages
	}
	got := receive()
	receive()
	for range 2 { // the second deletes what is gone, which counts
		do[api.DeleteMessageOutput](t, h, "DeleteMessage", &api.DeleteMessageInput{QueueUrl: url, ReceiptHandle: *got[0].ReceiptHandle})
	}
	h.clock.Advance(5 * time.Second)
	h.impl.sample(h.ctx, h.clock.Now())
	const q = " QueueName=q"
	metertest.Await(t, &h.meters, map[string]string{
		"NumberOfMessagesSent" + q: "3/3", "SentMessageSize" + q: "11/3", "NumberOfMessagesReceived" + q: "2/1", "NumberOfEmptyReceives" + q: "1/2",
		"NumberOfMessagesDeleted" + q: "2/2", "ApproximateNumberOfMessagesVisible" + q: "0/1", "ApproximateNumberOfMessagesDelayed" + q: "1/1",
		"ApproximateNumberOfMessagesNotVisible" + q: "1/1", "ApproximateAgeOfOldestMessage" + q: "5/1",
	})
}

func TestMessagesThatAreThereAreNotSentAgain(t *testing.T) {
	h := newHarness(t)
	url := h.create(t, "q.fifo", map[string]string{"FifoQueue": "true"})
	for range 2 {
		do[api.SendMessageOutput](t, h, "SendMessage", &api.SendMessageInput{
			QueueUrl: url, MessageBody: "one", MessageGroupId: new("g"), MessageDeduplicationId: new("d"),
		})
	}
	metertest.Await(t, &h.meters, map[string]string{"NumberOfMessagesSent QueueName=q.fifo": "1/1", "NumberOfDeduplicatedSentMessages QueueName=q.fifo": "1/1"})
}

func TestQueuesThatNobodyUsesAreNotMeasured(t *testing.T) {
	h := newHarness(t)
	url := h.create(t, "q", nil)
	do[api.SendMessageOutput](t, h, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: "x"})
	used := h.clock.Now()
	for _, after := range []time.Duration{0, activeFor - time.Minute, activeFor, 24 * time.Hour} {
		h.impl.sample(h.ctx, used.Add(after))
	}
	metertest.Await(t, &h.meters, map[string]string{"ApproximateNumberOfMessagesVisible QueueName=q": "2/2"})
}
