// Makes calls through the AWS SDK for JavaScript: a line of JSON in, a line of JSON out.
import { isUtf8 } from "node:buffer";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

// The packages are those of test/js.
const load = createRequire(new URL("../js/package.json", import.meta.url));
const packages = { secretsmanager: "secrets-manager", apigateway: "api-gateway", logs: "cloudwatch-logs", events: "eventbridge" };
const clients = new Map();

// bodies are the inputs of the type blob in the operations of the scripts. SDKs take bytes there, and JSON has none; {"base64": "…"} is bytes too.
const bodies = { Invoke: ["Payload"], PutRecord: ["Data"], PutObject: ["Body"], UploadPart: ["Body"] };

function client({ service, endpoint, key, secret, token }) {
  const name = [service, endpoint, key, secret, token].join(" ");
  if (!clients.has(name)) {
    const module = load(`@aws-sdk/client-${packages[service] ?? service}`);
    const kind = Object.keys(module).find((n) => n.endsWith("Client") && n !== "__Client");
    const config = { endpoint, region: "us-east-1", credentials: { accessKeyId: key, secretAccessKey: secret, sessionToken: token }, maxAttempts: 1 };
    if (service === "s3") config.forcePathStyle = true;
    clients.set(name, { module, client: new module[kind](config) });
  }
  return clients.get(name);
}

function given(operation, input) {
  const out = { ...input };
  for (const name of bodies[operation] ?? []) {
    if (typeof out[name] === "string") out[name] = Buffer.from(out[name]);
  }
  for (const [name, value] of Object.entries(out)) {
    if (typeof value?.base64 === "string") out[name] = Buffer.from(value.base64, "base64");
  }
  for (const record of [out.Record, ...(out.Records ?? [])]) {
    if (typeof record?.Data === "string") record.Data = Buffer.from(record.Data);
  }
  return out;
}

async function plain(value) {
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Uint8Array) {
    const bytes = Buffer.from(value);
    return bytes.toString(isUtf8(bytes) ? "utf8" : "base64");
  }
  if (value instanceof Date) return value.toISOString();
  if (typeof value.transformToString === "function") return value.transformToString();
  if (value instanceof Set) return plain([...value]);
  if (Array.isArray(value)) return Promise.all(value.map(plain));
  const out = {};
  for (const [name, v] of Object.entries(value)) {
    if (v !== undefined) out[name] = await plain(v);
  }
  return out;
}

async function answer(request) {
  try {
    const { module, client: c } = client(request);
    const Command = module[`${request.operation}Command`];
    if (!Command) throw new Error(`the client of ${request.service} has no operation ${request.operation}`);
    const { $metadata: _, ...output } = await c.send(new Command(given(request.operation, request.input)));
    return { output: await plain(output) };
  } catch (e) { // an error of the service, or a mistake in the script, or an answer that the client does not understand
    return { code: e.Code ?? e.code ?? e.name, message: e.message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
process.exit(0); // without waiting for the connections that the clients keep
