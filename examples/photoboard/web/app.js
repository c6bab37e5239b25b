// The photo-board's page: a few screens over the HTTP API, without a framework.

const api = window.photoboard.api.replace(/\/$/, "");
const $ = (id) => document.getElementById(id);
const types = ["image/jpeg", "image/png", "image/gif", "image/webp"];

// ---- calls

let session = JSON.parse(localStorage.getItem("photoboard.session") ?? "null");

class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

async function call(method, path, { body, etag } = {}) {
  const headers = {};
  if (session) headers.authorization = `Bearer ${session.token}`;
  if (body) headers["content-type"] = "application/json";
  if (etag) headers["if-none-match"] = etag;
  const answer = await fetch(api + path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  if (answer.status === 304) return { unchanged: true };
  const value = await answer.json().catch(() => ({}));
  if (answer.ok) return { value, etag: answer.headers.get("etag") };
  if (answer.status === 401 && session) signOut();
  throw new Refused(answer.status, value.error ?? value.message ?? `the server answered ${answer.status}`);
}

// ---- messages

let hush;
function say(text) {
  clearTimeout(hush);
  $("message").textContent = text;
  hush = setTimeout(() => { $("message").textContent = ""; }, 6000);
}
const announce = (text) => { $("news").textContent = text; };

// busy keeps a form from being sent twice, and shows what went wrong.
async function busy(form, work) {
  const buttons = form.querySelectorAll("button");
  buttons.forEach((b) => { b.disabled = true; });
  try {
    await work();
  } catch (e) {
    say(e.message);
  } finally {
    buttons.forEach((b) => { b.disabled = false; });
  }
}

// ---- screens: which one is shown follows from the session and the address

function show(screen) {
  for (const id of ["door", "boards", "board"]) $(id).hidden = id !== screen;
  $("who").hidden = !session;
  if (session) $("name").textContent = session.name;
}

async function route() {
  watching?.abort();
  const id = location.hash.match(/^#board\/([0-9a-z]+)$/)?.[1];
  if (!session) {
    show("door");
  } else if (id) {
    openBoard(id);
  } else {
    show("boards");
    await listBoards().catch((e) => say(e.message));
  }
}
addEventListener("hashchange", route);

// ---- sign up, in and out

$("account").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const action = event.submitter?.value ?? "signin";
  busy(form, async () => {
    const { value } = await call("POST", `/${action}`, { body: { name: form.name.value, password: form.password.value } });
    session = value;
    localStorage.setItem("photoboard.session", JSON.stringify(session));
    form.reset();
    await route();
  });
});

function signOut() {
  session = null;
  localStorage.removeItem("photoboard.session");
  if (location.hash) location.hash = "";
  else route();
}
$("signout").addEventListener("click", signOut);

// ---- boards

async function listBoards() {
  const { value } = await call("GET", "/boards");
  const items = value.boards.toReversed().map((board) => {
    const item = document.createElement("li");
    const link = item.appendChild(document.createElement("a"));
    link.href = `#board/${board.id}`;
    link.textContent = board.title;
    const time = link.appendChild(document.createElement("time"));
    const made = new Date(board.created * 1000);
    time.dateTime = made.toISOString();
    time.textContent = made.toLocaleDateString(undefined, { dateStyle: "medium" });
    return item;
  });
  $("board-list").replaceChildren(...items);
  $("no-boards").hidden = items.length > 0;
}

$("new-board").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  busy(form, async () => {
    const { value } = await call("POST", "/boards", { body: { title: form.title.value } });
    form.reset();
    location.hash = `#board/${value.id}`;
  });
});

// ---- one board

let watching;              // ends the watch of the board that was open before
let current;               // the id of the open board
const waiting = new Map(); // picture id → its card, from the upload until the copy is there
const shown = new Map();   // picture id → its card

function openBoard(id) {
  current = id;
  waiting.clear();
  shown.clear();
  $("pictures").replaceChildren();
  $("board-title").textContent = "…";
  $("no-pictures").hidden = true;
  show("board");
  watching = new AbortController();
  watch(id, watching.signal);
}

// watch keeps the board up to date: every half second while a picture is on its way, else every three, and not at
// all while nobody looks. The answer is an empty 304 as long as nothing happened.
async function watch(id, signal) {
  let etag;
  let since = 0;
  while (!signal.aborted) {
    if (document.hidden) {
      await new Promise((next) => document.addEventListener("visibilitychange", next, { once: true, signal }));
      continue;
    }
    try {
      const fresh = Date.now() - since > 50 * 60_000; // the pictures' URLs work for an hour
      const answer = await call("GET", `/boards/${id}`, { etag: fresh ? undefined : etag });
      if (signal.aborted) return;
      if (!answer.unchanged) {
        if (fresh) since = Date.now();
        etag = answer.etag;
        render(answer.value, fresh);
      }
    } catch (e) {
      if (signal.aborted) return;
      say(e.message);
      if (e.status === 404) { location.hash = ""; return; }
    }
    await new Promise((next) => { setTimeout(next, waiting.size > 0 ? 500 : 3000); wake = next; });
  }
}
let wake = () => {};

