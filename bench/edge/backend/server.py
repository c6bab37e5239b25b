"""Serves a function's handler over HTTP, without Lambda: what nginx has behind it where the platform has the function.

    server.py FOLDER PORTS

FOLDER holds app.py with the handler. Each of the ports, separated by commas, has a process of its own, as each of a function's sandboxes does. "ready" is printed when all listen; the processes end with
the standard input.
"""

import json
import os
import selectors
import signal
import socket
import sys


def exchange(connection, handler):
    """Reads one request and answers it; false at the end of the connection."""
    raw = connection.recv(65536)
    if not raw:
        return False
    head, _, body = raw.partition(b"\r\n\r\n")
    headers = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    answer = handler(json.loads(body), None)
    text = answer["body"].encode()
    lines = "".join("%s: %s\r\n" % header for header in answer["headers"].items())
    connection.sendall(b"HTTP/1.1 %d OK\r\n%sContent-Length: %d\r\n\r\n%s" % (answer["statusCode"], lines.encode(), len(text), text))
    return True


def serve(listener, handler):
    """Answers one request at a time, of all connections."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connection, selectors.EVENT_READ)
            elif not exchange(key.fileobj, handler):
                selector.unregister(key.fileobj)
                key.fileobj.close()


def main():
    sys.path.insert(0, sys.argv[1])
    from app import handler

    children = []
    for port in sys.argv[2].split(","):
        listener = socket.create_server(("127.0.0.1", int(port)))
        child = os.fork()
        if child == 0:
            serve(listener, handler)
        children.append(child)
        listener.close()
    print("ready", flush=True)
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGTERM)


main()
