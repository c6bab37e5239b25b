"""What a parked process runs: the code paths of an ordinary handler."""

import json
import logging


def handler(event, context):
    print("parked", context.aws_request_id, context.get_remaining_time_in_millis() > 0)
    logging.getLogger().warning("parked")
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(event)}
