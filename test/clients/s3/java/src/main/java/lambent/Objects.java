package lambent;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Executors;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.async.AsyncRequestBody;
import software.amazon.awssdk.core.async.AsyncResponseTransformer;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.protocols.jsoncore.JsonNode;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.ChecksumAlgorithm;
import software.amazon.awssdk.services.s3.model.NoSuchBucketException;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;
import software.amazon.awssdk.transfer.s3.S3TransferManager;

/** Uses objects through the synchronous client, the transfer manager on Netty and on the common runtime, and presigned requests. Prints ok. */
public final class Objects {
  private final List<String> keys;
  private final String bucket;
  private final S3Client client;

  private Objects(List<String> keys, String bucket, S3Client client) {
    this.keys = keys;
    this.bucket = bucket;
    this.client = client;
  }

  private static void check(boolean good, String what) {
    if (!good) throw new AssertionError(what);
  }

  /** Lets the names of buckets lead to this machine, as with DNS. To be called before the first look-up. */
  private static void resolve(int buckets) throws IOException {
    var hosts = new StringBuilder("127.0.0.1 localhost s3.localhost");
    for (int n = 0; n < buckets; n++) hosts.append(" java-").append(n).append(".s3.localhost");
    Path file = Files.createTempFile("hosts", "");
    Files.writeString(file, hosts + "\n");
    file.toFile().deleteOnExit();
    System.setProperty("jdk.net.hosts.file", file.toString());
  }

  private static TrustManager[] trusting(Path certificate) throws Exception {
    var store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null);
    try (var in = Files.newInputStream(certificate)) {
      store.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    return factory.getTrustManagers();
  }

  private void objects() {
    for (String key : keys) {
      int length = key.getBytes(StandardCharsets.UTF_8).length;
      String copy = "copies/" + key.substring(0, Math.min(key.length(), 1000));
      client.putObject(r -> r.bucket(bucket).key(key).metadata(Map.of("of-key", "value")), RequestBody.fromString(key));
      var got = client.getObjectAsBytes(r -> r.bucket(bucket).key(key));
      check(got.asUtf8String().equals(key) && got.response().metadata().equals(Map.of("of-key", "value")), "get of " + key);
      check(client.getObjectAsBytes(r -> r.bucket(bucket).key(key).range("bytes=0-0")).asByteArray().length == 1, "range of " + key);
      client.copyObject(r -> r.sourceBucket(bucket).sourceKey(key).destinationBucket(bucket).destinationKey(copy));
      check(client.headObject(r -> r.bucket(bucket).key(copy)).contentLength() == length, "head of the copy of " + key);
    }
    var listed = new ArrayList<String>();
    client.listObjectsV2Paginator(r -> r.bucket(bucket).maxKeys(4)).contents().forEach(o -> { if (!o.key().startsWith("copies/")) listed.add(o.key()); });
    var want = new ArrayList<>(keys);
    want.sort((a, b) -> Arrays.compareUnsigned(a.getBytes(StandardCharsets.UTF_8), b.getBytes(StandardCharsets.UTF_8)));
    check(listed.equals(want), "listed " + listed);
  }

  private void parts(S3AsyncClient async, ChecksumAlgorithm algorithm) {
    byte[] large = new byte[20 << 20];
    new Random(1).nextBytes(large);
    var threads = Executors.newCachedThreadPool();
    try (var manager = S3TransferManager.builder().s3Client(async).build()) {
      manager.upload(u -> u.putObjectRequest(r -> r.bucket(bucket).key("large/🦉").checksumAlgorithm(algorithm))
          .requestBody(AsyncRequestBody.fromInputStream(new ByteArrayInputStream(large), (long) large.length, threads))).completionFuture().join();
      manager.upload(u -> u.putObjectRequest(r -> r.bucket(bucket).key("large/unknown").checksumAlgorithm(algorithm))
          .requestBody(AsyncRequestBody.fromPublisher(subscriber -> AsyncRequestBody.fromByteBuffer(ByteBuffer.wrap(large)).subscribe(subscriber)))).completionFuture().join();
      var back = manager.download(software.amazon.awssdk.transfer.s3.model.DownloadRequest.builder().getObjectRequest(r -> r.bucket(bucket).key("large/🦉"))
          .responseTransformer(AsyncResponseTransformer.toBytes()).build()).completionFuture().join().result();
      check(Arrays.equals(back.asByteArray(), large), "download");
      manager.copy(c -> c.copyObjectRequest(r -> r.sourceBucket(bucket).sourceKey("large/🦉").destinationBucket(bucket).destinationKey("large/copy"))).completionFuture().join();
      check(client.getObjectAsBytes(r -> r.bucket(bucket).key("large/copy")).asByteArray().length == large.length, "copy");
    } finally {
      threads.shutdown();
    }
  }

