"""PynamoDB's models, indexes, conditions and transactions. Prints ok."""
import json
import sys

from pynamodb.attributes import JSONAttribute, ListAttribute, NumberAttribute, UnicodeAttribute, UnicodeSetAttribute, UTCDateTimeAttribute, VersionAttribute
from pynamodb.connection import Connection
from pynamodb.exceptions import PutError, TransactWriteError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite
from datetime import datetime, timezone

given = json.load(sys.stdin)


class Where:
    host, region = given["endpoint"], "us-east-1"
    aws_access_key_id, aws_secret_access_key = given["key"], given["secret"]
    billing_mode = "PAY_PER_REQUEST"


class ByState(GlobalSecondaryIndex):
    class Meta(Where):
        index_name, projection = "by-state", AllProjection()

    state = UnicodeAttribute(hash_key=True)
    total = NumberAttribute(range_key=True)


class Order(Model):
    class Meta(Where):
        table_name = "pynamo-orders"

    customer = UnicodeAttribute(hash_key=True)
    number = UnicodeAttribute(range_key=True)
    state = UnicodeAttribute(default="open")
    total = NumberAttribute(default=0)
    tags = UnicodeSetAttribute(null=True)
    lines = ListAttribute(default=list)
    extra = JSONAttribute(null=True)
    made = UTCDateTimeAttribute(default=datetime(2026, 11, 30, tzinfo=timezone.utc))
    version = VersionAttribute()
    by_state = ByState()


Order.create_table(wait=True)
first = Order("ann", "1", total=129.95, tags={"a", "b"}, lines=[{"sku": "x"}], extra={"deep": [1, None]})
first.save()
stale = Order.get("ann", "1")
first.update(actions=[Order.total.add(1), Order.state.set("paid")], condition=Order.state == "open")
assert Order.get("ann", "1").version == 2
try:
    stale.save()
    raise AssertionError("a stale version was saved")
except PutError as e:
    assert e.cause_response_code == "ConditionalCheckFailedException", e
with Order.batch_write() as batch:
    for i in range(60):
        batch.save(Order("bob", f"{i:03}", total=i))
assert [o.number for o in Order.query("bob", Order.number.between("010", "012"), scan_index_forward=False)] == ["012", "011", "010"]
assert [o.total for o in Order.by_state.query("open", ByState.total > 57)] == [58, 59]
assert sum(1 for _ in Order.scan(Order.tags.contains("a"), page_size=7)) == 1
assert Order.count("bob") == 60
connection = Connection(region="us-east-1", host=given["endpoint"])
connection.session.set_credentials(given["key"], given["secret"])
try:
    with TransactWrite(connection=connection) as tx:
        tx.delete(Order("bob", "001"), condition=Order.total == 1)
        tx.condition_check(Order, "ann", "9", condition=Order.customer.exists())
    raise AssertionError("the transaction was made")
except TransactWriteError as e:
    assert [r.code if r else None for r in e.cancellation_reasons] == ["ConditionalCheckFailed", None], e.cancellation_reasons
assert Order.get("bob", "001").total == 1
Order.delete_table()
print("ok")
