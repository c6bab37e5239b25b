// Uses an HTTP API with tokens of the library jose, with those that openid-client gets from an issuer, and from a page in Chromium: node httpapi.mjs ENDPOINT KEY SECRET [page]
import { createServer } from "node:http";
import { ApiGatewayV2Client, CreateApiCommand, CreateAuthorizerCommand, CreateIntegrationCommand, CreateRouteCommand, CreateStageCommand } from "@aws-sdk/client-apigatewayv2";
import { SignJWT, exportJWK, generateKeyPair } from "jose";
import * as openid from "openid-client";

const [endpoint, accessKeyId, secretAccessKey, inPage] = process.argv.slice(2);
const check = (ok, what) => { if (!ok) throw new Error(what); };

// The issuer, the backend and the page, each at its own path.
const keys = { RS256: await generateKeyPair("RS256"), ES256: await generateKeyPair("ES256"), stranger: await generateKeyPair("RS256") };
const jwk = async (id) => ({ ...(await exportJWK(keys[id].publicKey)), kid: id, alg: id, use: "sig" });
let base;
const server = createServer(async (request, response) => {
  const send = (type, body) => response.writeHead(200, { "Content-Type": type }).end(body);
  if (request.url === "/issuer/.well-known/openid-configuration") return send("application/json", JSON.stringify({ issuer: `${base}/issuer`, jwks_uri: `${base}/issuer/keys`, token_endpoint: `${base}/issuer/token` }));
  if (request.url === "/issuer/token") return send("application/json", JSON.stringify({ access_token: await token("ES256"), token_type: "Bearer", expires_in: 300 }));
  if (request.url === "/issuer/keys") return send("application/json", JSON.stringify({ keys: [await jwk("RS256"), await jwk("ES256")] }));
  if (request.url === "/page") return send("text/html", "<!doctype html><title>page</title>");
  return send("application/json", JSON.stringify({ method: request.method, url: request.url, sub: request.headers["x-sub"] ?? null }));
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
base = `http://127.0.0.1:${server.address().port}`;

const token = (id, change = {}, header = {}) =>
  new SignJWT({ scope: "read", ...change.claims }).setProtectedHeader({ alg: id === "stranger" ? "RS256" : id, kid: id, ...header })
    .setIssuer(`${base}/issuer`).setAudience(change.audience ?? "app").setSubject("ann").setIssuedAt().setExpirationTime(change.end ?? "5m").sign(keys[id].privateKey);

const gateway = new ApiGatewayV2Client({ endpoint, region: "us-east-1", credentials: { accessKeyId, secretAccessKey } });
const made = await gateway.send(new CreateApiCommand({
  Name: "tokens", ProtocolType: "HTTP", CorsConfiguration: { AllowOrigins: [base], AllowMethods: ["GET"], AllowHeaders: ["authorization"], ExposeHeaders: ["apigw-requestid"] },
}));
const ApiId = made.ApiId;
const { IntegrationId } = await gateway.send(new CreateIntegrationCommand({
  ApiId, IntegrationType: "HTTP_PROXY", IntegrationMethod: "ANY", PayloadFormatVersion: "1.0", IntegrationUri: `${base}/backend`,
  RequestParameters: { "overwrite:header.x-sub": "$context.authorizer.claims.sub", "overwrite:path": "/backend/${request.path.id}" },
}));
const { AuthorizerId } = await gateway.send(new CreateAuthorizerCommand({
  ApiId, Name: "jwt", AuthorizerType: "JWT", IdentitySource: ["$request.header.Authorization"], JwtConfiguration: { Issuer: `${base}/issuer`, Audience: ["app"] },
}));
await gateway.send(new CreateRouteCommand({ ApiId, RouteKey: "GET /items/{id}", AuthorizationType: "JWT", AuthorizerId, AuthorizationScopes: ["read"], Target: `integrations/${IntegrationId}` }));
await gateway.send(new CreateStageCommand({ ApiId, StageName: "$default", AutoDeploy: true }));
const url = `${made.ApiEndpoint}/items/a%20b`;

try {
  for (const id of ["RS256", "ES256"]) {
    const answer = await fetch(url, { headers: { authorization: `Bearer ${await token(id)}` } });
    const body = await answer.json();
    check(answer.status === 200 && body.sub === "ann" && body.url === "/backend/a%20b", `${id}: ${answer.status} ${JSON.stringify(body)}`);
  }
  const client = await openid.discovery(new URL(`${base}/issuer`), "app", "secret", undefined, { execute: [openid.allowInsecureRequests] });
  const granted = await openid.clientCredentialsGrant(client, { scope: "read" });
  const resource = await openid.fetchProtectedResource(client, granted.access_token, new URL(url), "GET");
  check(resource.status === 200 && (await resource.json()).sub === "ann", `openid-client: ${resource.status}`);
  const challenged = await openid.fetchProtectedResource(client, `${granted.access_token}x`, new URL(url), "GET").catch((e) => e);
  check(challenged.status === 401 && challenged.cause?.[0]?.parameters?.error === "invalid_token", `openid-client with a broken token: ${challenged.status} ${JSON.stringify(challenged.cause)}`);
  const refused = {
    "no token": [undefined, 401, "Bearer"],
    "an expired token": [await token("RS256", { end: "-1m" }), 401, "expired"],
    "a stranger's token": [await token("stranger", {}, { kid: "RS256" }), 401, "signature"],
    "another audience": [await token("RS256", { audience: "other" }), 401, "audience"],
    "no scope": [await token("RS256", { claims: { scope: "write" } }), 403, "insufficient_scope"],
  };
  for (const [name, [text, status, why]] of Object.entries(refused)) {
    const answer = await fetch(url, { headers: text ? { authorization: `Bearer ${text}` } : {} });
    const challenge = answer.headers.get("www-authenticate") ?? "";
    check(answer.status === status && challenge.includes(why), `${name}: ${answer.status} ${challenge}`);
  }
  if (inPage === "page") await usePage(await token("RS256"));
  console.log("ok");
} finally {
  server.close();
}

// usePage calls the API from a page of the allowed origin and from one of another.
async function usePage(good) {
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  try {
    const from = async (page, method, authorization) => {
      const tab = await browser.newPage();
      await tab.goto(page);
      return tab.evaluate(async ([target, method, authorization]) => {
        try {
          const answer = await fetch(target, { method, headers: authorization ? { authorization } : {} });
          return `${answer.status} ${answer.headers.get("apigw-requestid") ? "with id" : "without id"}`;
        } catch (e) {
          return e.name;
        }
      }, [url, method, authorization]);
    };
    const page = `${base}/page`;
    const seen = {
      allowed: await from(page, "GET", `Bearer ${good}`), denied: await from(page, "GET", "Bearer x"), method: await from(page, "DELETE", `Bearer ${good}`),
      foreign: await from(page.replace("127.0.0.1", "localhost"), "GET", `Bearer ${good}`),
    };
    const want = { allowed: "200 with id", denied: "401 with id", method: "TypeError", foreign: "TypeError" };
    check(JSON.stringify(seen) === JSON.stringify(want), `the page saw ${JSON.stringify(seen)}, want ${JSON.stringify(want)}`);
  } finally {
    await browser.close();
  }
}
