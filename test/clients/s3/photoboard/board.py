"""Uses the photo-board from Python, and looks at what it stored with boto3. Prints ok."""

import base64
import json
import ssl
import sys
import time
import urllib.error
import urllib.request

import boto3

given = json.load(sys.stdin)
trusted = ssl.create_default_context(cafile=given["ca"])
picture = base64.b64decode(given["picture"])


def send(scheme, method, url, body=None, headers=None):
    """Sends a request and returns status and body."""
    url = url.replace("http:", scheme + ":", 1)
    request = urllib.request.Request(url, method=method, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, context=trusted if scheme == "https" else None) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def use(scheme):
    def call(method, path, body=None, token=None, want=200):
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        status, answer = send(scheme, method, given["api"] + path, json.dumps(body).encode() if body else None, headers)
        assert status == want, (path, status, answer)
        return json.loads(answer)

    token = call("POST", "/signup", {"name": f"python-{scheme}", "password": "correct horse"}, want=201)["token"]
    board = call("POST", "/boards", {"title": "Lakes"}, token, 201)["id"]
    upload = call("POST", f"/boards/{board}/uploads", {"name": "lake ä.jpg", "type": "image/jpeg", "size": len(picture)}, token, 201)
    for body, want in ((picture[:-1], 403), (picture, 200), (picture, 412)):
        assert send(scheme, upload["method"], upload["url"], body, upload["headers"])[0] == want, want
    end = time.monotonic() + 60
    while not (pictures := call("GET", f"/boards/{board}", None, token)["pictures"]):
        assert time.monotonic() < end, "the picture does not come to the board"
        time.sleep(0.05)
    assert pictures[0]["name"] == "lake ä.jpg" and pictures[0]["width"] == 720, pictures
    assert send(scheme, "GET", pictures[0]["thumb"])[1][:3] == b"\xff\xd8\xff", "a link of the board shows no picture"
    client = boto3.client("s3", endpoint_url=given["endpoint"].replace("http:", scheme + ":", 1), verify=given["ca"], region_name="us-east-1",
                          aws_access_key_id=given["key"], aws_secret_access_key=given["secret"])
    stored = client.list_objects_v2(Bucket=given["uploads"], Prefix=board + "/")["Contents"]
    got = client.get_object(Bucket=given["uploads"], Key=stored[0]["Key"])
    assert len(stored) == 1 and got["Body"].read() == picture and got["ContentType"] == "image/jpeg", stored


for scheme in ("http", "https"):
    use(scheme)
print("ok")
