package lambent;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.ScalingType;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.KinesisClientUtil;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/** Reads a stream with the Kinesis Client Library through a resharding, and ends when it has seen every record once. */
public final class Consumer {
  static final int RECORDS = 60;
  static final Map<String, String> seen = new ConcurrentHashMap<>();
  static final Set<String> ended = ConcurrentHashMap.newKeySet();
  static final CountDownLatch all = new CountDownLatch(1);

  static final class Reader implements ShardRecordProcessor {
    private String shard;

    @Override
    public void initialize(InitializationInput in) {
      shard = in.shardId();
    }

    @Override
    public void processRecords(ProcessRecordsInput in) {
      in.records().forEach(r -> {
        String data = StandardCharsets.UTF_8.decode(r.data()).toString();
        if (!data.equals("data of " + r.partitionKey())) {
          System.err.println("record " + r.partitionKey() + " has the data " + data);
          System.exit(1);
        }
        String before = seen.put(r.partitionKey(), shard);
        if (before != null) {
          System.err.println("record " + r.partitionKey() + " came from " + before + " and again from " + shard);
          System.exit(1);
        }
      });
      try {
        in.checkpointer().checkpoint();
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
      if (seen.size() == RECORDS) all.countDown();
    }

    @Override
    public void leaseLost(LeaseLostInput in) {}

    @Override
    public void shardEnded(ShardEndedInput in) {
      try {
        in.checkpointer().checkpoint();
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
      ended.add(shard);
    }

    @Override
    public void shutdownRequested(ShutdownRequestedInput in) {}
  }

  public static void main(String[] args) throws Exception {
    URI endpoint = URI.create(args[0]);
    boolean polling = args[1].equals("polling");
    String stream = args[1];
    var credentials = StaticCredentialsProvider.create(AwsBasicCredentials.create(args[2], args[3]));
    var kinesis = KinesisClientUtil.createKinesisAsyncClient(
        KinesisAsyncClient.builder().endpointOverride(endpoint).region(Region.US_EAST_1).credentialsProvider(credentials));
    var tables = DynamoDbAsyncClient.builder().endpointOverride(endpoint).region(Region.US_EAST_1).credentialsProvider(credentials).build();
    var metrics = CloudWatchAsyncClient.builder().endpointOverride(endpoint).region(Region.US_EAST_1).credentialsProvider(credentials).build();
    kinesis.createStream(r -> r.streamName(stream).shardCount(2)).join();
    put(kinesis, stream, 0, RECORDS / 2);

    var config = new ConfigsBuilder(new SingleStreamTracker(stream, InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON)),
        "app-" + stream, kinesis, tables, metrics, "worker", Reader::new);
    var retrieval = config.retrievalConfig();
    if (polling) {
      retrieval = retrieval.retrievalSpecificConfig(new PollingConfig(stream, kinesis));
    }
    var leases = config.leaseManagementConfig().shardSyncIntervalMillis(2000L).failoverTimeMillis(3000L);
    var scheduler = new Scheduler(config.checkpointConfig(), config.coordinatorConfig().parentShardPollIntervalMillis(500L).shardConsumerDispatchPollIntervalMillis(100L),
        leases, config.lifecycleConfig(), config.metricsConfig().metricsFactory(new NullMetricsFactory()), config.processorConfig(), retrieval);
    var thread = new Thread(scheduler, "scheduler");
    thread.setDaemon(true);
    thread.start();

    long end = System.currentTimeMillis() + 90_000;
    while (seen.size() < RECORDS / 2 && System.currentTimeMillis() < end) Thread.sleep(100);
    kinesis.updateShardCount(r -> r.streamName(stream).targetShardCount(3).scalingType(ScalingType.UNIFORM_SCALING)).join();
    put(kinesis, stream, RECORDS / 2, RECORDS);
    if (!all.await(120, TimeUnit.SECONDS)) {
      System.err.println("saw " + seen.size() + " of " + RECORDS + " records; ended are " + ended);
      System.exit(1);
    }
    System.out.println("kcl " + args[1] + ": saw " + seen.size() + " records once, the shards " + ended + " ended");
    System.exit(0);
  }

  private static void put(KinesisAsyncClient kinesis, String stream, int from, int to) {
    for (int i = from; i < to; i++) {
      String key = "k" + i;
      kinesis.putRecord(r -> r.streamName(stream).partitionKey(key).data(SdkBytes.fromUtf8String("data of " + key))).join();
    }
  }
}
