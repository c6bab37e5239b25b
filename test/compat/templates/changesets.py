"""Makes change sets of templates, to see what is refused when it is planned."""

import os
import subprocess
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


class Refused(Exception):
    """A change set cannot be made, for the reason that the exception tells."""


class Platform:
    """A Lambent of its own, in memory."""

    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory()
        with open(os.path.join(self.folder.name, "log"), "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [program, "up", "--ephemeral", "--listen", "127.0.0.1:0", "--sandbox", "off"], cwd=self.folder.name, stdout=subprocess.PIPE, stderr=errors, text=True)
        ready = self.process.stdout.readline().split()
        if ready[:2] != ["lambent", "ready"]:
            raise RuntimeError("Lambent did not start: see " + self.folder.name)
        self.cloudformation = boto3.Session("test", "test", region_name="us-east-1").client(
            "cloudformation", endpoint_url=ready[2], config=Config(retries={"max_attempts": 0}, parameter_validation=False))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def processed(self, text, stack, values=()):
        """Returns a template as its transforms make it. Parameters without a value get one, so that the lack of one is no reason to refuse it."""
        parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in dict(values).items()]
        try:
            return self.planned(text, stack, parameters)
        except Refused as e:
            missing = str(e)
        if not missing.startswith("Parameters: ["):
            raise Refused(missing)
        names = missing[len("Parameters: ["):].split("]")[0].split(", ")
        return self.planned(text, stack, parameters + [{"ParameterKey": n, "ParameterValue": "placeholder"} for n in names])

    def planned(self, text, stack, parameters):
        try:
            made = self.cloudformation.create_change_set(
                StackName=stack, ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=text, Capabilities=CAPABILITIES, Parameters=parameters, Tags=[STUBS])
        except ClientError as e:
            why = e.response["Error"]["Message"]
            raise (Internal if e.response["ResponseMetadata"]["HTTPStatusCode"] >= 500 else Refused)(why) from e
        except BotoCoreError as e:  # boto3 itself refuses it, such as an empty one
            raise Refused(str(e)) from e
        state = self.cloudformation.describe_change_set(StackName=stack, ChangeSetName=made["Id"])
        if state["Status"] == "FAILED":
            self.cloudformation.delete_stack(StackName=stack)
            raise Refused(state.get("StatusReason", "failed"))
        out = self.cloudformation.get_template(StackName=stack, ChangeSetName=made["Id"], TemplateStage="Processed")["TemplateBody"]
        self.cloudformation.delete_stack(StackName=stack)
        return out


def listed(name):
    """Reads a list of cases that do not come out as they should, each with its reason."""
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return dict(line.strip().split(": ", 1) for line in f if line.strip() and not line.startswith("#"))


class Count:
    """Counts outcomes against a list of the cases that are expected to fail."""

    def __init__(self, file):
        self.file, self.unmet, self.seen = file, listed(file), set()
        self.right = self.expected = self.wrong = 0

    def case(self, name, failure):
        """Counts a case; failure tells what is wrong with it, and is None for nothing."""
        self.seen.add(name)
        if failure is None and name in self.unmet:
            self.wrong += 1
            print(f"{name}: comes out right, and is listed in {self.file}", flush=True)
        elif failure is None:
            self.right += 1
        elif name in self.unmet:
            self.expected += 1
        else:
            self.wrong += 1
            print(f"{name}: {failure}", flush=True)

    def end(self, what):
        """Prints the sum, and returns the exit code."""
        for name in sorted(set(self.unmet) - self.seen):
            print(f"{name}: is in {self.file}, and is no case")
            self.wrong += 1
        print(f"{self.right} {what}, {self.expected} do not as listed, {self.wrong} otherwise")
        return 1 if self.wrong else 0
