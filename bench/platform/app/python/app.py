"""Answers as the Go function beside it does, through the bundled runtime client."""

import json


def handler(event, context):
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps({"message": "hello"})}
