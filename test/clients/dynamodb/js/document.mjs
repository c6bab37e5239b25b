// The document client of the AWS SDK for JavaScript, and ElectroDB on top of it. Prints ok.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const load = createRequire(`${process.env.CLIENTS}/package.json`); // where the packages are installed
const { CreateTableCommand, DynamoDBClient, waitUntilTableExists } = load("@aws-sdk/client-dynamodb");
const { BatchGetCommand, DynamoDBDocumentClient, GetCommand, paginateQuery, PutCommand, TransactWriteCommand, UpdateCommand } = load("@aws-sdk/lib-dynamodb");
const { Entity, Service } = load("electrodb");

const client = new DynamoDBClient({ maxAttempts: 1 });
const doc = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
const TableName = "documents";
const s = (AttributeName) => ({ AttributeName, AttributeType: "S" });
const keys = (pk, sk) => [{ AttributeName: pk, KeyType: "HASH" }, { AttributeName: sk, KeyType: "RANGE" }];
await client.send(new CreateTableCommand({
  TableName, AttributeDefinitions: ["pk", "sk", "gsi1pk", "gsi1sk"].map(s), KeySchema: keys("pk", "sk"), BillingMode: "PAY_PER_REQUEST",
  GlobalSecondaryIndexes: [{ IndexName: "gsi1", KeySchema: keys("gsi1pk", "gsi1sk"), Projection: { ProjectionType: "ALL" } }],
}));
await waitUntilTableExists({ client, maxWaitTime: 60 }, { TableName });

const item = { pk: "a", sk: "1", n: 1.5, set: new Set(["x", "y"]), bytes: new Uint8Array([0, 255]), list: [1, null, { deep: true }], gone: undefined };
await doc.send(new PutCommand({ TableName, Item: item }));
const { Item } = await doc.send(new GetCommand({ TableName, Key: { pk: "a", sk: "1" } }));
delete item.gone;
assert.deepEqual(Item, item);
await assert.rejects(doc.send(new PutCommand({ TableName, Item: item, ConditionExpression: "attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure: "ALL_OLD" })), (e) => {
  assert.equal(e.name, "ConditionalCheckFailedException");
  assert.equal(e.Item.n.N ?? e.Item.n, "1.5");
  return true;
});
const { Attributes } = await doc.send(new UpdateCommand({
  TableName, Key: { pk: "a", sk: "1" }, UpdateExpression: "SET #l[1] = :v, n = n + :one", ExpressionAttributeNames: { "#l": "list" }, ExpressionAttributeValues: { ":v": "set", ":one": 1 }, ReturnValues: "ALL_NEW",
}));
assert.deepEqual([Attributes.n, Attributes.list], [2.5, [1, "set", { deep: true }]]);
await Promise.all(Array.from({ length: 30 }, (_, i) => doc.send(new PutCommand({ TableName, Item: { pk: "b", sk: String(i).padStart(3, "0"), i } }))));
let read = 0;
for await (const page of paginateQuery({ client: doc, pageSize: 7 }, { TableName, KeyConditionExpression: "pk = :p", ExpressionAttributeValues: { ":p": "b" } })) read += page.Items.length;
assert.equal(read, 30);
const batch = await doc.send(new BatchGetCommand({ RequestItems: { [TableName]: { Keys: [{ pk: "a", sk: "1" }, { pk: "b", sk: "002" }, { pk: "no", sk: "no" }] } } }));
assert.equal(batch.Responses[TableName].length, 2);
await assert.rejects(doc.send(new TransactWriteCommand({ TransactItems: [
  { Put: { TableName, Item: { pk: "t", sk: "1" } } }, { ConditionCheck: { TableName, Key: { pk: "no", sk: "no" }, ConditionExpression: "attribute_exists(pk)" } },
] })), (e) => assert.deepEqual(e.CancellationReasons.map((r) => r.Code), ["None", "ConditionalCheckFailed"]) ?? true);

const entity = (name, attributes, indexes) => new Entity({ model: { entity: name, version: "1", service: "shop" }, attributes, indexes }, { client: doc, table: TableName });
const order = entity("order", {
  customer: { type: "string", required: true }, number: { type: "string", required: true }, state: { type: ["open", "paid"], default: "open" }, total: { type: "number" }, tags: { type: "set", items: "string" },
}, {
  own: { pk: { field: "pk", composite: ["customer"] }, sk: { field: "sk", composite: ["number"] } },
  byState: { index: "gsi1", collection: "work", pk: { field: "gsi1pk", composite: ["state"] }, sk: { field: "gsi1sk", composite: ["total"] } },
});
await order.create({ customer: "ann", number: "1", total: 5, tags: ["a"] }).go();
await assert.rejects(order.create({ customer: "ann", number: "1" }).go(), /conditional request failed/);
await order.put(Array.from({ length: 30 }, (_, i) => ({ customer: "bob", number: String(i), total: i }))).go();
await order.patch({ customer: "ann", number: "1" }).add({ total: 2, tags: ["b"] }).where(({ total }, { eq }) => eq(total, 5)).go();
assert.deepEqual((await order.get({ customer: "ann", number: "1" }).go()).data, { customer: "ann", number: "1", state: "open", total: 7, tags: ["a", "b"] });
const open = await order.query.byState({ state: "open" }).where(({ total }, { gt }) => gt(total, 27)).go({ pages: "all" });
assert.deepEqual(open.data.map((o) => o.total), [28, 29]);
const shop = new Service({ order }, { client: doc, table: TableName });
assert.equal((await shop.collections.work({ state: "open" }).go({ pages: "all" })).data.order.length, 31);
const refused = await shop.transaction.write(({ order }) => [order.delete({ customer: "bob", number: "1" }).commit(), order.check({ customer: "nobody", number: "1" }).where(({ number }, { exists }) => exists(number)).commit()]).go();
assert.equal(refused.canceled, true);
console.log("ok");
