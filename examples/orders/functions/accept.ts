import { randomUUID } from "node:crypto";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const sqs = new SQSClient({});

export const handler = async (event: { body?: string }) => {
  let order: object;
  try {
    order = JSON.parse(event.body ?? "{}");
  } catch {
    return { statusCode: 400, body: "An order is a JSON object." };
  }
  const id = randomUUID();
  await sqs.send(new SendMessageCommand({ QueueUrl: process.env.QUEUE, MessageBody: JSON.stringify({ ...order, id }) }));
  return { statusCode: 202, body: JSON.stringify({ id }) };
};
