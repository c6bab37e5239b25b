// Loaded once, so that the loader of modules is ready.
export const handler = async (event) => event;
