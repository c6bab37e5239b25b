"""s3cmd, as a program of its own. Its host names resolve through sitecustomize.py beside its settings. Prints ok."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

given = json.load(sys.stdin)
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "sitecustomize.py").write_text(
    "import socket\nresolve = socket.getaddrinfo\n"
    "socket.getaddrinfo = lambda host, *args, **kwargs: resolve('127.0.0.1' if host.endswith('.localhost') else host, *args, **kwargs)\n")
# s3cmd puts a file below a key that ends with a slash, and cannot write long names to its screen.
KEYS = [k for k in given["keys"] if len(k) < 200 and not k.endswith("/")]
SETTINGS = """[default]
access_key = {key}
secret_key = {secret}
host_base = {host}
host_bucket = {bucket}
use_https = {https}
ca_certs_file = {ca}
multipart_chunk_size_mb = 5
max_retries = 1
"""


def s3cmd(*args, fails=False):
    """Runs a command and returns what it printed."""
    done = subprocess.run([os.environ["S3CMD"], "-c", folder / "settings", *args], capture_output=True, env={**os.environ, "PYTHONPATH": str(folder)})
    if bool(done.returncode) != fails:
        raise SystemExit(f"{door}: s3cmd {args}: {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout


def check(bucket):
    here, back = folder / "here", folder / "back"
    s3cmd("mb", f"s3://{bucket}")
    here.write_bytes(b"body")
    for key in KEYS:
        s3cmd("put", here, f"s3://{bucket}/{key}")
    listed = [line.split(f"s3://{bucket}/", 1)[1] for line in s3cmd("ls", "--recursive", f"s3://{bucket}/").decode().split("\n") if line]
    assert listed == sorted(KEYS, key=str.encode), listed
    for key in KEYS:
        s3cmd("get", "--force", f"s3://{bucket}/{key}", back)
        assert back.read_bytes() == b"body", key
    large = os.urandom(1 << 20) * 12
    here.write_bytes(large)
    # Without --acl-private this version copies the access control list too, which buckets without lists refuse, as on AWS.
    s3cmd("put", "--add-header=x-amz-meta-of: s3cmd", here, f"s3://{bucket}/large")
    s3cmd("cp", "--acl-private", f"s3://{bucket}/large", f"s3://{bucket}/copy 🦉")
    s3cmd("get", "--force", f"s3://{bucket}/copy 🦉", back)
    assert back.read_bytes() == large
    assert b"x-amz-meta-of" in s3cmd("info", f"s3://{bucket}/copy 🦉")
    tree = folder / bucket
    (tree / "d").mkdir(parents=True)
    (tree / "d" / "a+b").write_text("x")
    s3cmd("sync", f"{tree}/", f"s3://{bucket}/tree/")
    assert not s3cmd("sync", "--dry-run", f"{tree}/", f"s3://{bucket}/tree/").strip(), "a second sync finds nothing to do"
    assert b"http" in s3cmd("signurl", f"s3://{bucket}/large", "+60")
    policy = folder / "policy"
    policy.write_text('{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/secret"}]}' % bucket)
    s3cmd("setpolicy", policy, f"s3://{bucket}")
    s3cmd("delpolicy", f"s3://{bucket}")
    s3cmd("rb", f"s3://{bucket}", fails=True)
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}/")
    s3cmd("rb", f"s3://{bucket}")


for n, door in enumerate(given["doors"]):
    scheme, host = door["url"].split("://")
    (folder / "settings").write_text(SETTINGS.format(
        key=given["key"], secret=given["secret"], host=host, bucket=host if door["style"] == "path" else f"%(bucket)s.{host}", https=scheme == "https", ca=given["ca"]))
    check(f"s3cmd-{n}")
print("ok")
