"""Sends and takes CloudEvents with the CloudEvents SDK for Python: to a bus and a topic, from the queue that they feed, in the structured and the binary mode.

Reads {"url": URL, "key": ID, "secret": SECRET} from standard input, prints one line per fault and a count.
"""

import json
import sys
import urllib.request
from datetime import datetime, timezone
from urllib.parse import quote, unquote

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

REGION, ACCOUNT = "us-east-1", "000000000000"
given = json.load(sys.stdin)
session = boto3.Session(given["key"], given["secret"], region_name=REGION)
events, sns, sqs = (session.client(name, endpoint_url=given["url"]) for name in ("events", "sns", "sqs"))
faults = []


def want(what, got, expected):
    if got != expected:
        faults.append(f"FAULT {what}: {got!r}, want {expected!r}")


def request(method, arn, headers=None, body=b"", query=""):
    """Makes a request that is signed for the service of the ARN."""
    r = AWSRequest(method, f"{given['url']}/_aws/cloudevents/{arn}{query}", headers=headers or {}, data=body)
    SigV4Auth(Credentials(given["key"], given["secret"]), arn.split(":")[2], REGION).add_auth(r)
    with urllib.request.urlopen(urllib.request.Request(r.url, r.data or None, dict(r.headers), method=method)) as answer:
        return answer.status, answer.headers, answer.read()


def take(queue, accept=None):
    """Takes an event from a queue and confirms it."""
    status, headers, body = request("GET", queue, {"Accept": accept} if accept else {}, query="?wait=5")
    want("status of a take", status, 200)
    receipt = quote(unquote(headers["Lambent-Receipt"]), safe="")
    want("status of a confirmation", request("DELETE", queue, query=f"?receipt={receipt}")[0], 204)
    return from_http_event(HTTPMessage(dict(headers), body))


def event(number, data, **more):
    return CloudEvent({"id": f"event-{number}", "source": "https://shop.example/orders", "type": "order.placed", "time": datetime(2026, 11, 30, 3, 0, tzinfo=timezone.utc), **more}, data)


def queue(name, sender):
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    policy = {"Statement": [{"Effect": "Allow", "Principal": {"Service": sender}, "Action": "sqs:SendMessage", "Resource": arn}]}
    sqs.create_queue(QueueName=name, Attributes={"Policy": json.dumps(policy)})
    return arn


def same(what, got, sent):
    for name, value in sent.get_attributes().items():
        want(f"{what}: {name}", got.get_attributes().get(name), value)
    want(f"{what}: data", got.get_data(), sent.get_data())


bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
from_bus = queue("from-bus", "events.amazonaws.com")
events.put_rule(Name="orders", EventPattern=json.dumps({"source": ["https://shop.example/orders"], "detail": {"data": {"total": [{"numeric": [">", 10]}]}}}))
events.put_targets(Rule="orders", Targets=[{"Id": "q", "Arn": from_bus}])
topic = sns.create_topic(Name="orders")["TopicArn"]
from_topic = queue("from-topic", "sns.amazonaws.com")
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=from_topic, Attributes={"FilterPolicy": json.dumps({"ce-type": ["order.placed"]})})

count = 0
for target, source in ((bus, from_bus), (topic, from_topic)):
    for mode, write in (("structured", to_structured_event), ("binary", to_binary_event)):
        for accept in ("application/cloudevents+json", None):
            count += 1
            sent = event(count, {"total": 12.5, "name": "Müller"}, subject="order 1 €", datacontenttype="application/json", partition="7")
            message = write(sent)
            status, _, body = request("POST", target, message.headers, message.body)
            want("status of a post", status, 200)
            if "id" not in json.loads(body)["events"][0]:
                faults.append(f"FAULT answer: {body!r}")
            same(f"{mode} to {target}, taken as {accept}", take(source, accept), sent)

# An event that no SDK for CloudEvents has made.
events.put_events(Entries=[{"Source": "https://shop.example/orders", "DetailType": "plain", "Detail": json.dumps({"data": {"total": 11}}), "Resources": ["arn:aws:s3:::b"]}])
got = take(from_bus, "application/cloudevents+json")
want("type of a plain event", got.get_type(), "plain")
want("data of a plain event", got.get_data(), {"data": {"total": 11}})
want("account of a plain event", got.get_extension("awsaccount"), ACCOUNT)
want("an empty queue", request("GET", from_bus)[0], 204)

for fault in faults:
    print(fault)
print(f"{count} events, {len(faults)} faults")
sys.exit(bool(faults))
