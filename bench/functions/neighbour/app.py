"""A function that misbehaves until its time is over, as its event says."""

import os
import time


def spin():
    while True:
        pass


def spin_everywhere():
    # Python's threads take turns: processes do not.
    for _ in range(8):
        if os.fork() == 0:
            spin()
    spin()


def fork():
    while True:
        try:
            if os.fork() == 0:
                time.sleep(30)
        except OSError:
            pass


def memory():
    kept = []
    while True:
        kept.append(b"\1" * (1 << 20))


def disk():
    block = b"\1" * (1 << 20)
    while True:
        with open("/tmp/fill", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(block)
            except OSError:
                pass


def descriptors():
    while True:
        kept = []
        try:
            while True:
                kept.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            for fd in kept:
                os.close(fd)


def log():
    line = b"noise " * 200 + b"\n"
    while True:
        os.write(1, line)


def handler(event, context):
    {"spin": spin_everywhere, "fork": fork, "memory": memory, "disk": disk, "descriptors": descriptors, "log": log}[event["act"]]()
