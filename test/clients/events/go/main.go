// Command go uses a FIFO queue and a data stream with enhanced fan-out through the AWS SDK for Go v2.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	streams "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	queues "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func run(ctx context.Context) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	if err := order(ctx, sqs.NewFromConfig(cfg)); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	if err := fanOut(ctx, kinesis.NewFromConfig(cfg)); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	return nil
}

// order sends twenty messages in two groups, each twice, and receives each once and in order.
func order(ctx context.Context, c *sqs.Client) error {
	q, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("go.fifo"), Attributes: map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"}})
	if err != nil {
		return err
	}
	for range 2 {
		for i := range 20 {
			if _, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.QueueUrl, MessageBody: aws.String(strconv.Itoa(i)), MessageGroupId: aws.String(strconv.Itoa(i % 2))}); err != nil {
				return err
			}
		}
	}
	got := map[string][]int{}
	for n := 0; n < 20; {
		out, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: q.QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, MessageSystemAttributeNames: []queues.MessageSystemAttributeName{"All"}})
		if err != nil {
			return err
		}
		if len(out.Messages) == 0 {
			return fmt.Errorf("the queue is empty after %d messages", n)
		}
		for _, m := range out.Messages {
			i, err := strconv.Atoi(*m.Body)
			if err != nil {
				return err
			}
			got[m.Attributes["MessageGroupId"]] = append(got[m.Attributes["MessageGroupId"]], i)
			if _, err := c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: q.QueueUrl, ReceiptHandle: m.ReceiptHandle}); err != nil {
				return err
			}
			n++
		}
	}
	for group, all := range got {
		if len(all) != 10 || !slices.IsSorted(all) {
			return fmt.Errorf("group %s came as %v", group, all)
		}
	}
	return nil
}

// fanOut reads a shard by SubscribeToShard.
func fanOut(ctx context.Context, c *kinesis.Client) error {
	name := aws.String("go")
	if _, err := c.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1)}); err != nil {
		return err
	}
	if err := kinesis.NewStreamExistsWaiter(c).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: name}, time.Minute); err != nil {
		return err
	}
	d, err := c.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name})
	if err != nil {
		return err
	}
	consumer, err := c.RegisterStreamConsumer(ctx, &kinesis.RegisterStreamConsumerInput{ConsumerName: aws.String("c"), StreamARN: d.StreamDescriptionSummary.StreamARN})
	if err != nil {
		return err
	}
	for i := range 50 {
		if _, err := c.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), Data: []byte(strconv.Itoa(i))}); err != nil {
			return err
		}
	}
	out, err := c.SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{
		ConsumerARN: consumer.Consumer.ConsumerARN, ShardId: aws.String("shardId-000000000000"), StartingPosition: &streams.StartingPosition{Type: streams.ShardIteratorTypeTrimHorizon},
	})
	if err != nil {
		return err
	}
	stream := out.GetStream()
	defer stream.Close()
	n := 0
	for event := range stream.Events() {
		e, ok := event.(*streams.SubscribeToShardEventStreamMemberSubscribeToShardEvent)
		if !ok {
			continue
		}
		for _, r := range e.Value.Records {
			if string(r.Data) != strconv.Itoa(n) {
				return fmt.Errorf("record %d is %s", n, r.Data)
			}
			n++
		}
		if n == 50 {
			return nil
		}
	}
	return fmt.Errorf("the subscription ended after %d records: %w", n, stream.Err())
}
