"""Runs every workflow of durable functions and prints how it ended and what its history has.

Reads {"endpoint": URL, "functions": {name: {"runtime": …, "handler": …, "file": zip}}} from standard input.
"""

import concurrent.futures
import json
import sys

import boto3
from botocore.config import Config

WORKFLOWS = ["steps", "wait", "callback", "invoke", "missing", "child", "parallel", "map", "fail", "large"]
# In these workflows things happen at the same time: only what happened is shown, not when.
CONCURRENT = {"invoke", "parallel", "map"}

given = json.load(sys.stdin)
options = {
    "endpoint_url": given["endpoint"], "region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test",
    "config": Config(retries={"max_attempts": 0}, read_timeout=120),
}
client, iam = boto3.client("lambda", **options), boto3.client("iam", **options)


def events(arn):
    pages = client.get_paginator("get_durable_execution_history").paginate(DurableExecutionArn=arn)
    return [event for page in pages for event in page["Events"]]


def approve(name):
    """Sends the callback of the execution with this name when the function has suspended."""
    while True:
        found = client.list_durable_executions_by_function(FunctionName=name, Statuses=["RUNNING"])["DurableExecutions"]
        history = events(found[0]["DurableExecutionArn"]) if found else [{"EventType": ""}]
        if history[-1]["EventType"] == "InvocationCompleted":
            callback = next(e for e in history if e["EventType"] == "CallbackStarted")
            client.send_durable_execution_callback_success(CallbackId=callback["CallbackStartedDetails"]["CallbackId"], Result=b'"approved"')
            return


def run(name, workflow):
    payload = json.dumps({"workflow": workflow, "n": 41, "self": name + ":$LATEST"})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        approval = pool.submit(approve, name) if workflow == "callback" else None
        out = client.invoke(FunctionName=name, Qualifier="$LATEST", Payload=payload)
        if approval:
            approval.result()
    answer = json.loads(out["Payload"].read())
    if "FunctionError" in out:
        answer = {k: answer[k] for k in ("errorMessage",) if k in answer}
    texts = [" ".join(filter(None, [e["EventType"], e.get("Name")])) for e in events(out["DurableExecutionArn"])]
    if workflow in CONCURRENT:
        texts = sorted(t for t in texts if t != "InvocationCompleted")
    status = client.get_durable_execution(DurableExecutionArn=out["DurableExecutionArn"])["Status"]
    return "\n  ".join([f"{workflow} {status} {json.dumps(answer)}", *texts])


trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
role = iam.create_role(RoleName="durable", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))["Role"]["Arn"]
for policy in "AWSLambdaBasicDurableExecutionRolePolicy", "AWSLambdaRole":
    iam.attach_role_policy(RoleName="durable", PolicyArn="arn:aws:iam::aws:policy/service-role/" + policy)
for name, function in given["functions"].items():
    with open(function["file"], "rb") as f:
        code = f.read()
    more = {"DurableConfig": {"ExecutionTimeout": 300}} if function.get("durable") else {}
    client.create_function(
        FunctionName=name, Runtime=function["runtime"], Handler=function["handler"], Role=role, Code={"ZipFile": code}, Timeout=60, MemorySize=512, **more,
    )
for name, function in given["functions"].items():
    if function.get("durable"):
        print("==", name)
        for workflow in WORKFLOWS:
            print(run(name, workflow))
