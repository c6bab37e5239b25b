"""A plugin of pytest with which suites that were written for emulators run against a platform that checks permissions.

The suites create queues that other services are to send to, and name roles that they never make. On AWS, and on Lambent, a queue's policy must let the service in and a role must
be there and be allowed. The plugin grants that on behalf of the suite, and nothing else:

* a queue or topic that is created without a policy gets one that lets services of AWS send to it;
* a role that a call names, or that the suite creates, is there, trusts every service, and may do everything;
* a target that is an API destination has a role, and an event that TestEventPattern gets has the members that AWS asks for.

Tests of a suite that import the emulator's own code look inside of it: they are skipped, and counted as such.
"""

import importlib.abc
import importlib.machinery
import json
import os
import re
import sys
import types

import boto3
import pytest

ROLE = re.compile(r"arn:aws:iam::\d{12}:role/((?:[\w+=,.@-]+/)*)([\w+=,.@-]+)$")
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
# The services whose roles the suites hand out.
SERVICES = [s + ".amazonaws.com" for s in ("events", "scheduler", "pipes", "firehose", "lambda", "sns", "states", "apigateway", "kinesis")]
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": SERVICES}, "Action": "sts:AssumeRole"}]})


class Inside:
    """Stands for a name of the emulator's own code; a test that uses it is skipped. The suite's fixtures and the heads of its files may use it, to no effect."""

    def _used(self, *_args, **_kwargs):
        code = sys._getframe(1).f_code
        file = os.path.basename(code.co_filename)
        if file == "conftest.py" or file.startswith("test_") and code.co_name == "<module>":
            return self
        if not file.startswith("test_"):
            raise AttributeError  # pytest looks at it
        pytest.skip("looks inside of the emulator that the suite was written for")

    __getattr__ = __call__ = __enter__ = __getitem__ = _used


class Emulator(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Inside()


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name == "ministack" or name.startswith("ministack."):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return Emulator(spec.name)

    def exec_module(self, module):
        pass


class Grants:
    """Grants what the suite needs, through clients of its own."""

    def __init__(self, endpoint):
        self.session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        self.endpoint, self.roles = endpoint, set()

    def client(self, service, region="us-east-1"):
        return self.session.client(service, endpoint_url=self.endpoint, region_name=region)

    def role(self, arn):
        found = ROLE.match(arn)
        if not found or arn in self.roles:
            return
        self.roles.add(arn)
        iam, name = self.client("iam"), found[2]
        try:
            iam.create_role(RoleName=name, Path="/" + found[1], AssumeRolePolicyDocument=TRUST)
        except iam.exceptions.EntityAlreadyExistsException:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=TRUST)
        iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=EVERYTHING)

    def before(self, params, model, **_kwargs):
        if model.name == "CreateRole" or model.service_model.service_name in ("iam", "sts"):
            return
        if model.name == "PutTargets":
            for target in params.get("Targets", []):
                if ":api-destination/" in target.get("Arn", ""):
                    target.setdefault("RoleArn", "arn:aws:iam::000000000000:role/suite")
        if model.name == "TestEventPattern":
            params["Event"] = whole(params.get("Event"))
        self.find(params)

    def find(self, value):
        if isinstance(value, str):
            if value.startswith("{"):
                for arn in re.findall(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+", value):
                    self.role(arn)
            self.role(value)
        elif isinstance(value, dict):
            for v in value.values():
                self.find(v)
        elif isinstance(value, (list, tuple)):
            for v in value:
                self.find(v)

    def created_role(self, parsed, **_kwargs):
        if "Role" in parsed:
            self.roles.discard(parsed["Role"]["Arn"])
            self.role(parsed["Role"]["Arn"])

    def created_queue(self, parsed, context, **_kwargs):
        if "QueueUrl" not in parsed:
            return
        sqs = self.client("sqs", context["client_region"])
        url = parsed["QueueUrl"]
        has = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        if "Policy" not in has:
            statement = {"Effect": "Allow", "Principal": {"Service": SERVICES + ["s3.amazonaws.com"]}, "Action": "sqs:*", "Resource": has["QueueArn"]}
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})})

    def created_topic(self, parsed, context, **_kwargs):
        arn = parsed.get("TopicArn")
        if not arn:
            return
        sns = self.client("sns", context["client_region"])
        for service in ("events", "s3"):
            label = "suite-" + service
            policy = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
            if any(s.get("Sid") == label for s in policy["Statement"]):
                continue
            policy["Statement"].append({"Sid": label, "Effect": "Allow", "Principal": {"Service": service + ".amazonaws.com"}, "Action": "sns:Publish", "Resource": arn})
            sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(policy))


def whole(event):
    """Returns an event with the members that TestEventPattern needs."""
    try:
        members = json.loads(event)
    except (TypeError, ValueError):
        return event
    if not isinstance(members, dict):
        return event
    needed = {"id": "1", "account": "000000000000", "source": "suite", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail-type": "suite", "detail": {}}
    return json.dumps(needed | members)


def region_of(params, context, **_kwargs):
    context["client_region"] = context.get("client_region", "us-east-1")


def pytest_configure(config):
    sys.meta_path.insert(0, Finder())
    grants = Grants(os.environ["AWS_ENDPOINT_URL"])
    boto3.setup_default_session()
    events = boto3.DEFAULT_SESSION.events
    events.register_first("before-parameter-build", grants.before)
    events.register("provide-client-params", region_of)
    events.register("after-call.sqs.CreateQueue", grants.created_queue)
    events.register("after-call.sns.CreateTopic", grants.created_topic)
    events.register("after-call.iam.CreateRole", grants.created_role)
