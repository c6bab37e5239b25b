import json
import os
import platform


def handler(event, context):
    message = f"{os.environ['GREETING']}, {event['pathParameters']['name']}!"
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"message": message, "from": f"Python {platform.python_version()}"}),
    }
