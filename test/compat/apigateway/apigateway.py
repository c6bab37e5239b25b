"""A plugin of pytest beside suite.py, for the tests of API Gateway.

Stands in for what the tests find outside of AWS: httpbin.org, which echoes requests, and the address that a LocalStack has. Leaves out of the comparison what
cannot be the same here: how CloudFront spells Authorization, the encryption that Lambent does not claim for objects without one (ADR 0070), how many
addresses the gateway and its client have, what gateways tell functions of TLS, which the tests do not use here, and the length of bodies with addresses in them.
"""

import http.server
import json
import re
import threading
from urllib.parse import parse_qs, urlsplit, urlunsplit

import botocore.client
import botocore.httpsession
import requests
import suite

HIDDEN = re.compile(r"^(Connection|Expect|Proxy-Authenticate|TE|Via|X-Forwarded-.*)$", re.I)
STATUS = re.compile(r"^/(?:status/)?(\d{3})$")


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers as httpbin.org does: with the request, or with the status that the path names."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        """Answers a request of any method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        u = urlsplit(self.path)
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        # The names are spelled as WSGI has them, without what the load balancer in front of httpbin.org takes away or adds.
        headers = {name.title(): value for name, value in self.headers.items() if not HIDDEN.match(name)}
        echo = {
            "args": {k: v[0] if len(v) == 1 else v for k, v in parse_qs(u.query).items()}, "data": body, "files": {}, "form": {}, "headers": headers,
            "json": document, "origin": self.client_address[0], "url": "http://" + self.headers["Host"] + self.path,
        }
        status = STATUS.match(u.path)
        sent = b"" if status else (json.dumps(echo, indent=2, sort_keys=True) + "\n").encode()
        self.send_response(int(status[1]) if status else 200)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(sent))), ("Connection", "keep-alive"),
                            ("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Credentials", "true")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def version_string(self):
        """Is the server's name."""
        return "gunicorn/19.9.0"

    def log_message(self, *args):
        """Says nothing."""


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
threading.Thread(target=server.serve_forever, daemon=True).start()
HTTPBIN, OURS = "http://httpbin.org", f"http://127.0.0.1:{server.server_port}"


def replaced(value, old, new):
    """Is a value with a text in the place of another."""
    if isinstance(value, dict):
        return {k: replaced(v, old, new) for k, v in value.items()}
    if isinstance(value, list):
        return [replaced(v, old, new) for v in value]
    return value.replace(old, new) if isinstance(value, str) else value


call = botocore.client.BaseClient._make_api_call


def to_echo(client, operation, parameters):
    """Leads integrations with httpbin.org to the server above, and shows them as they were asked for."""
    if client.meta.service_model.service_name != "apigateway":
        return call(client, operation, parameters)
    if operation in ("ImportRestApi", "PutRestApi") and "stageVariables" in str(parameters["body"]):
        parameters = {**parameters, "body": parameters["body"].replace("https://$", "http://$")}  # function URLs are plain HTTP here
    return replaced(call(client, operation, replaced(parameters, HTTPBIN, OURS)), OURS, HTTPBIN)


botocore.client.BaseClient._make_api_call = to_echo

LOCALSTACK = re.compile(r"^(?:(.*\.)?localhost\.localstack\.cloud|localhost):4566$")


def local(url):
    """Is a URL of a LocalStack as one of the Lambent, and the host that it names."""
    u = urlsplit(url)
    found = LOCALSTACK.match(u.netloc)
    if not found:
        return url, None
    return urlunsplit(("http", suite.LAMBENT, u.path, u.query, "")), u.netloc if found[1] else None


def led(send):
    """Sends a request for a LocalStack to the Lambent."""

    def sent(session, request, **options):
        request.url, host = local(request.url)
        if host:
            request.headers.setdefault("Host", host)
        return send(session, request, **options)

    return sent


requests.Session.send = led(requests.Session.send)
botocore.httpsession.URLLib3Session.send = led(botocore.httpsession.URLLib3Session.send)

SAME = re.compile(r"^(ServerSideEncryption|x-amz-server-side-encryption|origin|x-amzn-tls-.*|x-forwarded-for)$", re.I)
normal = suite.normal


def plain(value):
    """Is a recorded value without what is left out."""
    value = normal(value)
    if isinstance(value, dict):
        for name in ("Content-Length", "x-amzn-Remapped-Content-Length"):
            value.get("response-headers", {}).pop(name, None)
        return {"Authorization" if k.lower() == "authorization" else k: plain(v) for k, v in value.items() if not SAME.match(k)}
    return value


suite.normal = plain
