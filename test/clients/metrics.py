"""Puts metrics and reads them, in each of the protocols that the API speaks, and reads what APIs count. It takes {"endpoint"} as JSON on its standard input."""

import copy
import json
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

import boto3
import botocore.session
from botocore.exceptions import ClientError

ENDPOINT = json.load(sys.stdin)["endpoint"]
NOW = datetime.now(timezone.utc)


def client(service, protocol=None):
    """Makes a client, of CloudWatch in one of its protocols."""
    session = botocore.session.Session()
    if protocol:
        loader = session.get_component("data_loader")
        load = loader.load_service_model

        def changed(name, kind, *rest, **options):
            model = copy.deepcopy(load(name, kind, *rest, **options))
            if name == "cloudwatch" and kind == "service-2":
                model["metadata"].update(protocol=protocol, protocols=[protocol])
            return model

        loader.load_service_model = changed
    return boto3.session.Session(botocore_session=session).client(
        service, endpoint_url=ENDPOINT, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def expect(got, want, what):
    if got != want:
        sys.exit(f"{what}: got {got!r}, want {want!r}")


def protocols():
    for protocol in ("smithy-rpc-v2-cbor", "json", "query"):
        cw, space = client("cloudwatch", protocol), f"app/{protocol}"
        # More than 10 KB, which clients compress.
        cw.put_metric_data(
            Namespace=space,
            MetricData=[{"MetricName": "size", "Dimensions": [{"Name": "n", "Value": "x" * 200}], "Values": [1.0, 10.0], "Counts": [2, 4], "Unit": "Count", "Timestamp": NOW}] * 50,
        )
        cw.put_metric_data(Namespace=space, MetricData=[{"MetricName": "size", "Value": v, "Unit": "Bytes"} for v in range(1, 102)])
        listed = cw.list_metrics(Namespace=space)["Metrics"]
        expect(sorted(len(m["Dimensions"]) for m in listed), [0, 1], f"{protocol} list")
        stats = cw.get_metric_statistics(
            Namespace=space, MetricName="size", StartTime=NOW - timedelta(hours=1), EndTime=NOW + timedelta(hours=1), Period=7200,
            Statistics=["Sum", "SampleCount"], ExtendedStatistics=["p50"],
        )["Datapoints"]
        expect([(p["Sum"], p["SampleCount"], p["ExtendedStatistics"]["p50"], p["Unit"]) for p in stats], [(5151.0, 101.0, 51.0, "Bytes")], f"{protocol} statistics")
        query = {"Id": "q", "MetricStat": {"Metric": {"Namespace": space, "MetricName": "size", "Dimensions": [{"Name": "n", "Value": "x" * 200}]}, "Period": 7200, "Stat": "Sum"}}
        data = cw.get_metric_data(MetricDataQueries=[query], StartTime=NOW - timedelta(hours=1), EndTime=NOW + timedelta(hours=1))["MetricDataResults"][0]
        expect((data["Values"], data["Label"], data["StatusCode"]), ([2100.0], "size", "Complete"), f"{protocol} data")
        try:
            cw.put_metric_data(Namespace=space, MetricData=[{"MetricName": "size", "Value": 1.5, "Values": [1.0]}])
        except ClientError as e:
            expect(e.response["Error"]["Code"], "InvalidParameterCombination", f"{protocol} error")
            if protocol != "query":
                expect(e.response["Error"]["QueryErrorCode"], "InvalidParameterCombinationException", f"{protocol} error")
        else:
            sys.exit(f"{protocol}: a value and values are accepted")
        alarm = {"AlarmName": f"alarm-{protocol}", "Namespace": space, "MetricName": "Latency", "Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.5, "ComparisonOperator": "GreaterThanThreshold"}
        cw.put_metric_alarm(**alarm)
        got = cw.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]
        expect([{k: a[k] for k in alarm} for a in got], [alarm], f"{protocol} alarm")
        cw.delete_alarms(AlarmNames=[alarm["AlarmName"]])
        try:
            cw.put_anomaly_detector(Namespace=space, MetricName="Latency", Stat="Average")
        except ClientError as e:
            expect("PutAnomalyDetector" in e.response["Error"]["Message"], True, f"{protocol} anomaly detector: {e}")
        else:
            sys.exit("an anomaly detector is accepted")


def status(url):
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status
    except urllib.error.HTTPError as e:
        return e.code


def apis():
    rest = client("apigateway")
    api = rest.create_rest_api(name="counted")["id"]
    root = rest.get_resources(restApiId=api)["items"][0]["id"]
    call = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    rest.put_method(**call, authorizationType="NONE")
    rest.put_integration(**call, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    rest.put_method_response(**call, statusCode="200")
    rest.put_integration_response(**call, statusCode="200", responseTemplates={"application/json": "{}"})
    rest.create_deployment(restApiId=api, stageName="live")
    url = f"{ENDPOINT}/_aws/execute-api/{api}/live"
    expect([status(url), status(url), status(url + "/nothing")], [200, 200, 403], "answers")
    cw = client("cloudwatch")

    def value(name, stat, dimensions):
        metric = {"Namespace": "AWS/ApiGateway", "MetricName": name, "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()]}
        out = cw.get_metric_data(
            MetricDataQueries=[{"Id": "q", "MetricStat": {"Metric": metric, "Period": 7200, "Stat": stat}}],
            StartTime=NOW - timedelta(hours=1), EndTime=NOW + timedelta(hours=1),
        )
        return sum(out["MetricDataResults"][0]["Values"])

    deadline = time.monotonic() + 30  # what is counted is counted after the answer
    while value("Count", "Sum", {"ApiName": "counted", "Stage": "live"}) < 3:
        if time.monotonic() > deadline:
            sys.exit("the requests are not counted")
    expect(value("4XXError", "Sum", {"ApiName": "counted"}), 1.0, "errors of the client")
    expect(round(value("4XXError", "Average", {"ApiName": "counted"}), 3), 0.333, "their rate")
    expect(value("5XXError", "Sum", {"ApiName": "counted"}), 0.0, "errors of the server")
    expect(value("Latency", "p99", {"ApiName": "counted"}) > 0, True, "latency")


def queues():
    sqs, cw = client("sqs"), client("cloudwatch")
    url = sqs.create_queue(QueueName="counted")["QueueUrl"]
    for body in ("four", "123456"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    got = sqs.receive_message(QueueUrl=url)["Messages"][0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"])

    def value(name, stat):
        out = cw.get_metric_statistics(
            Namespace="AWS/SQS", MetricName=name, Dimensions=[{"Name": "QueueName", "Value": "counted"}],
            StartTime=NOW - timedelta(hours=1), EndTime=NOW + timedelta(hours=1), Period=7200, Statistics=[stat],
        )
        return out["Datapoints"][0][stat]

    expect(value("NumberOfMessagesSent", "Sum"), 2.0, "messages sent")
    expect(value("SentMessageSize", "Average"), 5.0, "their size")
    expect(value("NumberOfMessagesReceived", "Sum"), 1.0, "messages received")
    expect(value("NumberOfMessagesDeleted", "Sum"), 1.0, "messages deleted")


protocols()
apis()
queues()
