import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, GetCommand } from "@aws-sdk/lib-dynamodb";

const table = DynamoDBDocumentClient.from(new DynamoDBClient({}));

export const handler = async (event: { pathParameters: { id: string } }) => {
  const { Item } = await table.send(new GetCommand({ TableName: process.env.TABLE, Key: { id: event.pathParameters.id } }));
  return Item ?? { statusCode: 404, body: "There is no such order." };
};
