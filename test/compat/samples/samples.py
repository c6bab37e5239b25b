"""Deploys public sample projects five times each and deletes them.

    samples.py LAMBENT TOOL FOLDER-OF-SAMPLES [SAMPLE ...]

TOOL is lambent (the samples of samples.txt), cdk (cdk.txt) or osls (osls.txt). Each sample is created by the tool, deployed again without a change, changed in place, changed so that a
resource is replaced, changed so that a resource fails and everything is rolled back, and deleted by the tool. Then nothing may be left of it. Samples that do not come through are in
unmet.txt, each with its reason; one that does although it is listed fails the run.
"""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import boto3
from awscli.customizations.cloudformation.yamlhelper import yaml_parse
from botocore.config import Config
from botocore.exceptions import ClientError

from tools import CDK, Lambent, Serverless, Unmet

HERE = os.path.dirname(os.path.abspath(__file__))
NO_CHANGES = "didn't contain changes"

# A property whose change a resource takes in place, and one whose change replaces it, by type.
MUTABLE = [
    ("AWS::Serverless::Function", "MemorySize", 192), ("AWS::Lambda::Function", "MemorySize", 192), ("AWS::SQS::Queue", "VisibilityTimeout", 777),
    ("AWS::SNS::Topic", "DisplayName", "changed"), ("AWS::Events::Rule", "Description", "changed"), ("AWS::Serverless::HttpApi", "Description", "changed"),
    ("AWS::Serverless::Api", "Description", "changed"), ("AWS::ApiGateway::RestApi", "Description", "changed"), ("AWS::IAM::Role", "Description", "changed"),
]
REPLACING = [
    ("AWS::SQS::Queue", "QueueName"), ("AWS::Serverless::SimpleTable", "TableName"), ("AWS::DynamoDB::Table", "TableName"), ("AWS::SNS::Topic", "TopicName"),
    ("AWS::Kinesis::Stream", "Name"), ("AWS::Logs::LogGroup", "LogGroupName"), ("AWS::S3::Bucket", "BucketName"), ("AWS::Serverless::Function", "FunctionName"),
    ("AWS::Lambda::Function", "FunctionName"), ("AWS::IAM::Role", "RoleName"),
]


class Platform:
    """A Lambent of its own: in memory, or with the data folder that has the SDK for functions when there is one."""

    def __init__(self, program, tool, sdk=None):
        self.program, self.folder, self.tool, self.sdk = program, tempfile.mkdtemp(), tool, sdk
        log, where = os.path.join(self.folder, "log"), ["--ephemeral"]
        if not tool.sandbox:
            where += ["--sandbox", "off"]
        if sdk:
            data = os.path.join(self.folder, "data")
            shutil.copytree(sdk, data, symlinks=True)
            where[:1] = ["--data-dir", data]
        with open(log, "w") as errors:
            self.process = subprocess.Popen(
                [program, "up", *where, "--listen", "127.0.0.1:0"], cwd=self.folder, stdout=subprocess.PIPE, stderr=errors, text=True)
        ready = self.process.stdout.readline().split()
        if ready[:2] != ["lambent", "ready"]:
            raise RuntimeError("Lambent did not start: see " + log)
        self.url = ready[2]
        self.session = boto3.Session("test", "test", region_name="us-east-1")
        self.cloudformation = self.client("cloudformation")

    def client(self, name):
        return self.session.client(name, endpoint_url=self.url, config=Config(retries={"max_attempts": 0}, read_timeout=120))

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)

    def settled(self, stack):
        return settled(self, stack)

    def fresh(self):
        """Forgets everything: what templates retain is not the next sample's."""
        self.close()
        self.__init__(self.program, self.tool, self.sdk)

    def left(self):
        """Names what there is of the kinds that stacks make, but for what outlives its stack on AWS too."""
        buckets = [b["Name"] for b in self.client("s3").list_buckets()["Buckets"] if not b["Name"].startswith(("lambent-artifacts-", "cdk-hnb659fds-"))]
        out = {
            "functions": [f["FunctionName"] for f in self.client("lambda").list_functions()["Functions"]],
            "mappings": [m["UUID"] for m in self.client("lambda").list_event_source_mappings()["EventSourceMappings"]],
            "roles": [r["RoleName"] for r in self.client("iam").list_roles()["Roles"] if not r["Path"].startswith("/aws-service-role/") and not r["RoleName"].startswith("cdk-hnb659fds-")],
            "queues": self.client("sqs").list_queues().get("QueueUrls", []),
            "topics": [t["TopicArn"] for t in self.client("sns").list_topics()["Topics"]],
            "tables": self.client("dynamodb").list_tables()["TableNames"],
            "streams": self.client("kinesis").list_streams()["StreamNames"],
            "rest": [a["id"] for a in self.client("apigateway").get_rest_apis()["items"]],
            "http": [a["ApiId"] for a in self.client("apigatewayv2").get_apis()["Items"]],
            "rules": [r["Name"] for r in self.client("events").list_rules()["Rules"]],
            "buses": [b["Name"] for b in self.client("events").list_event_buses()["EventBuses"] if b["Name"] != "default"],
            "pipes": [p["Name"] for p in self.client("pipes").list_pipes()["Pipes"]],
            "schedules": [s["Name"] for s in self.client("scheduler").list_schedules()["Schedules"]],
            "buckets": buckets,
        }
        return {k: v for k, v in out.items() if v}