  private static int send(String method, URL url, Map<String, List<String>> headers, byte[] body) throws IOException {
    var connection = (HttpURLConnection) url.openConnection();
    connection.setRequestMethod(method);
    headers.forEach((name, values) -> { if (!name.equals("host")) connection.setRequestProperty(name, values.get(0)); });
    if (body != null) {
      connection.setDoOutput(true);
      connection.getOutputStream().write(body);
    }
    return connection.getResponseCode();
  }

  private void presigned(S3Presigner presigner) throws IOException {
    for (String of : keys) {
      if (of.length() == 1024) continue;
      String key = "url/" + of;
      byte[] body = key.getBytes(StandardCharsets.UTF_8);
      var put = presigner.presignPutObject(p -> p.signatureDuration(java.time.Duration.ofMinutes(1))
          .putObjectRequest(r -> r.bucket(bucket).key(key).contentType("image/png").ifNoneMatch("*")));
      check(send("PUT", put.url(), put.signedHeaders(), body) == 200, "presigned put of " + key);
      check(send("PUT", put.url(), put.signedHeaders(), body) == 412, "second presigned put of " + key);
      var get = presigner.presignGetObject(p -> p.signatureDuration(java.time.Duration.ofMinutes(1)).getObjectRequest(r -> r.bucket(bucket).key(key)));
      check(send("GET", get.url(), Map.of(), null) == 200, "presigned get of " + key);
    }
  }

  private void clean() {
    for (var page : client.listObjectsV2Paginator(r -> r.bucket(bucket))) {
      var gone = page.contents().stream().map(o -> ObjectIdentifier.builder().key(o.key()).build()).toList();
      check(client.deleteObjects(r -> r.bucket(bucket).delete(d -> d.objects(gone))).errors().isEmpty(), "errors of a delete");
    }
    client.deleteBucket(r -> r.bucket(bucket));
    try {
      client.headBucket(r -> r.bucket(bucket));
      throw new AssertionError("the bucket is still there");
    } catch (NoSuchBucketException e) {
      check(e.statusCode() == 404, e.toString());
    }
  }

  public static void main(String[] args) throws Exception {
    var given = JsonNode.parser().parse(System.in).asObject();
    var doors = given.get("doors").asArray();
    resolve(doors.size());
    var trusted = trusting(Path.of(given.get("ca").asString()));
    var tls = SSLContext.getInstance("TLS");
    tls.init(null, trusted, null);
    HttpsURLConnection.setDefaultSSLSocketFactory(tls.getSocketFactory());
    var credentials = StaticCredentialsProvider.create(AwsBasicCredentials.create(given.get("key").asString(), given.get("secret").asString()));
    var keys = given.get("keys").asArray().stream().map(JsonNode::asString).toList();
    for (int n = 0; n < doors.size(); n++) {
      var door = doors.get(n).asObject();
      var url = URI.create(door.get("url").asString());
      boolean inPath = door.get("style").asString().equals("path");
      try (var client = S3Client.builder().endpointOverride(url).region(Region.US_EAST_1).credentialsProvider(credentials).forcePathStyle(inPath)
              .httpClientBuilder(Apache5HttpClient.builder().tlsTrustManagersProvider(() -> trusted)).build();
          var async = S3AsyncClient.builder().endpointOverride(url).region(Region.US_EAST_1).credentialsProvider(credentials).forcePathStyle(inPath).multipartEnabled(true)
              .httpClientBuilder(NettyNioAsyncHttpClient.builder().tlsTrustManagersProvider(() -> trusted)).build();
          var presigner = S3Presigner.builder().endpointOverride(url).region(Region.US_EAST_1).credentialsProvider(credentials)
              .serviceConfiguration(S3Configuration.builder().pathStyleAccessEnabled(inPath).build()).build()) {
        var use = new Objects(keys, "java-" + n, client);
        client.createBucket(r -> r.bucket(use.bucket));
        use.objects();
        use.parts(async, null);
        use.parts(async, ChecksumAlgorithm.SHA256);
        if (inPath && url.getScheme().equals("http")) { // the common runtime has a resolver and a store of certificates of its own
          try (var crt = S3AsyncClient.crtBuilder().endpointOverride(url).region(Region.US_EAST_1).credentialsProvider(credentials).forcePathStyle(true).build()) {
            use.parts(crt, null);
          }
        }
        use.presigned(presigner);
        use.clean();
      } catch (Throwable e) {
        System.out.println(door.get("url") + " " + door.get("style"));
        throw e;
      }
    }
    System.out.println("ok");
    System.exit(0);
  }
}
