"""A chat over a WebSocket API: boto3 makes it and posts to its connections, the client library websockets and the program wscat talk to it."""

import json
import subprocess
import sys

import boto3
from botocore.exceptions import ClientError
from websockets.sync.client import connect

given = json.load(sys.stdin)
settings = dict(region_name="us-east-1", aws_access_key_id=given["key"], aws_secret_access_key=given["secret"])
gateway = boto3.client("apigatewayv2", endpoint_url=given["url"], **settings)

api = gateway.create_api(Name="chat", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
integration = gateway.create_integration(
    ApiId=api["ApiId"], IntegrationType="MOCK", TemplateSelectionExpression="\\$default", RequestTemplates={"$default": '{"statusCode": 200}'}
)
gateway.create_integration_response(
    ApiId=api["ApiId"], IntegrationId=integration["IntegrationId"], IntegrationResponseKey="$default",
    ResponseTemplates={"$default": '{"connectionId": "$context.connectionId", "route": "$context.routeKey"}'},
)
route = gateway.create_route(
    ApiId=api["ApiId"], RouteKey="who", Target="integrations/" + integration["IntegrationId"], RouteResponseSelectionExpression="$default"
)
gateway.create_route_response(ApiId=api["ApiId"], RouteId=route["RouteId"], RouteResponseKey="$default")
gateway.create_stage(ApiId=api["ApiId"], StageName="prod", AutoDeploy=True)

with connect(api["ApiEndpoint"] + "/prod") as client:
    client.send(json.dumps({"action": "who"}))
    answer = json.loads(client.recv(timeout=20))
    assert answer["route"] == "who", answer
    stage = api["ApiEndpoint"].replace("ws://", "http://") + "/prod"
    connections = boto3.client("apigatewaymanagementapi", endpoint_url=stage, **settings)
    connections.post_to_connection(ConnectionId=answer["connectionId"], Data=b"news")
    assert client.recv(timeout=20) == "news"
    known = connections.get_connection(ConnectionId=answer["connectionId"])
    assert known["Identity"]["SourceIp"] == "127.0.0.1", known
    connections.delete_connection(ConnectionId=answer["connectionId"])
    try:
        client.recv(timeout=20)
        raise SystemExit("the connection is still open")
    except Exception as error:  # the library has one class for each way a connection ends
        assert "1000" in str(error), error

# wscat sends its message when it is connected, and ends with its connection.
with subprocess.Popen(
    ["node", given["wscat"], "--connect", api["ApiEndpoint"] + "/prod", "--execute", json.dumps({"action": "who"}), "--wait", "60"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
) as program:
    answer = json.loads(program.stdout.readline())
    assert answer["route"] == "who", answer
    connections.post_to_connection(ConnectionId=answer["connectionId"], Data=b"news")
    assert program.stdout.readline() == "news\n"
    connections.delete_connection(ConnectionId=answer["connectionId"])
    program.wait(timeout=20)

try:
    connections.post_to_connection(ConnectionId="none", Data=b"x")
    raise SystemExit("a connection that does not exist took a message")
except ClientError as error:
    assert error.response["Error"]["Code"] == "GoneException", error.response
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 410, error.response

stranger = boto3.client("apigatewaymanagementapi", endpoint_url=stage, region_name="us-east-1", aws_access_key_id="AKIDNOBODY", aws_secret_access_key="x")
try:
    stranger.post_to_connection(ConnectionId=answer["connectionId"], Data=b"x")
    raise SystemExit("a stranger posted")
except ClientError as error:
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403, error.response
print("ok")
