"""Makes calls through boto3: a line of JSON in, a line of JSON out."""

import base64
import datetime
import json
import sys

import boto3
import botocore.config
import botocore.exceptions
from botocore import xform_name

clients = {}


def client(request):
    region = request.get("region") or "us-east-1"
    key = (request["service"], request["endpoint"], request["key"], request["secret"], request.get("token"), region, request.get("raw"))
    if key not in clients:
        clients[key] = boto3.client(
            request["service"], endpoint_url=request["endpoint"], region_name=region,
            aws_access_key_id=request["key"], aws_secret_access_key=request["secret"], aws_session_token=request.get("token"),
            config=botocore.config.Config(retries={"total_max_attempts": 1}, parameter_validation=not request.get("raw"), connect_timeout=5, read_timeout=30),
        )
    return clients[key]


def plain(value):
    if isinstance(value, (bytes, bytearray)):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if hasattr(value, "read"):
        return value.read().decode("utf-8", "replace")
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(v) for v in value]
    return value


def raw(value):
    """Bytes are given as {"base64": "…"}."""
    if isinstance(value, dict):
        return base64.b64decode(value["base64"]) if set(value) == {"base64"} else {k: raw(v) for k, v in value.items()}
    if isinstance(value, list):
        return [raw(v) for v in value]
    return value


def answer(request):
    try:
        c = client(request)
        if request.get("presign"):
            return {"output": c.generate_presigned_url(
                xform_name(request["operation"]), Params=request["input"], ExpiresIn=request["presign"], HttpMethod=request["method"])}
        return {"output": plain(getattr(c, xform_name(request["operation"]))(**raw(request["input"])))}
    except botocore.exceptions.ClientError as e:
        detail = {k: str(v) for k, v in e.response["Error"].items() if k not in ("Code", "Message")}
        return {
            "code": e.response["Error"].get("Code", ""), "message": e.response["Error"].get("Message", ""),
            "status": e.response["ResponseMetadata"]["HTTPStatusCode"], "detail": detail}
    except Exception as e:  # a mistake in the script, or an answer that the client does not understand
        return {"code": type(e).__name__, "message": str(e)}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