function render({ board, pictures }, renew) {
  $("board-title").textContent = board.title;
  document.title = `${board.title} – Photo-board`;
  if (renew) {
    shown.forEach((card) => card.remove());
    shown.clear();
  }
  // Oldest first, each new one in front: cards that are there stay untouched.
  for (const picture of pictures.toReversed()) {
    if (shown.has(picture.id)) continue;
    const card = cardOf(picture);
    shown.set(picture.id, card);
    const before = waiting.get(picture.id);
    if (before) {
      before.replaceWith(card);
      waiting.delete(picture.id);
      announce(picture.error ? `${picture.name}: ${picture.error}` : `${picture.name} is on the board`);
    } else {
      $("pictures").prepend(card);
    }
  }
  $("no-pictures").hidden = shown.size + waiting.size > 0;
}

function cardOf(picture) {
  const card = document.createElement("li");
  card.dataset.picture = picture.id;
  if (picture.error) {
    const reason = card.appendChild(document.createElement("p"));
    reason.className = "bad";
    reason.textContent = picture.error;
  } else {
    const open = card.appendChild(document.createElement("button"));
    open.type = "button";
    const image = open.appendChild(document.createElement("img"));
    image.src = picture.thumb;
    image.alt = picture.name;
    image.width = picture.width;
    image.height = picture.height;
    image.loading = "lazy";
    open.addEventListener("click", () => view(picture));
  }
  card.append(caption(picture.name));
  return card;
}

function caption(text) {
  const p = document.createElement("p");
  p.className = "caption";
  p.textContent = p.title = text;
  return p;
}

function view(picture) {
  $("viewer-image").src = picture.large;
  $("viewer-image").alt = picture.name;
  $("viewer-caption").textContent = picture.name;
  $("viewer").showModal();
}
$("viewer").addEventListener("click", (event) => { if (event.target === $("viewer")) $("viewer").close(); });

// ---- uploads: a token for each picture, then the picture itself straight to the bucket

async function upload(board, file) {
  if (!types.includes(file.type)) {
    say(`${file.name} is not a JPEG, PNG, GIF or WebP picture.`);
    return;
  }
  const card = document.createElement("li");
  card.className = "waiting";
  const bar = card.appendChild(document.createElement("progress"));
  bar.setAttribute("aria-label", `Uploading ${file.name}`);
  card.append(caption(file.name));
  $("pictures").prepend(card);
  $("no-pictures").hidden = true;
  try {
    const { value: token } = await call("POST", `/boards/${board}/uploads`, {
      body: { name: file.name, type: file.type, size: file.size },
    });
    waiting.set(token.id, card);
    await put(token, file, bar);
    bar.removeAttribute("value");
    wake();
  } catch (e) {
    waiting.forEach((c, id) => { if (c === card) waiting.delete(id); });
    card.remove();
    $("no-pictures").hidden = shown.size + waiting.size > 0;
    say(`${file.name}: ${e.message}`);
  }
}

// put sends the body with XMLHttpRequest, because fetch does not tell how far an upload is.
function put(token, file, bar) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(token.method, token.url);
    for (const [name, value] of Object.entries(token.headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (e) => { if (e.lengthComputable) { bar.max = e.total; bar.value = e.loaded; } };
    request.onload = () => {
      if (request.status === 200) return resolve();
      const why = request.responseXML?.querySelector("Message")?.textContent;
      reject(new Error(why ?? `the upload was refused (${request.status})`));
    };
    request.onerror = () => reject(new Error("the upload did not get through"));
    request.send(file);
  });
}

async function uploadAll(files) {
  const board = current;
  const queue = [...files];
  const worker = async () => { for (let f; (f = queue.shift());) await upload(board, f); };
  await Promise.all([worker(), worker(), worker()]);
}

$("files").addEventListener("change", (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  uploadAll(files);
});
for (const kind of ["dragenter", "dragover"]) {
  $("drop").addEventListener(kind, (event) => { event.preventDefault(); $("drop").classList.add("over"); });
}
for (const kind of ["dragleave", "drop"]) {
  $("drop").addEventListener(kind, (event) => { event.preventDefault(); $("drop").classList.remove("over"); });
}
$("drop").addEventListener("drop", (event) => uploadAll(event.dataTransfer.files));

route();