def settled(p, stack):
    for _ in range(1500):
        s = p.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        if not s["StackStatus"].endswith("_IN_PROGRESS"):
            return s
        time.sleep(0.1)
    raise Unmet("the stack stays " + s["StackStatus"])


def why(p, stack):
    for e in reversed(p.cloudformation.describe_stack_events(StackName=stack)["StackEvents"]):
        if e["ResourceStatus"].endswith("_FAILED") and e["LogicalResourceId"] != "Fails":
            return f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')[:300]}"
    return ""


def change(p, stack, template, want):
    """Deploys a template with a change set; want is the status that the stack then has, None for no change at all."""
    name = "c" + str(time.time_ns())
    # A template of more than 51,200 bytes goes through S3.
    text = json.dumps(template)
    where = {"TemplateBody": text}
    if len(text) > 51200:
        s3 = p.client("s3")
        try:
            s3.create_bucket(Bucket="lambent-artifacts-templates")
        except ClientError:
            pass
        s3.put_object(Bucket="lambent-artifacts-templates", Key=name, Body=text.encode())
        where = {"TemplateURL": f"{p.url}/lambent-artifacts-templates/{name}"}
    p.cloudformation.create_change_set(
        StackName=stack, ChangeSetName=name, Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"], **where)
    c = p.cloudformation.describe_change_set(StackName=stack, ChangeSetName=name)
    if c["Status"] == "FAILED":
        if want is None and NO_CHANGES in c["StatusReason"]:
            p.cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)
            return []
        raise Unmet("change set: " + c["StatusReason"][:300])
    if want is None:
        raise Unmet("unchanged template: " + json.dumps([x["ResourceChange"]["LogicalResourceId"] for x in c["Changes"]]))
    p.cloudformation.execute_change_set(StackName=stack, ChangeSetName=name)
    s = settled(p, stack)
    if s["StackStatus"] != want:
        raise Unmet(f"{s['StackStatus']}, want {want}: {why(p, stack)}")
    return [x["ResourceChange"] for x in c["Changes"]]


def altered(template, table, value=None):
    """Is a template with one property of one resource changed, or None when there is nothing to change."""
    for entry in table:
        for name, r in template["Resources"].items():
            if r["Type"] != entry[0] or "Condition" in r:
                continue
            new, to = copy.deepcopy(template), value or entry[2]
            properties = new["Resources"][name].setdefault("Properties", {})
            if value and (properties.get("FifoQueue") or properties.get("FifoTopic")):
                to += ".fifo"
            properties[entry[1]] = to
            return new
    return None


def replaced(p, stack, template):
    """Deploys a template in which a resource has another name, and returns it. A resource with a name of its own cannot be replaced because of that, here as on AWS."""
    for entry in REPLACING:
        new = altered(template, [entry], "renamed-" + stack)
        if new is None:
            continue
        try:
            done = change(p, stack, new, "UPDATE_COMPLETE")
        except Unmet as e:
            if "already exists" in str(e) or "custom-named resource" in str(e):
                continue
            raise
        if not any(c.get("Replacement") in ("True", "Conditional") for c in done):
            raise Unmet("nothing is replaced by another name")
        return new
    return template


