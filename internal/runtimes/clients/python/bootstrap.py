"""Lambent's runtime client for Python: loads a handler and serves it over the Lambda Runtime API.

It speaks HTTP/1.1 itself, over the socket that it inherits (LAMBENT_RUNTIME_FD) or over TCP (AWS_LAMBDA_RUNTIME_API), because
one read and one write an invocation are what make a warm call cheap.

Started ahead of need (LAMBENT_PARKED) it runs a handler of its own, which brings in the modules that a real one will use, until an answer to "next"
carries an assignment: the environment of a function, whose code is in place by then.
"""

import importlib
import json
import logging
import os
import site
import sys
import time
import traceback

PREFIX = "/2018-06-01/runtime/"


class Fault(Exception):
    """An error of the runtime itself, such as a handler that does not exist."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind, self.message, self.trace = kind, message, list(trace)


class Connection:
    """One keep-alive connection to the Runtime API."""

    def __init__(self):
        fd = os.environ.pop("LAMBENT_RUNTIME_FD", "")
        if fd:
            import select

            self.fd = int(fd)
            os.set_inheritable(self.fd, False)
            # A read that sleeps on a unix socket is woken by the room that there is when the platform reads what was written; a poll for input is not.
            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            self.wait = poll.poll
        else:
            import socket  # not needed, and not loaded, with an inherited descriptor

            host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].partition(":")
            sock = socket.create_connection((host, int(port or 80)))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.fd = sock.detach()
            self.wait = lambda: None
        self.rest = b""

    def send(self, method, path, body=b"", fields=""):
        head = f"{method} {PREFIX}{path} HTTP/1.1\r\nHost: lambda\r\n{fields}Content-Length: {len(body)}\r\n\r\n"
        return head.encode("latin-1") + body

    def write(self, data):
        sent = os.write(self.fd, data)
        while sent < len(data):
            sent += os.write(self.fd, memoryview(data)[sent:])

    def fill(self):
        self.wait()
        data = os.read(self.fd, 65536)
        if not data:
            os._exit(0)  # the platform has gone away
        self.rest += data

    def read(self):
        """Returns the header fields, with names in lower case, and the body of one response."""
        while (end := self.rest.find(b"\r\n\r\n")) < 0:
            self.fill()
        fields = {}
        for line in self.rest[:end].decode("latin-1").split("\r\n"):
            name, _, value = line.partition(": ")
            fields[name.lower()] = value
        end += 4
        whole = end + int(fields.get("content-length", "0"))
        while len(self.rest) < whole:
            self.fill()
        body = self.rest[end:whole]
        self.rest = self.rest[whole:]
        return fields, body


class CognitoIdentity:
    def __init__(self, document):
        self.cognito_identity_id = document.get("cognitoIdentityId")
        self.cognito_identity_pool_id = document.get("cognitoIdentityPoolId")


class Client:
    def __init__(self, document):
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
            setattr(self, name, document.get(name))


class ClientContext:
    def __init__(self, document):
        self.client = Client(document["client"]) if isinstance(document.get("client"), dict) else None
        self.custom = document.get("custom")
        self.env = document.get("env")


def about_function():
    """What every invocation's context tells of the function."""
    environ = os.environ
    return {
        "log_group_name": environ.get("AWS_LAMBDA_LOG_GROUP_NAME"),
        "log_stream_name": environ.get("AWS_LAMBDA_LOG_STREAM_NAME"),
        "function_name": environ.get("AWS_LAMBDA_FUNCTION_NAME"),
        "function_version": environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
        "memory_limit_in_mb": environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
    }


class LambdaContext:
    """What a handler may know of its invocation."""

    def __init__(self, fields, function):
        self.__dict__.update(function)
        self.aws_request_id = fields.get("lambda-runtime-aws-request-id", "")
        self.invoked_function_arn = fields.get("lambda-runtime-invoked-function-arn", "")
        self.tenant_id = fields.get("lambda-runtime-aws-tenant-id")
        self._deadline = int(fields.get("lambda-runtime-deadline-ms", "0"))
        client = fields.get("lambda-runtime-client-context")
        self.client_context = ClientContext(json.loads(client)) if client else None
        identity = fields.get("lambda-runtime-cognito-identity")
        self.identity = CognitoIdentity(json.loads(identity) if identity else {})

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))


