"""A durable function on the public SDK for Python; the event names the workflow."""

from aws_durable_execution_sdk_python.config import Duration, StepConfig
from aws_durable_execution_sdk_python.execution import durable_execution
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy


def flaky(step):
    if step.attempt < 2:
        raise RuntimeError("not yet")
    return step.attempt


def steps(event, context):
    retry = create_retry_strategy(RetryStrategyConfig(max_attempts=3, initial_delay=Duration.from_seconds(1)))
    plain = context.step(lambda _: event["n"] + 1, name="plain")
    return [plain, context.step(flaky, name="flaky", config=StepConfig(retry_strategy=retry))]


def wait(event, context):
    context.wait(Duration.from_seconds(1), name="nap")
    return "rested"


def callback(event, context):
    return context.create_callback(name="approval").result()


def invoke(event, context):
    plain = context.invoke("plain", {"to": 1}, name="plain")
    child = context.invoke(event["self"], {"workflow": "wait"}, name="child")
    return [plain, child]


def missing(event, context):
    return context.invoke("nobody:1", {}, name="missing")


def child(event, context):
    return context.run_in_child_context(lambda inner: inner.step(lambda _: "inside", name="inner"), name="outer")


def parallel(event, context):
    def napper(inner):
        inner.wait(Duration.from_seconds(1), name="nap")
        return "late"

    return context.parallel([napper, lambda inner: inner.step(lambda _: "early", name="early")], name="both").get_results()


def map(event, context):
    return context.map([1, 2, 3], lambda inner, item, index, items: inner.step(lambda _: item * 2, name=f"double-{index}"), name="each").get_results()


def fail(event, context):
    raise ValueError("broken on purpose")


def large(event, context):
    return context.step(lambda _: "x" * 300_000, name="large")[-3:]


WORKFLOWS = {f.__name__: f for f in (steps, wait, callback, invoke, missing, child, parallel, map, fail, large)}


@durable_execution
def handler(event, context):
    return WORKFLOWS[event["workflow"]](event, context)
