"""A pytest plugin that runs LocalStack's tests of API Gateway against a Lambent, as they run against AWS.

Every host under amazonaws.com is led to the Lambent that AWS_ENDPOINT_URL names. What was recorded of AWS and cannot be the same here is left out of the
comparison: what CloudFront adds to requests and answers, the order of the values of an enumeration, and
the folder of a function's code.
"""

import os
import re
import sys
import types
from urllib.parse import urlsplit, urlunsplit

import botocore.client
import pytest
import requests
from localstack.testing import config
from localstack_snapshot.snapshots.prototype import SnapshotSession

LAMBENT = urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc

# The suite is ahead of the newest release of its framework for this version of Python.
config.TEST_SKIP_LOCALSTACK_START = True


def function_files():
    """Stands in for the suite's tests of Lambda, of which these tests want the names of the functions' files alone."""
    folder = os.path.join(os.getcwd(), "tests/aws/services/lambda_")
    with open(os.path.join(folder, "test_lambda.py"), encoding="utf-8") as f:
        text = f.read()
    made = types.ModuleType("tests.aws.services.lambda_.test_lambda")
    made.os, made.THIS_FOLDER = os, folder
    for name, value in re.findall(r'^(TEST_[A-Z_0-9]+) = (os\.path\.join\([^)]*\)|\[[^\]]*\]|"[^"]*")$', text, re.M):
        exec(f"{name} = {value}", made.__dict__)
    sys.modules[made.__name__] = made


function_files()

send = requests.Session.send


def lead(session, request, **options):
    """Sends a request to the Lambent, with the host name that it has."""
    u = urlsplit(request.url)
    if u.netloc.endswith(".amazonaws.com"):
        request.headers.setdefault("Host", u.netloc)
        request.url = urlunsplit(("http", LAMBENT, u.path, u.query, ""))
    return send(session, request, **options)


requests.Session.send = lead

call = botocore.client.BaseClient._make_api_call


def grant(client, operation, parameters):
    """Lets whoever may call a function's URL invoke the function, too, which AWS asks for since October 2025: after the recordings."""
    out = call(client, operation, parameters)
    if operation == "AddPermission" and parameters.get("Action") == "lambda:InvokeFunctionUrl":
        more = {k: v for k, v in parameters.items() if k != "FunctionUrlAuthType"}
        call(client, operation, {**more, "Action": "lambda:InvokeFunction", "StatementId": parameters["StatementId"] + "-invoke"})
    return out


botocore.client.BaseClient._make_api_call = grant

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
