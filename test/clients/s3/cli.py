"""The AWS CLI: its commands run in this process, one after the other, because a start of the program takes most of a second. Prints ok."""

import contextlib
import filecmp
import io
import json
import os
import pathlib
import socket
import sys
import tempfile

from awscli.clidriver import create_clidriver

resolve = socket.getaddrinfo


def local(host, *args, **kwargs):
    """Resolves the names of buckets, as DNS would."""
    return resolve("127.0.0.1" if host.endswith(".localhost") else host, *args, **kwargs)


socket.getaddrinfo = local
given = json.load(sys.stdin)
folder = pathlib.Path(tempfile.mkdtemp())
os.environ.update(AWS_ACCESS_KEY_ID=given["key"], AWS_SECRET_ACCESS_KEY=given["secret"], AWS_REGION="us-east-1", AWS_CA_BUNDLE=given["ca"], AWS_MAX_ATTEMPTS="1",
                  AWS_CONFIG_FILE=str(folder / "config"))


class Output(io.StringIO):
    """Text, with the bytes below it that the CLI writes bodies to."""

    def __init__(self):
        super().__init__()
        self.buffer = io.BytesIO()


def aws(*args, stdin=b"", fails=False):
    """Runs a command and returns what it printed."""
    out, errors = Output(), io.StringIO()
    given_in, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = driver.main(list(args))
    finally:
        sys.stdin = given_in
    if bool(code) != fails:
        raise SystemExit(f"{os.environ['AWS_ENDPOINT_URL']}: aws {' '.join(args)}: {code}\n{out.getvalue()}{errors.getvalue()}")
    return out.buffer.getvalue() or out.getvalue()


def keys(bucket):
    for key in given["keys"]:
        body = folder / "body"
        body.write_bytes(key.encode())
        aws("s3api", "put-object", "--bucket", bucket, "--key", key, "--body", str(body))
        aws("s3api", "get-object", "--bucket", bucket, "--key", key, str(folder / "back"))
        assert (folder / "back").read_bytes() == key.encode(), key
    listed = json.loads(aws("s3api", "list-objects-v2", "--bucket", bucket, "--page-size", "5"))
    assert [o["Key"] for o in listed["Contents"]] == sorted(given["keys"], key=str.encode), listed
    for key in given["keys"]:
        aws("s3api", "delete-object", "--bucket", bucket, "--key", key)


def files(bucket):
    here, there = folder / bucket / "here", folder / bucket / "there"
    (here / "a dir+").mkdir(parents=True, exist_ok=True)
    (here / "a dir+" / "🦉 %2F.txt").write_text("owl")
    (here / "large").write_bytes(os.urandom(1 << 20) * 12)
    for file in (here / "a dir+" / "🦉 %2F.txt", here / "large"):
        os.utime(file, (0, 0))  # objects are as old as their second began: one of the same second would look older than its file
    aws("s3", "sync", str(here), f"s3://{bucket}/tree", "--only-show-errors")
    assert not aws("s3", "sync", str(here), f"s3://{bucket}/tree", "--dryrun"), "a second sync finds nothing to do"
    aws("s3", "sync", f"s3://{bucket}/tree", str(there), "--only-show-errors")
    for name in ("a dir+/🦉 %2F.txt", "large"):
        assert filecmp.cmp(here / name, there / name, shallow=False), name
    assert aws("s3", "cp", f"s3://{bucket}/tree/a dir+/🦉 %2F.txt", "-") == b"owl"
    aws("s3", "mv", f"s3://{bucket}/tree/large", f"s3://{bucket}/moved", "--only-show-errors")
    assert "moved" in aws("s3", "ls", f"s3://{bucket}/"), "the moved object is listed"
    assert "AccessDenied" not in aws("s3", "presign", f"s3://{bucket}/moved")
    aws("s3", "rb", f"s3://{bucket}", fails=True)
    aws("s3", "rb", f"s3://{bucket}", "--force")


for n, door in enumerate(given["doors"]):
    (folder / "config").write_text(f"[default]\ns3 =\n  addressing_style = {door['style']}\n")
    os.environ["AWS_ENDPOINT_URL"] = door["url"]
    driver = create_clidriver()
    aws("s3", "mb", f"s3://cli-{n}")
    keys(f"cli-{n}")
    driver = create_clidriver()  # get-object leaves handlers in the one before that other commands trip over
    files(f"cli-{n}")
print("ok")
