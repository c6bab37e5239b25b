package lambent;

import io.awspring.cloud.sqs.listener.SqsMessageListenerContainer;
import io.awspring.cloud.sqs.operations.SqsTemplate;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.eventbridge.EventBridgeClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.sns.SnsClient;
import software.amazon.awssdk.services.sqs.SqsAsyncClient;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;

/** Queues through Spring Cloud AWS, fed by its template, a topic and a bus; and a data stream over CBOR. */
public final class Events {
  private Events() {}

  /** Runs the program. */
  public static void main(String[] args) throws Exception {
    queues();
    stream();
    System.out.println("ok");
  }

  private static void queues() throws Exception {
    SqsAsyncClient sqs = SqsAsyncClient.create();
    String url = sqs.createQueue(b -> b.queueName("spring")).join().queueUrl();
    String arn = sqs.getQueueAttributes(b -> b.queueUrl(url).attributeNames(QueueAttributeName.QUEUE_ARN)).join().attributes().get(QueueAttributeName.QUEUE_ARN);
    String policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":[\"sns.amazonaws.com\",\"events.amazonaws.com\"]},"
        + "\"Action\":\"sqs:SendMessage\",\"Resource\":\"" + arn + "\"}]}";
    sqs.setQueueAttributes(b -> b.queueUrl(url).attributes(Map.of(QueueAttributeName.POLICY, policy))).join();

    BlockingQueue<String> got = new LinkedBlockingQueue<>();
    Set<String> seen = ConcurrentHashMap.newKeySet();
    AtomicInteger refused = new AtomicInteger();
    SqsMessageListenerContainer<Object> container = SqsMessageListenerContainer.builder()
        .sqsAsyncClient(sqs)
        .queueNames("spring")
        .configure(o -> o.pollTimeout(Duration.ofSeconds(2)).messageVisibility(Duration.ofSeconds(1)))
        .messageListener(m -> {
          String body = m.getPayload().toString();
          if (body.equals("again") && refused.getAndIncrement() == 0) {
            throw new IllegalStateException("once");
          }
          if (seen.add(body)) { // a queue delivers once at least: again when the container was slower than the visibility timeout
            got.add(body);
          }
        })
        .build();
    container.start();
    try {
      SqsTemplate template = SqsTemplate.newTemplate(sqs);
      template.send(to -> to.queue("spring").payload("direct"));
      want(got, "direct");
      template.send(to -> to.queue("spring").payload("again"));
      want(got, "again");
      try (SnsClient sns = SnsClient.create(); EventBridgeClient events = EventBridgeClient.create()) {
        String topic = sns.createTopic(b -> b.name("spring")).topicArn();
        sns.subscribe(b -> b.topicArn(topic).protocol("sqs").endpoint(arn).attributes(Map.of("RawMessageDelivery", "true")));
        sns.publish(b -> b.topicArn(topic).message("published"));
        want(got, "published");
        events.putRule(b -> b.name("spring").eventPattern("{\"source\":[\"spring\"]}"));
        events.putTargets(b -> b.rule("spring").targets(t -> t.id("q").arn(arn).inputPath("$.detail.text")));
        events.putEvents(b -> b.entries(e -> e.source("spring").detailType("t").detail("{\"text\":\"routed\"}")));
        want(got, "\"routed\"");
      }
    } finally {
      container.stop();
    }
  }

  private static void want(BlockingQueue<String> got, String body) throws InterruptedException {
    String found = got.poll(30, TimeUnit.SECONDS);
    if (!body.equals(found)) {
      throw new AssertionError("received " + found + ", want " + body);
    }
  }

  private static void stream() {
    try (KinesisClient kinesis = KinesisClient.create()) {
      kinesis.createStream(b -> b.streamName("s").shardCount(1));
      kinesis.waiter().waitUntilStreamExists(b -> b.streamName("s"));
      byte[] data = {0, 1, (byte) 0xff};
      String sequence = kinesis.putRecord(b -> b.streamName("s").partitionKey("k").data(SdkBytes.fromByteArray(data))).sequenceNumber();
      String iterator = kinesis.getShardIterator(b -> b.streamName("s").shardId("shardId-000000000000").shardIteratorType(ShardIteratorType.TRIM_HORIZON)).shardIterator();
      var records = kinesis.getRecords(b -> b.shardIterator(iterator)).records();
      if (records.size() != 1 || !records.get(0).sequenceNumber().equals(sequence) || !java.util.Arrays.equals(records.get(0).data().asByteArray(), data)) {
        throw new AssertionError("read " + records);
      }
    }
  }
}
