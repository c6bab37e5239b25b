import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, PutCommand } from "@aws-sdk/lib-dynamodb";

const table = DynamoDBDocumentClient.from(new DynamoDBClient({}));

type Message = { messageId: string; body: string };

// Orders that fail are named in the answer: they alone come again, and in the end go to the queue of failed ones.
export const handler = async (event: { Records: Message[] }) => {
  const batchItemFailures: { itemIdentifier: string }[] = [];
  for (const { messageId, body } of event.Records) {
    try {
      await work(JSON.parse(body));
    } catch (error) {
      console.error(messageId, error);
      batchItemFailures.push({ itemIdentifier: messageId });
    }
  }
  return { batchItemFailures };
};

const work = async (order: { id: string; what?: string }) => {
  if (!order.what) throw new Error("an order of nothing");
  await table.send(new PutCommand({ TableName: process.env.TABLE, Item: { ...order, state: "done" } }));
};
