"""Calls every operation of the given services through boto3 and checks that those without a handler answer an error that names them.

Reads {"endpoint": URL, "services": {boto name: {"implemented": [operation, ...]}}} from standard input, prints one line per fault and a count.
"""

import json
import socket
import sys

import boto3
import botocore.exceptions
from botocore.config import Config


resolve = socket.getaddrinfo


def local(host, *args, **kwargs):
    """Resolves names that a client makes of the endpoint by putting an account in front of it, as DNS would."""
    return resolve("127.0.0.1" if host.endswith(".127.0.0.1") else host, *args, **kwargs)


socket.getaddrinfo = local


def sample(shape, depth=0):
    """Returns a value that botocore's own validation accepts for a shape."""
    kind = shape.type_name
    if kind == "structure":
        if depth > 8:
            return {}
        names = list(shape.required_members)
        if getattr(shape, "is_tagged_union", False) and not names:
            names = list(shape.members)[:1]
        return {n: sample(shape.members[n], depth + 1) for n in names}
    if kind == "list":
        n = shape.metadata.get("min", 0)
        return [sample(shape.member, depth + 1)] * n
    if kind == "map":
        return {}
    if kind == "string":
        if shape.enum:
            return shape.enum[0]
        return "a" * max(1, shape.metadata.get("min", 1))
    if kind in ("integer", "long", "float", "double"):
        return max(1, shape.metadata.get("min", 1))
    if kind == "boolean":
        return True
    if kind == "timestamp":
        return 0
    if kind == "blob":
        return b"x" * max(1, shape.metadata.get("min", 1))
    raise TypeError(kind)


def snake(name):
    from botocore import xform_name

    return xform_name(name)


def main():
    job = json.load(sys.stdin)
    config = Config(retries={"max_attempts": 0}, inject_host_prefix=False, s3={"addressing_style": "path"}, read_timeout=10)
    calls = faults = 0
    for name, spec in job["services"].items():
        client = boto3.client(
            name, endpoint_url=job["endpoint"], region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test", config=config
        )
        model = client.meta.service_model
        for operation in spec["operations"]:
            if operation not in model.operation_names:
                print(f"FAULT {name} {operation}: boto3 does not have it")
                faults += 1
                continue
            shape = model.operation_model(operation).input_shape
            params = sample(shape) if shape is not None else {}
            if "AccountId" in params:
                params["AccountId"] = "000000000000"
            if "KvsARN" in params:
                params["KvsARN"] = "arn:aws:cloudfront::000000000000:key-value-store/a"
            calls += 1
            try:
                getattr(client, snake(operation))(**params)
            except botocore.exceptions.ClientError as e:
                code, message = e.response["Error"].get("Code", ""), e.response["Error"].get("Message", "")
                status = e.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 501 and (code == "NotImplemented" and operation in message or model.operation_model(operation).http["method"] == "HEAD"):
                    continue
                print(f"FAULT {name} {operation}: {status} {code}: {message}")
            except Exception as e:
                print(f"FAULT {name} {operation}: {type(e).__name__}: {e}")
            else:
                print(f"FAULT {name} {operation}: answered without an error")
            faults += 1
    print(f"{calls} calls, {faults} faults")
    sys.exit(1 if faults else 0)


main()
