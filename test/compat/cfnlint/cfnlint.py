"""Makes a change set of each bad template among the public fixtures of cfn-lint.

    cfnlint.py LAMBENT FOLDER

A template is refused when its change set is, or fails. Those that are not refused are in unmet.txt, each with its reason; one that is refused although it is listed fails the run,
and so does an internal failure.
"""

import os
import subprocess
import sys
import tempfile

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

HERE = os.path.dirname(os.path.abspath(__file__))
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
# A type that Lambent does not have is no reason to refuse a template here: it would hide the mistake that the template was written for.
STUBS = {"Key": "lambent:stub-unknown", "Value": "true"}


class Internal(Exception):
    """The platform failed."""


def start(program, folder):
    with open(os.path.join(folder, "log"), "w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [program, "up", "--ephemeral", "--listen", "127.0.0.1:0", "--sandbox", "off"], cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True)
    ready = process.stdout.readline().split()
    if ready[:2] != ["lambent", "ready"]:
        raise RuntimeError("Lambent did not start: see " + folder)
    return process, ready[2]


def refused(cloudformation, text, number):
    """Returns why a change set of a template cannot be made, or None. Parameters without a default get a value, so that the lack of one is no reason."""
    stack = f"s{number}"
    for parameters in ([], None):
        if parameters is None:
            parameters = placeholders(why)
        try:
            made = cloudformation.create_change_set(
                StackName=stack, ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=text, Capabilities=CAPABILITIES, Parameters=parameters, Tags=[STUBS])
        except ClientError as e:
            why = e.response["Error"]["Message"]
            if e.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise Internal(why) from e
        except BotoCoreError as e:  # boto3 itself refuses it, such as an empty one
            return str(e)
        else:
            state = cloudformation.describe_change_set(StackName=stack, ChangeSetName=made["Id"])
            cloudformation.delete_stack(StackName=stack)
            return state.get("StatusReason", "failed") if state["Status"] == "FAILED" else None
        if not why.startswith("Parameters: ["):
            return why
    return why


def placeholders(why):
    """Reads the names of the parameters without a value from the refusal."""
    names = why[len("Parameters: ["):].split("]")[0].split(", ")
    return [{"ParameterKey": n, "ParameterValue": "placeholder"} for n in names]


def main():
    program, root = sys.argv[1:3]
    with open(os.path.join(HERE, "unmet.txt"), encoding="utf-8") as f:
        unmet = dict(line.strip().split(": ", 1) for line in f if line.strip() and not line.startswith("#"))
    files = sorted(os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names if name.endswith((".yaml", ".json")))
    counts = {"refused": 0, "listed": 0, "wrong": 0}
    with tempfile.TemporaryDirectory() as folder:
        process, url = start(program, folder)
        cloudformation = boto3.Session("test", "test", region_name="us-east-1").client(
            "cloudformation", endpoint_url=url, config=Config(retries={"max_attempts": 0}, parameter_validation=False))
        for number, name in enumerate(files):
            with open(os.path.join(root, name), encoding="utf-8") as f:
                text = f.read()
            try:
                why = refused(cloudformation, text, number)
            except Internal as e:
                print(f"{name}: {e}", flush=True)
                counts["wrong"] += 1
                continue
            kind = {(True, False): "refused", (False, True): "listed"}.get((why is not None, name in unmet), "wrong")
            counts[kind] += 1
            if kind == "wrong" or len(sys.argv) > 3:
                print(f"{name}: {why or 'is not refused'}", flush=True)
        process.terminate()
        process.wait()
    gone = sorted(set(unmet) - set(files))
    for name in gone:
        print(f"{name}: is in unmet.txt, and is no fixture")
    print(f"{counts['refused']} bad templates are refused, {counts['listed']} are not as listed, {counts['wrong'] + len(gone)} otherwise")
    sys.exit(1 if counts["wrong"] or gone else 0)


main()
