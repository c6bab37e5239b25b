"""The tools with which the samples are deployed: each makes the stacks of a folder, and takes them away."""

import json
import os
import re
import shutil
import subprocess
import tempfile


class Unmet(Exception):
    """A step did not end as it should."""


def run(what, command, folder, env, seconds=300):
    """Runs a command, whose last lines are the reason when it fails."""
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=seconds)
    if done.returncode:
        said = [line for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()]
        raise Unmet(what + ": " + " / ".join(said[-6:])[:700])
    return done.stdout


class Lambent:
    """`lambent deploy` builds the folder of a SAM template and deploys it."""

    sdk = sandbox = False

    def __init__(self, root):
        self.root = root

    def deploy(self, p, sample, stack):
        run("create", [p.program, "deploy", os.path.join(self.root, sample), "--stack", stack, "--endpoint", p.url], None, None)
        return [stack]

    def delete(self, p, stacks):
        for stack in reversed(stacks):
            p.cloudformation.delete_stack(StackName=stack)
            p.settled(stack)


class Npm:
    """A tool of the folder node_modules beside the samples. A sample is copied, since tools leave files in it."""

    sdk, sandbox = True, False

    def __init__(self, root):
        self.root = root

    def env(self, p):
        return dict(
            os.environ, PATH=os.path.join(self.root, "node_modules", ".bin") + ":" + os.environ["PATH"], NODE_PATH=os.path.join(self.root, "node_modules"), NODE_NO_WARNINGS="1",
            AWS_ENDPOINT_URL=p.url, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1", HOME=p.folder,
            CDK_DISABLE_CLI_TELEMETRY="1", SLS_TELEMETRY_DISABLED="1", CI="1")

    def copied(self, sample):
        """The folder stands beside node_modules, where the sample's own require() finds it."""
        os.makedirs(os.path.join(self.root, "work"), exist_ok=True)
        folder = tempfile.mkdtemp(dir=os.path.join(self.root, "work"))
        shutil.copytree(os.path.join(self.root, sample), folder, dirs_exist_ok=True, symlinks=True)
        return folder


class CDK(Npm):
    """`cdk bootstrap` and `cdk deploy --all` of an application. The functions that the CDK brings along answer to port 443, which is the platform inside of a sandbox alone."""

    sandbox = True

    def deploy(self, p, sample, stack):
        self.folder = self.copied(sample)
        with open(os.path.join(self.folder, "cdk.json"), encoding="utf-8") as f:
            self.app = json.load(f)["app"].split("&&")[-1].strip()  # types are checked by whoever writes the sample
        self.app = self.app.replace("npx ", "").replace("ts-node --prefer-ts-exts", "tsx")
        run("bootstrap", ["cdk", "bootstrap", "aws://000000000000/us-east-1"], p.folder, self.env(p))
        run("create", ["cdk", "deploy", "--all", "--require-approval", "never", "--app", self.app], self.folder, self.env(p))
        made = [s for s in p.cloudformation.describe_stacks()["Stacks"] if s["StackName"] != "CDKToolkit" and "ParentId" not in s]
        return [s["StackName"] for s in sorted(made, key=lambda s: s["CreationTime"])]

    def delete(self, p, stacks):
        run("delete", ["cdk", "destroy", "--all", "--force", "--app", self.app], self.folder, self.env(p))
        shutil.rmtree(self.folder)


class Serverless(Npm):
    """`osls deploy`, which goes on where version 3 of the Serverless Framework ended. It has version numbers of its own, and refuses runtimes that AWS has closed."""

    renewed = {r"(?m)^(frameworkVersion|  lambdaHashingVersion).*\n": "", r"nodejs1\d\.x": "nodejs20.x", r"python3\.\d\b": "python3.13"}

    def deploy(self, p, sample, stack):
        self.folder = self.copied(sample)
        config = os.path.join(self.folder, "serverless.yml")
        with open(config, encoding="utf-8") as f:
            text = f.read()
        for old, new in self.renewed.items():
            text = re.sub(old, new, text)
        with open(config, "w", encoding="utf-8") as f:
            f.write(text)
        run("create", ["osls", "deploy"], self.folder, self.env(p))
        return [s["StackName"] for s in p.cloudformation.describe_stacks()["Stacks"]]

    def delete(self, p, stacks):
        run("delete", ["osls", "remove"], self.folder, self.env(p))
        shutil.rmtree(self.folder)
