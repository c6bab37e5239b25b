"""Bad input, byte by byte where no SDK would send it: AWS's error, and nothing is written. Prints ok."""
import json
import sys
import urllib.error
import urllib.request

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

given = json.load(sys.stdin)
credentials = Credentials(given["key"], given["secret"])


def call(operation, body):
    """Returns the code of the error, or None."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    signed = AWSRequest("POST", given["endpoint"] + "/", data=body, headers=headers)
    SigV4Auth(credentials, "dynamodb", "us-east-1").add_auth(signed)
    try:
        urllib.request.urlopen(urllib.request.Request(signed.url, data=body, headers=dict(signed.headers))).read()
    except urllib.error.HTTPError as e:
        assert e.code == 400, (e.code, e.read())
        return json.load(e)["__type"].partition("#")[2]
    return None


def put(**attributes):
    return call("PutItem", {"TableName": "bad", "Item": {"id": {"S": "a"}, "sk": {"S": "b"}, **attributes}})


def deep(levels):
    value = {"S": "x"}
    for _ in range(levels):
        value = {"L": [value]}
    return value


def get(expression):
    return call("GetItem", {"TableName": "bad", "Key": {"id": {"S": "a"}, "sk": {"S": "b"}}, "ProjectionExpression": expression})


keys = {"id": "HASH", "sk": "RANGE"}
assert call("CreateTable", {
    "TableName": "bad", "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n in keys],
    "KeySchema": [{"AttributeName": n, "KeyType": t} for n, t in keys.items()],
}) is None
room = 409600 - len("id" "a" "sk" "b" "t")  # of an item of 400 KB
big = {"id": {"S": "i"}, "t": {"S": "x" * 399_000}}
for what, got, want in [
    ("truncated JSON", call("PutItem", b'{"TableName":'), "SerializationException"),
    ("a number for a name", call("PutItem", {"TableName": 5, "Item": {}}), "SerializationException"),
    ("a number for a string", put(s={"S": 5}), "SerializationException"),
    ("a string of no UTF-8", call("PutItem", b'{"TableName":"bad","Item":{"id":{"S":"\xff"},"sk":{"S":"x"}}}'), "SerializationException"),
    ("100,000 brackets", call("PutItem", b'{"TableName":"bad","Item":' + b"[" * 100_000), "SerializationException"),
    ("39 digits", put(n={"N": "1" * 39}), "ValidationException"),
    ("1E126", put(n={"N": "1E126"}), "ValidationException"),
    ("1E-131", put(n={"N": "1E-131"}), "ValidationException"),
    ("no number", put(n={"N": "abc"}), "ValidationException"),
    ("400 KB and a byte", put(t={"S": "x" * (room + 1)}), "ValidationException"),
    ("33 levels", put(d=deep(33)), "ValidationException"),
    ("a partition key of 2,049 bytes", call("PutItem", {"TableName": "bad", "Item": {"id": {"S": "k" * 2049}, "sk": {"S": "b"}}}), "ValidationException"),
    ("a sort key of 1,025 bytes", call("PutItem", {"TableName": "bad", "Item": {"id": {"S": "k"}, "sk": {"S": "b" * 1025}}}), "ValidationException"),
    ("a transaction of more than 4 MB", call("TransactWriteItems", {"TransactItems": [
        {"Put": {"TableName": "bad", "Item": {**big, "sk": {"S": str(i)}}}} for i in range(11)]}), "ValidationException"),
    ("an expression of 4,097 bytes", get("a" * 4097), "ValidationException"),
]:
    assert got == want, (what, got)


def count():
    body = json.dumps({"TableName": "bad", "Select": "COUNT"}).encode()
    signed = AWSRequest("POST", given["endpoint"] + "/", data=body, headers={"X-Amz-Target": "DynamoDB_20120810.Scan", "Content-Type": "application/x-amz-json-1.0"})
    SigV4Auth(credentials, "dynamodb", "us-east-1").add_auth(signed)
    return json.load(urllib.request.urlopen(urllib.request.Request(signed.url, data=body, headers=dict(signed.headers))))["Count"]


assert count() == 0, "something was written"
# What is just within the limits is taken.
assert put(t={"S": "x" * room}) is None and put(d=deep(32)) is None and put(n={"N": "9" * 38}) is None and get("a" * 4096) is None
assert call("PutItem", {"TableName": "bad", "Item": {"id": {"S": "k" * 2048}, "sk": {"S": "b" * 1024}}}) is None
assert count() == 2
print("ok")
