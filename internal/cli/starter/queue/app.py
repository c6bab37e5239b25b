import json


def handler(event, context):
    """Writes what came into the log."""
    print(json.dumps(event))
    return {"records": len(event.get("Records", []))}
