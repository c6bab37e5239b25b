"""A plugin of pytest with which LocalStack's tests of CloudFormation run against a Lambent.

It comes on top of suite.py of test/pytest/localstack. A test is compared with its recording as LocalStack's own runs do it: without the parts that
its marker skip_snapshot_verify names, most of which the recording has otherwise than the test of today asks. Beside these, what AWS answers only since the recordings is left out.
"""

import json
import re

import boto3
from localstack_snapshot.pytest import snapshot
from localstack_snapshot.snapshots.prototype import SnapshotSession

snapshot.is_aws = lambda: False

# What AWS tells of only since the recordings, and what Lambent adds to messages: the line of the fault.
LATER = {"LastOperations", "WarmThroughput", "ServiceRegion", "deletionProtectionEnabled"}
LINE = re.compile(r" \(line \d+\)$")
# Lists whose order says nothing: AWS has them in that of a hash.
SETS = {"AttachedPolicies", "AttributeDefinitions", "GlobalSecondaryIndexes", "Parameters", "ResourceIdentifierSummaries", "ResourceTypes", "Tags"}
# Names with a random end that a recording has as they were.
NAME = re.compile(r"\b(stack|role)-[0-9a-f]{8}\b(-Function-\w+)?")
# The addresses of queues.
QUEUE = re.compile(r"http://(127\.0\.0\.1|localhost):\d+/(?=\d{12}/)")

transform, assert_all = SnapshotSession._transform, SnapshotSession._assert_all


def order(value):
    """Is what a list is sorted by: the members that tell its elements apart before all others."""
    if isinstance(value, dict):
        return json.dumps([value.get(k, "") for k in ("Key", "ParameterKey", "AttributeName", "IndexName", "PolicyName", "ResourceType")], default=str)
    return json.dumps(value, default=str)


def normal(value):
    """Is a value without what is left out."""
    if isinstance(value, dict):
        return {k: sorted(normal(v), key=order) if k in SETS and isinstance(v, list) else normal(v) for k, v in value.items() if k not in LATER}
    if isinstance(value, list):
        return [normal(v) for v in value]
    if isinstance(value, str):
        return NAME.sub("<a name>", QUEUE.sub("https://sqs.<region>.amazonaws.com/", LINE.sub("", value)))
    return value


def transformed(session, state):
    """Takes what is left out from what was observed."""
    return normal(transform(session, state))


def compare(session, verify=True, paths=None):
    """Compares in any case, also where a marker without paths says that nothing counts."""
    session.recorded_state = normal(session.recorded_state or {})
    return assert_all(session, verify or not paths, paths)


SnapshotSession._transform, SnapshotSession._assert_all = transformed, compare


def pytest_sessionstart(session):
    """Makes the roles of stack sets, which whoever recorded the tests had in his account."""
    iam = boto3.client("iam")
    account = boto3.client("sts").get_caller_identity()["Account"]
    for name, principal, action in (
        ("Administration", {"Service": "cloudformation.amazonaws.com"}, "sts:AssumeRole"),
        ("Execution", {"AWS": account}, "*"),
    ):
        role = f"AWSCloudFormationStackSet{name}Role"
        trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}}
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
        allowed = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}}
        iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=json.dumps(allowed))
