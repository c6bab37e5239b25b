// Writes what came into the log.
export const handler = async (event) => {
  console.log(JSON.stringify(event));
  return { records: (event.Records ?? []).length };
};
