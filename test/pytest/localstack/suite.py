"""A plugin of pytest with which LocalStack's tests run against a Lambent as they were recorded on AWS: by an IAM user.

Every host under amazonaws.com, and every function URL, is led to the Lambent that AWS_ENDPOINT_URL names. What was recorded of AWS and cannot be the same here is left out of the
comparison: what CloudFront adds to requests and answers, the order of the values of an enumeration, the folder of a function's code where functions are not isolated, and lines
of logs that tell that another version of a language runs a function. The suite is ahead of the newest release of its framework for this version of Python; what it misses is made up for here.
"""

import itertools
import os
import re
import threading
from urllib.parse import urlsplit, urlunsplit

import boto3
import botocore.client
import localstack.services.sns.constants as sns
import localstack.testing.aws.lambda_utils as lambda_utils
import pytest
import requests
from localstack.testing import config
from localstack_snapshot.snapshots.prototype import SnapshotSession

LAMBENT = urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc

config.TEST_SKIP_LOCALSTACK_START = True


def user():
    """Makes a user who may do everything, and leaves his keys in the environment."""
    iam = boto3.client("iam")
    iam.create_user(UserName="recorder")
    allowed = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
    iam.put_user_policy(UserName="recorder", PolicyName="all", PolicyDocument=allowed)
    key = iam.create_access_key(UserName="recorder")["AccessKey"]
    os.environ.update(AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"])
    boto3.DEFAULT_SESSION = None


user()

make = threading.Lock


class Lock:
    """Stands in for a factory that newer versions of Python have as a class, for annotations that unite it with None."""

    def __new__(cls):
        return make()


def batched(values, n, *, strict=False):
    """Stands in for what newer versions of Python have in itertools."""
    values = iter(values)
    while batch := tuple(itertools.islice(values, n)):
        yield batch


def concurrency_update_failed(client, function_name, qualifier):
    """Returns a question: whether the provisioned concurrency of a function could not be had."""
    return lambda: client.get_provisioned_concurrency_config(FunctionName=function_name, Qualifier=qualifier)["Status"] == "FAILED"


threading.Lock = Lock

for owner, missing, stand_in in (
    (itertools, "batched", batched),
    (lambda_utils, "concurrency_update_failed", concurrency_update_failed),
    (sns, "SMS_PHONE_NUMBER_OPT_OUT_ENDPOINT", "/_aws/sns/phone-opt-outs"),
):
    if not hasattr(owner, missing):
        setattr(owner, missing, stand_in)

send = requests.Session.send


def lead(session, request, **options):
    """Sends a request to the Lambent, with the host name that it has."""
    u = urlsplit(request.url)
    if u.netloc.endswith((".amazonaws.com", ".on.aws")):
        request.headers.setdefault("Host", u.netloc)
        request.url = urlunsplit(("http", LAMBENT, u.path, u.query, ""))
    return send(session, request, **options)


requests.Session.send = lead

call = botocore.client.BaseClient._make_api_call

WARNING = "LAMBENT WARNING: the runtime "


def answer(client, operation, parameters):
    """Lets whoever may call a function's URL invoke the function, too, which AWS asks for since October 2025: after the recordings. Leaves warnings out of logs."""
    out = call(client, operation, parameters)
    if operation == "FilterLogEvents":
        out["events"] = [e for e in out["events"] if not e["message"].startswith(WARNING)]
    if operation == "AddPermission" and parameters.get("Action") == "lambda:InvokeFunctionUrl":
        more = {k: v for k, v in parameters.items() if k != "FunctionUrlAuthType"}
        call(client, operation, {**more, "Action": "lambda:InvokeFunction", "StatementId": parameters["StatementId"] + "-invoke"})
    return out


botocore.client.BaseClient._make_api_call = answer

# What CloudFront adds in front of AWS's APIs, and which header lines it rewrites.
EDGE = re.compile(r"^(Via|X-Cache|X-Amz-Cf-Id|X-Amz-Cf-Pop|CloudFront-.*|connection|user-agent)$", re.I)
# Without a sandbox, the code of functions is in a folder of the server.
CODE = re.compile(r"/[^\s\"]*/code/[0-9a-f]{64}/")
ENUM = re.compile(r"(enum value set: )\[([^\]]*)\]")


def normal(value):
    """Is a recorded value without what is left out."""
    if isinstance(value, dict):
        return {k: normal(v) for k, v in value.items() if not EDGE.match(str(k))}
    if isinstance(value, list):
        return [normal(v) for v in value]
    if isinstance(value, str):
        return ENUM.sub(lambda m: m[1] + "[" + ", ".join(sorted(m[2].split(", "))) + "]", CODE.sub("/var/task/", value))
    return value


transform, assert_all = SnapshotSession._transform, SnapshotSession._assert_all


def transformed(session, state):
    """Takes what is left out from what was observed."""
    return {key: normal(value) for key, value in transform(session, state).items()}


def compare(session, *options):
    """Takes what is left out from what was recorded, and compares."""
    session.recorded_state = {key: normal(value) for key, value in (session.recorded_state or {}).items()}
    return assert_all(session, *options)


SnapshotSession._transform, SnapshotSession._assert_all = transformed, compare


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Names the marks of the suite."""
    for name in ("snapshot_validated", "aws_validated", "multiruntime", "only_localstack", "only_on_amd64"):
        config.addinivalue_line("markers", name)
