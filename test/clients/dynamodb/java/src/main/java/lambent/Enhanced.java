package lambent;

import java.net.URI;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import software.amazon.awssdk.enhanced.dynamodb.DynamoDbEnhancedClient;
import software.amazon.awssdk.enhanced.dynamodb.Expression;
import software.amazon.awssdk.enhanced.dynamodb.Key;
import software.amazon.awssdk.enhanced.dynamodb.TableSchema;
import software.amazon.awssdk.enhanced.dynamodb.extensions.annotations.DynamoDbVersionAttribute;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbBean;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbPartitionKey;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbSecondaryPartitionKey;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbSortKey;
import software.amazon.awssdk.enhanced.dynamodb.model.ConditionCheck;
import software.amazon.awssdk.enhanced.dynamodb.model.QueryConditional;
import software.amazon.awssdk.enhanced.dynamodb.model.TransactWriteItemsEnhancedRequest;
import software.amazon.awssdk.enhanced.dynamodb.model.WriteBatch;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.ConditionalCheckFailedException;
import software.amazon.awssdk.services.dynamodb.model.TransactionCanceledException;

/** Uses beans, a version attribute, an index, a batch and a transaction of the enhanced client. Prints ok. */
public final class Enhanced {
  @DynamoDbBean
  public static class Order {
    private String customer;
    private Integer number;
    private String state;
    private Set<String> tags;
    private List<Map<String, String>> lines;
    private Instant made;
    private Long version;

    @DynamoDbPartitionKey
    public String getCustomer() { return customer; }
    public void setCustomer(String v) { customer = v; }
    @DynamoDbSortKey
    public Integer getNumber() { return number; }
    public void setNumber(Integer v) { number = v; }
    @DynamoDbSecondaryPartitionKey(indexNames = "by-state")
    public String getState() { return state; }
    public void setState(String v) { state = v; }
    public Set<String> getTags() { return tags; }
    public void setTags(Set<String> v) { tags = v; }
    public List<Map<String, String>> getLines() { return lines; }
    public void setLines(List<Map<String, String>> v) { lines = v; }
    public Instant getMade() { return made; }
    public void setMade(Instant v) { made = v; }
    @DynamoDbVersionAttribute
    public Long getVersion() { return version; }
    public void setVersion(Long v) { version = v; }
  }

  static Order order(String customer, int number, String state) {
    Order o = new Order();
    o.setCustomer(customer);
    o.setNumber(number);
    o.setState(state);
    return o;
  }

  static void check(boolean good, String what) {
    if (!good) throw new AssertionError(what);
  }

  public static void main(String[] args) {
    try (DynamoDbClient client = DynamoDbClient.builder().endpointOverride(URI.create(System.getenv("AWS_ENDPOINT_URL"))).build()) {
      var db = DynamoDbEnhancedClient.builder().dynamoDbClient(client).build();
      var table = db.table("java-orders", TableSchema.fromBean(Order.class));
      table.createTable();
      client.waiter().waitUntilTableExists(b -> b.tableName("java-orders"));

      Order first = order("ann", 1, "open");
      first.setTags(Set.of("a", "b"));
      first.setLines(List.of(Map.of("sku", "x")));
      first.setMade(Instant.parse("2026-11-30T00:00:00Z"));
      table.putItem(first);
      Order read = table.getItem(r -> r.key(Key.builder().partitionValue("ann").sortValue(1).build()).consistentRead(true));
      check(read.getTags().equals(first.getTags()) && read.getLines().equals(first.getLines()) && read.getMade().equals(first.getMade()), "read an item that is not what was written");
      long version = read.getVersion();
      read.setState("paid");
      check(table.updateItem(read).getVersion() == version + 1, "the version did not grow");
      try {
        table.updateItem(read);
        throw new AssertionError("a stale version was written");
      } catch (ConditionalCheckFailedException e) {
        check(e.awsErrorDetails().errorCode().equals("ConditionalCheckFailedException"), e.toString());
      }

      for (int i = 0; i < 25; i++) table.putItem(order("bob", i, i % 2 == 0 ? "open" : "paid"));
      var batch = WriteBatch.builder(Order.class).mappedTableResource(table).addDeleteItem(order("bob", 23, null)).addDeleteItem(order("bob", 24, null)).build();
      check(db.batchWriteItem(r -> r.addWriteBatch(batch)).unprocessedDeleteItemsForTable(table).isEmpty(), "items were not processed");
      var between = QueryConditional.sortBetween(Key.builder().partitionValue("bob").sortValue(5).build(), Key.builder().partitionValue("bob").sortValue(14).build());
      var filter = Expression.builder().expression("#s = :s").putExpressionName("#s", "state").putExpressionValue(":s", AttributeValue.fromS("open")).build();
      check(table.query(r -> r.queryConditional(between).filterExpression(filter).limit(3)).items().stream().count() == 5, "the query found something else");
      check(table.index("by-state").query(QueryConditional.keyEqualTo(k -> k.partitionValue("open"))).stream().mapToLong(p -> p.items().size()).sum() == 12, "the index holds something else");

      try {
        db.transactWriteItems(TransactWriteItemsEnhancedRequest.builder().addDeleteItem(table, order("bob", 1, null))
            .addConditionCheck(table, ConditionCheck.builder().key(Key.builder().partitionValue("no").sortValue(1).build())
                .conditionExpression(Expression.builder().expression("attribute_exists(customer)").build()).build()).build());
        throw new AssertionError("the transaction was made");
      } catch (TransactionCanceledException e) {
        check(e.cancellationReasons().get(1).code().equals("ConditionalCheckFailed"), e.toString());
      }
      table.deleteTable();
    }
    System.out.println("ok");
  }
}