def four(p, stack):
    """Deploys a stack that is there without a change, with one in place, with one that replaces and with one that fails."""
    body = p.cloudformation.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    template = json.loads(json.dumps(yaml_parse(body) if isinstance(body, str) else body, default=str))
    change(p, stack, template, None)
    mutable = altered(template, MUTABLE)
    if mutable:
        change(p, stack, mutable, "UPDATE_COMPLETE")
    last = replaced(p, stack, mutable or template)
    failing = copy.deepcopy(last)
    failing["Resources"]["Fails"] = {
        "Type": "AWS::SSM::Parameter", "DependsOn": [n for n, r in last["Resources"].items() if "Condition" not in r and not r["Type"].startswith("AWS::Serverless::")],
        "Properties": {"Name": "/aws/reserved", "Type": "String", "Value": "x"}}
    for r in failing["Resources"].values():
        if r["Type"] in ("AWS::Serverless::Function", "AWS::Lambda::Function"):
            r.setdefault("Properties", {})["MemorySize"] = 320
    change(p, stack, failing, "UPDATE_ROLLBACK_COMPLETE")
    change(p, stack, last, None)


def fivefold(p, tool, sample, stack):
    stacks = tool.deploy(p, sample, stack)
    made = {s: p.cloudformation.describe_stacks(StackName=s)["Stacks"][0]["StackId"] for s in stacks}
    try:
        for s in stacks:
            four(p, s)
    finally:
        tool.delete(p, [made[s] for s in stacks])
    for name, stack in made.items():
        s = settled(p, stack)
        if s["StackStatus"] != "DELETE_COMPLETE":
            raise Unmet(f"delete {name}: {s['StackStatus']}: {why(p, stack)}")
    kept = {e["PhysicalResourceId"] for stack in made.values() for e in p.cloudformation.describe_stack_events(StackName=stack)["StackEvents"] if e["ResourceStatus"] == "DELETE_SKIPPED"}
    left = {kind: [n for n in names if n not in kept] for kind, names in p.left().items()}
    if any(left.values()):
        raise Unmet("left behind: " + json.dumps(left))
    if kept:
        p.fresh()


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return [line.strip() for line in f if line.strip() and not line.startswith("#")]


def with_sdk(program):
    """Returns a data folder with the SDK that functions of Node.js have on AWS."""
    folder = os.path.join(tempfile.mkdtemp(), "data")
    subprocess.run([program, "runtime", "sdk", "nodejs", "--data-dir", folder], check=True, capture_output=True)
    return folder


def main():
    program, kind, root, only = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    kinds = {"lambent": (Lambent, "samples.txt"), "cdk": (CDK, "cdk.txt"), "osls": (Serverless, "osls.txt")}
    tool = kinds[kind][0](root)
    sdk = with_sdk(program) if tool.sdk else None
    unmet = dict(line.split(": ", 1) for line in read("unmet.txt"))
    passed, expected, wrong, p = 0, 0, 0, Platform(program, tool, sdk)
    for sample in only or read(kinds[kind][1]):
        stack = re.sub("[^A-Za-z0-9-]", "-", "s-" + sample)[:40].strip("-")
        try:
            fivefold(p, tool, sample, stack)
            failure = None
        except (Unmet, ClientError, subprocess.TimeoutExpired) as e:
            failure = str(e)
            p.close()  # what it left is not the next one's
            p = Platform(program, tool, sdk)
        if failure is None and sample in unmet:
            print(f"{sample}: passes, and is listed in unmet.txt", flush=True)
            wrong += 1
        elif failure is None:
            passed += 1
        elif sample in unmet:
            expected += 1
        else:
            print(f"{sample}: {failure}", flush=True)
            wrong += 1
    p.close()
    if sdk:
        shutil.rmtree(os.path.dirname(sdk))
    print(f"{passed} samples pass, {expected} fail as listed, {wrong} otherwise")
    sys.exit(1 if wrong else 0)


main()
