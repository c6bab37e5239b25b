export const handler = async (event) => ({
  statusCode: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ message: `${process.env.GREETING}, ${event.pathParameters.name}!`, from: `Node.js ${process.version}` }),
});
