"""A function that means harm: it does what its event asks for, and answers with what it could do."""

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request


def read(args):
    out = []
    for path in args:
        try:
            if os.path.isdir(path):
                found = os.listdir(path)
            else:
                with open(path, "rb") as f:
                    found = f.read(1)
            if found:
                out.append(path)
        except OSError:
            pass
    return out


def write(args):
    out = []
    for path in args:
        try:
            with open(path, "w") as f:
                f.write("mine")
            out.append(path)
        except OSError:
            pass
    return out


def processes(args):
    out = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            text = []
            for part in ("cmdline", "environ"):
                try:
                    with open(f"/proc/{name}/{part}", "rb") as f:
                        text.append(f.read().decode("utf-8", "replace").replace("\0", " "))
                except OSError:
                    pass
            out.append(name + " " + " ".join(text))
    return out


def send_signals(args):
    out = []
    for pid in args:
        try:
            os.kill(int(pid), signal.SIGKILL)
            out.append(pid)
        except OSError:
            pass
    return out


def calls(args):
    libc = ctypes.CDLL(None, use_errno=True)
    out = []
    for call in args:
        name, number, *rest = call.split(" ")
        values = [ctypes.c_long(int(v)) if v.lstrip("-").isdigit() else ctypes.c_char_p(v.encode()) for v in rest]
        ctypes.set_errno(0)
        result = libc.syscall(ctypes.c_long(int(number)), *values)
        out.append(f"{name} {ctypes.get_errno() if result == -1 else 'done'}")
    return out


def connect(args):
    out = []
    for address in args:
        abstract = address.startswith("@")
        host, _, port = address.rpartition(":")
        try:
            with socket.socket(socket.AF_UNIX if abstract else socket.AF_INET6 if host.startswith("[") else socket.AF_INET) as s:
                s.settimeout(1)
                s.connect("\0" + address[1:] if abstract else (host.strip("[]"), int(port)))
                s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if s.recv(1):
                    out.append(address)
        except OSError:
            pass
    return out


def forge(args):
    out = []
    for id in args:
        for end in ("response", "error"):
            url = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/{id}/{end}"
            try:
                status = urllib.request.urlopen(urllib.request.Request(url, b"{}"), timeout=5).status
            except urllib.error.HTTPError as e:
                status = e.code
            out.append(f"{end} {status}")
    return out


def http(args):
    out = []
    for path in args:
        try:
            status = urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + path, timeout=5).status
        except urllib.error.HTTPError as e:
            status = e.code
        out.append(f"{path} {status}")
    return out


def spawn(args):
    subprocess.Popen(args, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ["spawned"]


def fork(args):
    for n in range(20000):
        try:
            if os.fork() == 0:
                os.execv(args[0], args)
        except OSError as e:
            return [f"refused after {n}: {e}"]
    return ["never refused"]


def memory(args):
    kept = []
    for _ in range(256):
        kept.append(b"\1" * (16 << 20))
    return [f"allocated {len(kept)}"]


def fill(args):
    block = b"\0" * (1 << 20)
    with open("/tmp/fill", "wb", buffering=0) as f:
        for n in range(4096):
            try:
                f.write(block)
            except OSError as e:
                return [f"full after {n} MiB: {e}"]
    return ["never full"]


def files(args):
    kept = []
    for n in range(100000):
        try:
            kept.append(os.open("/dev/null", os.O_RDONLY))
        except OSError as e:
            for fd in kept:
                os.close(fd)
            return [f"refused after {n}: {e}"]
    return ["never refused"]


def spin(args):
    for _ in range(8):
        threading.Thread(target=burn, daemon=True).start()
    burn()


def burn():
    while True:
        pass


def shout(args):
    while True:
        os.write(1, b"noise " * 10000 + b"\n")


def segfault(args):
    ctypes.string_at(0)


ACTS = {
    "ok": lambda args: ["fine"], "read": read, "write": write, "processes": processes, "signal": send_signals, "calls": calls, "connect": connect, "forge": forge,
    "http": http, "spawn": spawn, "sleep": lambda args: time.sleep(3600), "fork": fork, "memory": memory, "fill": fill, "files": files, "spin": spin, "shout": shout,
    "exit": lambda args: os._exit(3), "segfault": segfault,
}


def handler(event, context):
    return ACTS[event["Act"]](event.get("Args") or [])
