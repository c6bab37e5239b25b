type Change = { dynamodb: { NewImage: { id: { S: string }; what: { S: string } } } };

export const handler = async (event: { Records: Change[] }) => {
  for (const { dynamodb } of event.Records) console.log(`order ${dynamodb.NewImage.id.S}: ${dynamodb.NewImage.what.S}`);
};
