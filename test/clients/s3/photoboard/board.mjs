// Uses the photo-board from JavaScript, and looks at what it stored with the AWS SDK for JavaScript v3. Prints ok.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { json } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";

const load = createRequire(`${process.env.CLIENTS}/package.json`); // where the packages are installed
const { GetObjectCommand, paginateListObjectsV2, S3Client } = load("@aws-sdk/client-s3");
const given = await json(process.stdin);
const picture = Buffer.from(given.picture, "base64");

async function use(scheme) {
  const at = (url) => url.replace("http:", `${scheme}:`);
  async function call(method, path, body, token, want = 200) {
    const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
    const answer = await fetch(at(given.api) + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    assert.equal(answer.status, want, `${path}: ${text}`);
    return JSON.parse(text);
  }

  const { token } = await call("POST", "/signup", { name: `javascript-${scheme}`, password: "correct horse" }, undefined, 201);
  const { id: board } = await call("POST", "/boards", { title: "Lakes" }, token, 201);
  const upload = await call("POST", `/boards/${board}/uploads`, { name: "lake ä.jpg", type: "image/jpeg", size: picture.length }, token, 201);
  for (const [body, want] of [[picture.subarray(1), 403], [picture, 200], [picture, 412]]) {
    assert.equal((await fetch(at(upload.url), { method: upload.method, headers: upload.headers, body })).status, want);
  }
  let pictures = [];
  for (const end = Date.now() + 60_000; pictures.length === 0; await setTimeout(50)) {
    assert.ok(Date.now() < end, "the picture does not come to the board");
    ({ pictures } = await call("GET", `/boards/${board}`, undefined, token));
  }
  assert.deepEqual([pictures[0].name, pictures[0].width], ["lake ä.jpg", 720]);
  const thumb = Buffer.from(await (await fetch(at(pictures[0].thumb))).arrayBuffer());
  assert.equal(thumb.subarray(0, 3).toString("hex"), "ffd8ff");

  const client = new S3Client({ endpoint: at(given.endpoint), region: "us-east-1", forcePathStyle: true, credentials: { accessKeyId: given.key, secretAccessKey: given.secret } });
  const stored = [];
  for await (const page of paginateListObjectsV2({ client }, { Bucket: given.uploads, Prefix: `${board}/` })) stored.push(...page.Contents);
  assert.equal(stored.length, 1);
  const got = await client.send(new GetObjectCommand({ Bucket: given.uploads, Key: stored[0].Key }));
  assert.ok(picture.equals(Buffer.from(await got.Body.transformToByteArray())));
}

for (const scheme of ["http", "https"]) await use(scheme);
console.log("ok");
