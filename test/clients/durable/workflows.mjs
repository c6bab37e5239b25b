// A durable function on the public SDK for JavaScript; the event names the workflow.
import { createRetryStrategy, withDurableExecution } from "@aws/durable-execution-sdk-js";

const workflows = {
  async steps(event, context) {
    const retryStrategy = createRetryStrategy({ maxAttempts: 3, initialDelay: { seconds: 1 } });
    const plain = await context.step("plain", async () => event.n + 1);
    let attempts = 0;
    const flaky = async (step) => {
      attempts = step.attempt ?? 2;
      if (attempts < 2) throw new Error("not yet");
      return attempts;
    };
    return [plain, await context.step("flaky", flaky, { retryStrategy })];
  },
  async wait(event, context) {
    await context.wait("nap", { seconds: 1 });
    return "rested";
  },
  async callback(event, context) {
    const [result] = await context.createCallback("approval");
    return await result;
  },
  async invoke(event, context) {
    const plain = await context.invoke("plain", "plain", { to: 1 });
    const child = await context.invoke("child", event.self, { workflow: "wait" });
    return [plain, child];
  },
  async missing(event, context) {
    return await context.invoke("missing", "nobody:1", {});
  },
  async child(event, context) {
    return await context.runInChildContext("outer", async (inner) => inner.step("inner", async () => "inside"));
  },
  async parallel(event, context) {
    const napper = async (inner) => {
      await inner.wait("nap", { seconds: 1 });
      return "late";
    };
    return (await context.parallel("both", [napper, async (inner) => inner.step("early", async () => "early")])).getResults();
  },
  async map(event, context) {
    return (await context.map("each", [1, 2, 3], async (inner, item, index) => inner.step(`double-${index}`, async () => item * 2))).getResults();
  },
  async fail() {
    throw new TypeError("broken on purpose");
  },
  async large(event, context) {
    return (await context.step("large", async () => "x".repeat(300_000))).slice(-3);
  },
};

export const handler = withDurableExecution((event, context) => workflows[event.workflow](event, context));
