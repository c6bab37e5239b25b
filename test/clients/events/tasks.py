"""Celery with SQS as its broker: tasks with retries and a countdown, which a worker of its own works off."""

import json
import os
import pathlib
import subprocess
import sys
import time
from urllib.parse import quote

from celery import Celery

address = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
key, secret = (quote(os.environ[name], safe="") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
app = Celery("tasks", broker=f"sqs://{key}:{secret}@{address}//")
app.conf.update(
    task_default_queue="celery-tasks",
    broker_transport_options={"region": "us-east-1", "is_secure": False, "wait_time_seconds": 5, "polling_interval": 0.1, "visibility_timeout": 30},
    task_acks_late=True,
)
done = pathlib.Path(os.environ.get("DONE", "done"))


@app.task
def add(a, b):
    with done.open("a") as f:
        f.write(json.dumps([a, b, a + b]) + "\n")


@app.task(bind=True, max_retries=3)
def stubborn(self, name):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    with done.open("a") as f:
        f.write(json.dumps([name, self.request.retries]) + "\n")


def main():
    json.load(sys.stdin)
    for i in range(40):
        add.delay(i, 1)
    stubborn.delay("again")
    add.apply_async((1000, 1), countdown=1)
    worker = subprocess.Popen([sys.executable, "-m", "celery", "-A", "tasks", "worker", "--pool", "solo", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"], stdin=subprocess.DEVNULL)
    want = {json.dumps([i, 1, i + 1]) for i in [*range(40), 1000]} | {json.dumps(["again", 2])}
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            lines = done.read_text().splitlines() if done.exists() else []
            if set(lines) >= want:
                break
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(30)
    assert sorted(lines) == sorted(want), lines
    print("ok")


if __name__ == "__main__":
    main()
