import json


def handler(event, context):
    """Answers every request of the API."""
    name = event["rawPath"].strip("/") or "world"
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps({"hello": name})}
