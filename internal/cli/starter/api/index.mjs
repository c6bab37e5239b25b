// Answers every request of the API.
export const handler = async (event) => ({
  statusCode: 200,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ hello: event.rawPath.replaceAll("/", "") || "world" }),
});