current = {"id": ""}


def one_event(text):
    """Keeps what belongs together in one log event: lines within are separated by CR."""
    return text.rstrip("\n").replace("\n", "\r") + "\n"


class Formatter(logging.Formatter):
    def format(self, record):
        record.aws_request_id = current["id"]
        return super().format(record)


def timestamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class JsonFormatter(logging.Formatter):
    def format(self, record):
        document = {
            "timestamp": timestamp(record.created),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": current["id"],
        }
        if record.exc_info:
            kind, value, trace = record.exc_info
            document["errorType"] = kind.__name__
            document["errorMessage"] = str(value)
            document["stackTrace"] = traceback.format_tb(trace)
        return json.dumps(document, ensure_ascii=False, default=str)


class Handler(logging.Handler):
    def emit(self, record):
        try:
            sys.stdout.write(one_event(self.format(record)))
        except Exception:
            self.handleError(record)


def set_up_logging():
    handler = Handler()
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON":
        handler.setFormatter(JsonFormatter())
    else:
        formatter = Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S")
        formatter.converter = time.gmtime
        handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL")
    if level:
        root.setLevel({"TRACE": "DEBUG", "WARN": "WARNING", "FATAL": "CRITICAL"}.get(level, level))


def load(name):
    """Imports the handler that a function is configured with."""
    module_name, dot, function = name.rpartition(".")
    if not dot or not module_name or not function:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)")
    module_path = module_name.replace("/", ".")
    if module_path.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.ImportModuleError", f"Cannot use built-in module {module_name} as a handler module")
    try:
        module = importlib.import_module(module_path)
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {e}") from None
    except SyntaxError as e:
        where = f'  File "{e.filename}" Line {e.lineno}\n    {(e.text or "").strip()}'
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {e}", [where]) from None
    if not hasattr(module, function):
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module_name}'")
    return getattr(module, function)


def own_frames(trace):
    """The frames below this file: of the function and, where it is loaded, of the import machinery. As on AWS without marks under their lines."""
    frames = traceback.extract_tb(trace)
    first = next((i for i, f in enumerate(frames) if f.filename != __file__), len(frames))
    return traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in frames[first:]])


def describe(error, request_id):
    """The error document in the order of keys that AWS uses, with the line for the log."""
    if isinstance(error, Fault):
        kind, message, trace = error.kind, error.message, error.trace
    else:
        kind, message, trace = type(error).__name__, str(error), own_frames(error.__traceback__)
    document = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON":
        log = json.dumps({"timestamp": timestamp(time.time()), "log_level": "ERROR", **document}, ensure_ascii=False) + "\n"
    else:
        log = f"[ERROR] {kind}: {message}" if message else f"[ERROR] {kind}"
        if trace:
            log += "\nTraceback (most recent call last):\n" + "".join(trace)
        log = one_event(log)
    return document, log


def encode(value):
    decimal = sys.modules.get("decimal")  # a function without it returns none
    if decimal and isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


to_text = json.JSONEncoder(ensure_ascii=False, default=encode).encode
from_text = json.JSONDecoder().decode


def to_json(response):
    try:
        return to_text(response).encode("utf-8", "surrogatepass")
    except Exception as e:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {e}") from None


def error_fields(kind):
    return f"Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: {kind.encode('ascii', 'replace').decode()}\r\n"


