"""boto3 and its transfer manager. Prints ok."""

import io
import json
import socket
import ssl
import sys
import urllib.error
import urllib.request
import uuid

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

resolve = socket.getaddrinfo


def local(host, *args, **kwargs):
    """Resolves the names of buckets, as DNS would."""
    return resolve("127.0.0.1" if host.endswith(".localhost") else host, *args, **kwargs)


socket.getaddrinfo = local
given = json.load(sys.stdin)
KEYS = given["keys"]
trusted = ssl.create_default_context(cafile=given["ca"])


def http(method, url, body=None, headers=None):
    """Sends a request that no SDK signs, and returns status and body."""
    request = urllib.request.Request(url, method=method, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, context=trusted if url.startswith("https") else None) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def objects(client, bucket):
    for key in KEYS:
        body = key.encode()
        client.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"of-key": "value"})
        got = client.get_object(Bucket=bucket, Key=key)
        assert got["Body"].read() == body and got["Metadata"] == {"of-key": "value"}, key
        assert client.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")["Body"].read() == body[:1], key
        client.copy_object(Bucket=bucket, Key="copies/" + key[:1000], CopySource={"Bucket": bucket, "Key": key})
        assert client.head_object(Bucket=bucket, Key="copies/" + key[:1000])["ContentLength"] == len(body), key
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 4})
    listed = [o["Key"] for page in pages for o in page["Contents"] if not o["Key"].startswith("copies/")]
    assert listed == sorted(KEYS, key=str.encode), listed


def parts(client, bucket):
    large = bytes(range(256)) * 48_000
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    for extra in ({}, {"ChecksumAlgorithm": "SHA256"}, {"ServerSideEncryption": "AES256"}):
        client.upload_fileobj(io.BytesIO(large), bucket, "large/🦉", Config=config, ExtraArgs=extra)
        back = io.BytesIO()
        client.download_fileobj(bucket, "large/🦉", back, Config=config)
        assert back.getvalue() == large, extra
    client.copy({"Bucket": bucket, "Key": "large/🦉"}, bucket, "large/copy", Config=config)
    assert client.get_object(Bucket=bucket, Key="large/copy")["Body"].read() == large


def presigned(client, bucket):
    for key in KEYS:
        if len(key) == 1024:
            continue
        put = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "url/" + key, "ContentType": "text/plain", "IfNoneMatch": "*"})
        headers = {"Content-Type": "text/plain", "If-None-Match": "*"}
        assert http("PUT", put, key.encode(), headers)[0] == 200, key
        assert http("PUT", put, b"again", headers)[0] == 412, key
        assert http("PUT", put, b"without the condition", {"Content-Type": "text/plain"})[0] == 403, key
        status, body = http("GET", client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "url/" + key}))
        assert (status, body) == (200, key.encode()), key


def form(client, bucket):
    post = client.generate_presigned_post(bucket, "forms/${filename}", Fields={"success_action_status": "201"},
                                          Conditions=[{"success_action_status": "201"}, ["content-length-range", 1, 20]])
    for body, want in ((b"picture", 201), (b"p" * 21, 400)):
        boundary = uuid.uuid4().hex
        lines = [f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in post["fields"].items()]
        lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="p.png"\r\n\r\n')
        data = "".join(lines).encode() + body + f"\r\n--{boundary}--\r\n".encode()
        status, answer = http("POST", post["url"], data, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
        assert status == want, (status, answer)
    assert client.get_object(Bucket=bucket, Key="forms/p.png")["Body"].read() == b"picture"


def clean(client, bucket):
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        gone = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": o["Key"]} for o in page["Contents"]]})
        assert not gone.get("Errors"), gone
    client.delete_bucket(Bucket=bucket)
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as e:
        assert e.response["Error"]["Code"] == "404", e
    else:
        raise AssertionError("the bucket is still there")


for n, door in enumerate(given["doors"]):
    client = boto3.client(
        "s3", endpoint_url=door["url"], verify=given["ca"], region_name="us-east-1", aws_access_key_id=given["key"], aws_secret_access_key=given["secret"],
        config=Config(retries={"total_max_attempts": 1}, signature_version="s3v4", s3={"addressing_style": door["style"]}),
    )
    bucket = f"boto-{n}"
    client.create_bucket(Bucket=bucket)
    for check in (objects, parts, presigned, form, clean):
        try:
            check(client, bucket)
        except Exception as e:
            raise SystemExit(f"{door}: {check.__name__}: {type(e).__name__}: {e}") from e
print("ok")
