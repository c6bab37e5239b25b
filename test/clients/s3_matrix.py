"""Puts, lists, reads, copies and deletes objects with odd keys through boto3: over HTTP and TLS, with the bucket in the path and in the host.

Reads {"urls": [URL, ...], "ca": FILE} from standard input, prints one line per fault and a count.
"""

import io
import json
import socket
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

resolve = socket.getaddrinfo


def local(host, *args, **kwargs):
    """Resolves the names of buckets, as DNS would."""
    return resolve("127.0.0.1" if host.endswith(".localhost") else host, *args, **kwargs)


socket.getaddrinfo = local

KEYS = [
    "a//b", "a/../b", "./x", "a%2Fb", "a+b c", "plus+plus", "🦉/ä", "a&b=c?d#e", "x" * 1024, "'\"<>", "trailing/", " leading", "tab\tkey", "%", "~-_.!*()",
]


def check(name, client, bucket):
    faults = []

    def want(what, got, expected):
        if got != expected:
            faults.append(f"FAULT {name}: {what}: {got!r}, want {expected!r}")

    client.create_bucket(Bucket=bucket)
    for key in KEYS:
        body = key.encode()
        client.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"of-key": "value"})
        got = client.get_object(Bucket=bucket, Key=key)
        want(f"body of {key!r}", got["Body"].read(), body)
        want(f"metadata of {key!r}", got["Metadata"], {"of-key": "value"})
        want(f"range of {key!r}", client.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")["Body"].read(), body[:1])
    listed = [o["Key"] for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 4}) for o in page["Contents"]]
    want("list", listed, sorted(KEYS, key=lambda k: k.encode()))
    client.copy_object(Bucket=bucket, Key="copied", CopySource={"Bucket": bucket, "Key": KEYS[4]})
    want("copy", client.get_object(Bucket=bucket, Key="copied")["Body"].read(), KEYS[4].encode())
    large = bytes(range(256)) * 24_000  # two parts
    client.upload_fileobj(io.BytesIO(large), bucket, "large/🦉", Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
    back = io.BytesIO()
    client.download_fileobj(bucket, "large/🦉", back, Config=TransferConfig(multipart_threshold=1 << 20, multipart_chunksize=1 << 20))
    want("transfer", back.getvalue() == large, True)
    gone = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in [*KEYS, "copied", "large/🦉"]]})
    want("delete", (len(gone["Deleted"]), gone.get("Errors")), (len(KEYS) + 2, None))
    client.delete_bucket(Bucket=bucket)
    return faults


def main():
    job = json.load(sys.stdin)
    faults = []
    runs = 0
    for url in job["urls"]:
        for style in ("path", "virtual"):
            at = url.replace("127.0.0.1", "s3.localhost") if style == "virtual" else url
            client = boto3.client(
                "s3", endpoint_url=at, verify=job["ca"], region_name="us-east-1", aws_access_key_id=job["key"], aws_secret_access_key=job["secret"],
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": style}),
            )
            faults += check(f"{at} {style}", client, f"matrix-{runs}")
            runs += 1
    print("\n".join([*faults, f"{runs} clients, {len(KEYS)} keys each, {len(faults)} faults"]))
    sys.exit(1 if faults else 0)


main()
