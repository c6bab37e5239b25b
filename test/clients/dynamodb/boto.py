"""boto3 as people use it with tables: the client, and the resource with its types and its condition builders. Prints ok."""
import json
import sys
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

given = json.load(sys.stdin)
session = boto3.Session(aws_access_key_id=given["key"], aws_secret_access_key=given["secret"], region_name="us-east-1")
client = session.client("dynamodb", endpoint_url=given["endpoint"])
db = session.resource("dynamodb", endpoint_url=given["endpoint"])


def code(fn, **parameters):
    try:
        fn(**parameters)
    except ClientError as e:
        return e.response["Error"]["Code"]
    return None


table = db.create_table(
    TableName="orders",
    AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("customer", "number", "state")],
    KeySchema=[{"AttributeName": "customer", "KeyType": "HASH"}, {"AttributeName": "number", "KeyType": "RANGE"}],
    GlobalSecondaryIndexes=[{"IndexName": "by-state", "KeySchema": [{"AttributeName": "state", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}],
    BillingMode="PAY_PER_REQUEST",
)
table.wait_until_exists()

item = {
    "customer": "ann", "number": "1", "state": "open", "total": Decimal("129.950"), "long": Decimal("-1.2345678901234567890123456789012345678"),
    "tags": {"a", "b"}, "counts": {Decimal(1), Decimal(2)}, "raw": b"\x00\xff", "paid": False, "note": None, "lines": [{"sku": "x", "n": Decimal(3)}, "text"], "empty": {},
}
table.put_item(Item=item)
got = table.get_item(Key={"customer": "ann", "number": "1"}, ConsistentRead=True)["Item"]
assert got["raw"].value == b"\x00\xff" and {**got, "raw": b"\x00\xff"} == item, got

failed = code(table.put_item, Item=item, ConditionExpression=Attr("customer").not_exists())
assert failed == "ConditionalCheckFailedException", failed
new = table.update_item(
    Key={"customer": "ann", "number": "1"}, UpdateExpression="SET #s = :s, #t = #t + :d REMOVE note ADD tags :t", ConditionExpression="#s = :open",
    ExpressionAttributeNames={"#s": "state", "#t": "total"}, ExpressionAttributeValues={":s": "paid", ":d": Decimal("0.05"), ":t": {"c"}, ":open": "open"}, ReturnValues="UPDATED_NEW",
)["Attributes"]
assert new == {"state": "paid", "total": Decimal("130"), "tags": {"a", "b", "c"}}, new

with table.batch_writer() as batch:
    for i in range(100):
        batch.put_item(Item={"customer": "bob", "number": f"{i:03}", "state": "open" if i % 2 else "paid", "n": i})
page = table.query(KeyConditionExpression=Key("customer").eq("bob") & Key("number").between("010", "019"), FilterExpression=Attr("n").gte(15), ScanIndexForward=False)
assert [int(i["n"]) for i in page["Items"]] == [19, 18, 17, 16, 15] and page["ScannedCount"] == 10, page
found = [i for p in client.get_paginator("query").paginate(
    TableName="orders", IndexName="by-state", KeyConditionExpression="#s = :s", ExpressionAttributeNames={"#s": "state"}, ExpressionAttributeValues={":s": {"S": "open"}},
    PaginationConfig={"PageSize": 7}) for i in p["Items"]]
assert len(found) == 50, len(found)
assert len([i for p in client.get_paginator("scan").paginate(TableName="orders", PaginationConfig={"PageSize": 13}) for i in p["Items"]]) == 101

try:
    client.transact_write_items(TransactItems=[
        {"Put": {"TableName": "orders", "Item": {"customer": {"S": "eve"}, "number": {"S": "1"}}}},
        {"ConditionCheck": {"TableName": "orders", "Key": {"customer": {"S": "ann"}, "number": {"S": "9"}}, "ConditionExpression": "attribute_exists(customer)"}},
    ])
    raise AssertionError("the transaction was made")
except client.exceptions.TransactionCanceledException as e:
    assert [r["Code"] for r in e.response["CancellationReasons"]] == ["None", "ConditionalCheckFailed"], e.response
assert "Item" not in table.get_item(Key={"customer": "eve", "number": "1"})

rows = client.execute_statement(Statement='SELECT n FROM "orders" WHERE customer = ? AND number = ?', Parameters=[{"S": "bob"}, {"S": "007"}])["Items"]
assert rows == [{"n": {"N": "7"}}], rows
table.delete()
table.wait_until_not_exists()
print("ok")
