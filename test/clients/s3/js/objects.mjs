// The AWS SDK for JavaScript v3 with lib-storage, s3-request-presigner and s3-presigned-post. Prints ok.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import dns from "node:dns";
import { createRequire } from "node:module";
import { json } from "node:stream/consumers";
import { Readable } from "node:stream";

// Names of buckets resolve to this machine, as with DNS.
const lookup = dns.lookup;
dns.lookup = (host, options, done) => lookup(host.endsWith(".localhost") ? "127.0.0.1" : host, options, done);

const load = createRequire(`${process.env.CLIENTS}/package.json`); // where the packages are installed
const {
  CopyObjectCommand, CreateBucketCommand, DeleteBucketCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client,
  paginateListObjectsV2, waitUntilBucketExists,
} = load("@aws-sdk/client-s3");
const { Upload } = load("@aws-sdk/lib-storage");
const { createPresignedPost } = load("@aws-sdk/s3-presigned-post");
const { getSignedUrl } = load("@aws-sdk/s3-request-presigner");

const given = await json(process.stdin);
const byBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const text = async (answer) => answer.Body.transformToString();

async function objects(client, Bucket) {
  for (const Key of given.keys) {
    await client.send(new PutObjectCommand({ Bucket, Key, Body: Key, Metadata: { "of-key": "value" } }));
    const got = await client.send(new GetObjectCommand({ Bucket, Key }));
    assert.equal(await text(got), Key);
    assert.deepEqual(got.Metadata, { "of-key": "value" });
    assert.equal(await text(await client.send(new GetObjectCommand({ Bucket, Key, Range: "bytes=0-0" }))), Buffer.from(Key).subarray(0, 1).toString());
    const copy = `copies/${Key.slice(0, 1000)}`;
    await client.send(new CopyObjectCommand({ Bucket, Key: copy, CopySource: encodeURIComponent(`${Bucket}/${Key}`) }));
    assert.equal((await client.send(new HeadObjectCommand({ Bucket, Key: copy }))).ContentLength, Buffer.byteLength(Key));
  }
  const listed = [];
  for await (const page of paginateListObjectsV2({ client, pageSize: 4 }, { Bucket })) listed.push(...page.Contents.map((o) => o.Key));
  assert.deepEqual(listed.filter((k) => !k.startsWith("copies/")), given.keys.toSorted(byBytes));
}

async function parts(client, Bucket) {
  const body = randomBytes(12 << 20);
  for (const more of [{}, { ChecksumAlgorithm: "SHA256" }, { ServerSideEncryption: "AES256" }]) {
    const upload = new Upload({ client, params: { Bucket, Key: "large/🦉", Body: Readable.from([body.subarray(0, 7 << 20), body.subarray(7 << 20)]), ...more }, partSize: 5 << 20 });
    await upload.done();
    const got = await client.send(new GetObjectCommand({ Bucket, Key: "large/🦉" }));
    assert.ok(body.equals(Buffer.from(await got.Body.transformToByteArray())));
  }
  const broken = new Upload({ client, params: { Bucket, Key: "aborted", Body: Readable.from([body]) }, partSize: 5 << 20 });
  broken.on("httpUploadProgress", () => broken.abort());
  await assert.rejects(broken.done(), { name: "AbortError" });
  await assert.rejects(client.send(new HeadObjectCommand({ Bucket, Key: "aborted" })), { name: "NotFound" });
}

// ask sends a request that no SDK signs through the resolver of this program, which fetch does not use.
function ask(client, method, url, headers = {}, body = undefined) {
  const u = new URL(url);
  const host = u.host;
  u.hostname = "127.0.0.1";
  return new Promise((done, failed) => {
    import(u.protocol === "https:" ? "node:https" : "node:http").then(({ request }) => {
      const r = request(u, { method, headers: { Host: host, ...headers }, servername: host.split(":")[0], path: url.slice(url.indexOf("/", 8)) }, async (answer) => {
        const chunks = [];
        for await (const c of answer) chunks.push(c);
        done({ status: answer.statusCode, text: Buffer.concat(chunks).toString() });
      });
      r.on("error", failed);
      r.end(body);
    });
  });
}

async function presigned(client, Bucket) {
  for (const Key of given.keys.filter((k) => k.length < 1000).map((k) => `url/${k}`)) {
    const headers = { "Content-Type": "image/png", "If-None-Match": "*", "Content-Length": String(Buffer.byteLength(Key)) };
    const put = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key, ContentType: "image/png", ContentLength: Buffer.byteLength(Key), IfNoneMatch: "*" }), {
      expiresIn: 60, signableHeaders: new Set(["content-type", "content-length", "if-none-match"]), unhoistableHeaders: new Set(["if-none-match"]),
    });
    assert.equal((await ask(client, "PUT", put, headers, Key)).status, 200, Key);
    assert.equal((await ask(client, "PUT", put, headers, Key)).status, 412, Key);
    assert.equal((await ask(client, "PUT", put, { ...headers, "Content-Length": "1" }, "x")).status, 403, Key);
    const got = await ask(client, "GET", await getSignedUrl(client, new GetObjectCommand({ Bucket, Key })));
    assert.deepEqual(got, { status: 200, text: Key });
  }
}

async function form(client, Bucket) {
  const { url, fields } = await createPresignedPost(client, {
    Bucket, Key: "forms/${filename}", Conditions: [["content-length-range", 1, 20], ["starts-with", "$Content-Type", "image/"]], Fields: { success_action_status: "201" },
  });
  const post = async (type, file) => {
    const data = new FormData();
    for (const [k, v] of Object.entries({ ...fields, "Content-Type": type })) data.append(k, v);
    data.append("file", new Blob([file]), "p.png");
    const request = new Request("http://form", { method: "POST", body: data });
    return (await ask(client, "POST", url, { "Content-Type": request.headers.get("content-type") }, Buffer.from(await request.arrayBuffer()))).status;
  };
  assert.equal(await post("image/png", "picture"), 201);
  assert.equal(await post("image/png", "p".repeat(21)), 400);
  assert.equal(await post("text/plain", "picture"), 403);
  assert.equal(await text(await client.send(new GetObjectCommand({ Bucket, Key: "forms/p.png" }))), "picture");
}

async function clean(client, Bucket) {
  for await (const page of paginateListObjectsV2({ client }, { Bucket })) {
    const { Errors } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: page.Contents.map(({ Key }) => ({ Key })) } }));
    assert.equal(Errors, undefined);
  }
  await client.send(new DeleteBucketCommand({ Bucket }));
}

for (const [n, door] of given.doors.entries()) {
  const client = new S3Client({
    endpoint: door.url, region: "us-east-1", forcePathStyle: door.style === "path", maxAttempts: 1, credentials: { accessKeyId: given.key, secretAccessKey: given.secret },
  });
  const Bucket = `javascript-${n}`;
  await client.send(new CreateBucketCommand({ Bucket }));
  await waitUntilBucketExists({ client, maxWaitTime: 10 }, { Bucket });
  for (const check of [objects, parts, presigned, form, clean]) {
    try {
      await check(client, Bucket);
    } catch (e) {
      console.log(`${door.url} ${door.style}: ${check.name}:`, e);
      process.exit(1);
    }
  }
}
console.log("ok");