def serve(connection, handler):
    """Serves invocations; returns the variables of an assignment."""
    function = about_function()
    ask = connection.send("GET", "invocation/next")
    out = ask
    while True:
        connection.write(out)
        while True:  # the answer to what was sent before "next" comes first
            fields, body = connection.read()
            request_id = fields.get("lambda-runtime-aws-request-id")
            if request_id:
                break
            if "lambent-assignment" in fields:
                return json.loads(body)
        current["id"] = request_id
        trace = fields.get("lambda-runtime-trace-id")
        if trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        try:
            try:
                event = from_text(body.decode("utf-8", "surrogatepass"))
            except Exception as e:
                raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {e}") from None
            answer = to_json(handler(event, LambdaContext(fields, function)))
            out = connection.send("POST", f"invocation/{request_id}/response", answer, "Content-Type: application/json\r\n")
        except Exception as e:
            document, log = describe(e, request_id)
            sys.stdout.write(log)
            out = connection.send("POST", f"invocation/{request_id}/error", json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"), error_fields(document["errorType"]))
        sys.stdout.flush()
        sys.stderr.flush()
        out += ask


def work(count):
    """Forks a process for each invocation that the environment takes at a time, and ends with the last of them. Returns in those."""
    for _ in range(count):
        if os.fork() == 0:
            return
    while True:
        try:
            os.wait()
        except ChildProcessError:
            os._exit(1)  # nobody is left to serve the environment


def snapshot(connection):
    """Runs the hooks around a snapshot: some before it is taken, and the others when it is restored, which may be long after."""
    hooks = sys.modules.get("snapshot_restore_py")  # a function that has not imported it has none
    try:
        while hooks and (registered := hooks.get_before_snapshot()):
            function, args, kwargs = registered.pop()
            function(*args, **kwargs)
    except BaseException as e:
        give_up(connection, e, "init/error", "Runtime.BeforeSnapshotError")
    sys.stdout.flush()
    sys.stderr.flush()
    connection.write(connection.send("GET", "restore/next"))
    connection.read()
    try:
        for function, args, kwargs in hooks.get_after_restore() if hooks else ():
            function(*args, **kwargs)
    except BaseException as e:
        give_up(connection, e, "restore/error", "Runtime.AfterRestoreError")


def give_up(connection, error, path, kind=None, status=64):
    """Reports an error that leaves the process of no use, and ends it."""
    document, log = describe(error, "")
    sys.stdout.write(log)
    sys.stdout.flush()
    connection.write(connection.send("POST", path, json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"), error_fields(kind or document["errorType"])))
    connection.read()
    sys.exit(status)


def park(connection):
    """Warms the paths that every function takes, and becomes the function that is assigned."""
    set_up_logging()
    handler = load("lambent_warm.handler")
    del sys.modules["lambent_warm"]
    variables = serve(connection, handler)
    locale = os.environ.get("LC_CTYPE")  # set by the interpreter itself
    os.environ.clear()
    os.environ.update(v.split("=", 1) for v in variables)
    if locale:
        os.environ.setdefault("LC_CTYPE", locale)
    current["id"] = ""
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()


def complete_interpreter():
    """Does what the site module does at a start, but for the start-up files (.pth) of the host's packages and the user's own packages."""
    site.setquit()
    site.setcopyright()
    site.sethelper()
    sys.path.extend(p for p in site.getsitepackages() if os.path.isdir(p))


def open_debugger(at):
    """Opens debugpy at a port, and waits until a debugger is attached. It is among the function's packages, unless a folder is given."""
    port, _, folder = at.partition(":")
    if folder:
        sys.path.append(folder)
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # of modules that are part of the interpreter, which nobody debugs
    try:
        import debugpy
    except ImportError as e:
        raise Fault("Runtime.DebuggerError", f"Unable to import the debugger debugpy: {e}") from None
    debugpy.listen(("127.0.0.1", int(port)))
    debugpy.wait_for_client()


def main():
    workers = int(os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY", "0"))
    if workers:
        if fd := os.environ.pop("LAMBENT_RUNTIME_FD", ""):
            os.close(int(fd))  # each worker has a connection of its own
        work(workers)
    connection = Connection()
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")
    complete_interpreter()
    if os.environ.pop("LAMBENT_PARKED", ""):
        park(connection)
    root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    sys.path[0] = root
    for extra in ("/opt/python/lib/python%d.%d/site-packages" % sys.version_info[:2], "/opt/python"):
        if os.path.isdir(extra):
            sys.path.insert(1, extra)
    set_up_logging()
    try:
        if at := os.environ.pop("LAMBENT_DEBUGGER", ""):
            open_debugger(at)
        handler = load(os.environ.get("_HANDLER", ""))
    except Exception as e:  # one that asks for the end gets it
        give_up(connection, e, "init/error", status=1)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        snapshot(connection)
    serve(connection, handler)


if __name__ == "__main__":
    main()
