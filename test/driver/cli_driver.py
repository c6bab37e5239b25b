"""Makes calls through the AWS CLI, in a fork of a process that has it loaded: a line of JSON in, a line of JSON out."""

import base64
import io
import json
import os
import re
import sys
import tempfile

import awscli.clidriver
from botocore import xform_name


def run(arguments):
    """Runs the CLI in a child and returns its exit code and what it wrote."""
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
    child = os.fork()
    if child == 0:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.stdout, sys.stderr = io.TextIOWrapper(os.fdopen(1, "wb", 0)), io.TextIOWrapper(os.fdopen(2, "wb", 0))
        code = 255
        try:
            code = awscli.clidriver.create_clidriver().main(arguments)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    out.seek(0)
    err.seek(0)
    return os.waitstatus_to_exitcode(status), out.read().decode(), err.read().decode()


def answer(request):
    os.environ.update({
        "AWS_ACCESS_KEY_ID": request["key"], "AWS_SECRET_ACCESS_KEY": request["secret"], "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    })
    os.environ.pop("AWS_SESSION_TOKEN", None)
    if request.get("token"):
        os.environ["AWS_SESSION_TOKEN"] = request["token"]
    given, body = dict(request["input"]), None
    service = "s3api" if request["service"] == "s3" else request["service"]
    arguments = [service, xform_name(request["operation"], "-"), "--endpoint-url", request["endpoint"], "--output", "json"]
    with tempfile.TemporaryDirectory() as folder:
        if service == "s3api" and "Body" in given:  # the CLI takes bodies from files
            path = os.path.join(folder, "in")
            with open(path, "w") as f:
                f.write(given.pop("Body"))
            arguments += ["--body", path]
        for name in [n for n, v in given.items() if isinstance(v, dict) and set(v) == {"base64"}]:
            path = os.path.join(folder, name)
            with open(path, "wb") as f:
                f.write(base64.b64decode(given.pop(name)["base64"]))
            arguments += ["--" + xform_name(name, "-"), "fileb://" + path]
        if request["operation"] in ("GetObject", "Invoke"):
            body = os.path.join(folder, "out")
            for name, value in given.items():  # with a file to write, the CLI wants its other arguments one by one
                arguments += ["--" + xform_name(name, "-"), str(value)]
            arguments.append(body)
        else:
            arguments += ["--cli-input-json", json.dumps(given)]
        code, out, err = run(arguments)
        if code == 0:
            output = json.loads(out) if out.strip() else {}
            if body:
                with open(body) as f:
                    output["Payload" if request["operation"] == "Invoke" else "Body"] = f.read()
            return {"output": output}
    match = re.search(r"An error occurred \((\S+)\) when calling the \w+ operation(?: \([^)]*\))?: (.*)", err, re.S)
    if match:
        return {"code": match.group(1), "message": match.group(2).strip()}
    return {"code": "CLI", "message": err.strip()}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
