// Notifications to an HTTP endpoint, checked by sns-validator as people do it, in both versions of signatures; and a queue worked off by sqs-consumer.
import http from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const require = createRequire(pathToFileURL(path.join(process.env.CLIENTS, "package.json")));
const { SNSClient, CreateTopicCommand, SubscribeCommand, PublishCommand, SetTopicAttributesCommand, ConfirmSubscriptionCommand } = require("@aws-sdk/client-sns");
const { SQSClient, CreateQueueCommand, SendMessageBatchCommand, GetQueueAttributesCommand } = require("@aws-sdk/client-sqs");
const Validator = require("sns-validator");

// Lambent's own certificate is signed by its own authority; the validator fetches the one of signatures over TLS.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
const validator = new Validator(/^127\.0\.0\.1:\d+$/, "utf8");
const validate = (text) => new Promise((resolve, reject) => {
  const message = JSON.parse(text);
  message.SigningCertURL = message.SigningCertURL.replace(/^http:/, "https:"); // both are served on the one port
  validator.validate(message, (err, m) => (err ? reject(err) : resolve(m)));
});

const sns = new SNSClient({});
const sqs = new SQSClient({});
const check = (ok, what) => { if (!ok) throw new Error(what); };

const arrived = [];
let wake = () => {};
const endpoint = http.createServer((request, response) => {
  let body = "";
  request.on("data", (d) => { body += d; });
  request.on("end", () => { arrived.push({ type: request.headers["x-amz-sns-message-type"], body }); response.end(); wake(); });
});
await new Promise((r) => endpoint.listen(0, "127.0.0.1", r));
const next = async (type) => {
  for (;;) {
    const i = arrived.findIndex((a) => a.type === type);
    if (i >= 0) return arrived.splice(i, 1)[0].body;
    await new Promise((r) => { wake = r; });
  }
};

for (const version of ["1", "2"]) {
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: `signed-${version}`, Attributes: { SignatureVersion: version } }));
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: "http", Endpoint: `http://127.0.0.1:${endpoint.address().port}/` }));
  const asked = await validate(await next("SubscriptionConfirmation"));
  check(asked.SignatureVersion === version, `the confirmation is signed in version ${asked.SignatureVersion}`);
  await sns.send(new ConfirmSubscriptionCommand({ TopicArn, Token: asked.Token }));
  await sns.send(new PublishCommand({ TopicArn, Subject: "Grüße", Message: "Zeile 1\nZeile 2 \u{1F389} / \\ \"quoted\"" }));
  const text = await next("Notification");
  const told = await validate(text);
  check(told.Message === "Zeile 1\nZeile 2 \u{1F389} / \\ \"quoted\"", `the message is ${told.Message}`);
  const forged = JSON.parse(text);
  forged.Message += "!";
  await validate(JSON.stringify(forged)).then(() => { throw new Error("a forged message is valid"); }, (err) => check(/signature/i.test(err.message), err.message));
}

const { Consumer } = await import(pathToFileURL(path.join(process.env.CLIENTS, "node_modules/sqs-consumer/dist/esm/index.js")));
const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "consumed" }));
await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries: [...Array(10).keys()].map((i) => ({ Id: `${i}`, MessageBody: `${i}` })) }));
const seen = new Set();
let failOnce = true;
await new Promise((resolve, reject) => {
  const consumer = Consumer.create({
    queueUrl: QueueUrl, sqs, batchSize: 10, waitTimeSeconds: 1, visibilityTimeout: 30, terminateVisibilityTimeout: true,
    handleMessage: async (m) => {
      if (m.Body === "3" && failOnce) { failOnce = false; throw new Error("once"); }
      seen.add(m.Body);
      if (seen.size === 10) setImmediate(() => { consumer.stop(); });
      return m;
    },
  });
  consumer.on("error", reject);
  consumer.on("stopped", resolve);
  consumer.start();
});
const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
check(seen.size === 10 && !failOnce, `consumed ${[...seen]}`);
check(Number(Attributes.ApproximateNumberOfMessages) === 0, JSON.stringify(Attributes));
endpoint.close();
endpoint.closeAllConnections();
console.log("ok");
