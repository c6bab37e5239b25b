// Lambent's runtime client for Node.js: loads a handler and serves it over the Lambda Runtime API.
//
// It speaks HTTP/1.1 itself on a plain socket, the one that it inherits (LAMBENT_RUNTIME_FD) or one over TCP
// (AWS_LAMBDA_RUNTIME_API): Node's own HTTP client costs eight times as much an invocation.
//
// Started ahead of need (LAMBENT_PARKED) it runs a handler of its own, which makes the engine compile what a real one will use, until an answer to
// "next" carries an assignment: the environment of a function, whose code is in place by then.
'use strict';

// --- node's own modules ---

// Node.js up to 22 brings its modules compiled, and V8 takes them so only while all of its flags have their defaults: else net and what it needs take 9 ms more,
// and what the AWS SDK needs another 10. The heap has its size once the process runs; its flags are taken back until the function's code is loaded.
const heapFlags = process.execArgv.filter((a) => /^--max[-_](old|semi)[-_]space[-_]size=/.test(a));
let setFlag = null;

function takeHeapFlagsBack() {
  const quiet = process.noDeprecation;
  process.noDeprecation = true; // the public module v8 could do this, but is one of those that would be compiled
  try {
    setFlag = process.binding('v8').setFlagsFromString;
    for (const flag of heapFlags) setFlag(flag.replace(/=.*/, '=0'));
  } catch {
    // Later versions have no such binding, and no need of it.
  }
  process.noDeprecation = quiet;
}

// setHeapFlags gives the flags their values: the heaps of threads go by them.
function setHeapFlags() {
  Object.defineProperty(threads, 'Worker', { value: Worker, writable: true, enumerable: true, configurable: true });
  if (setFlag) heapFlags.forEach((flag) => setFlag(flag));
  setFlag = null;
}

if (!process.env.AWS_LAMBDA_MAX_CONCURRENCY) takeHeapFlagsBack();

const { AsyncLocalStorage } = require('node:async_hooks');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const net = require('node:net');
const path = require('node:path');
const { Writable } = require('node:stream');
const { pathToFileURL } = require('node:url');
const util = require('node:util');
const threads = require('node:worker_threads');
const { isMainThread, Worker, workerData } = threads;

const PREFIX = '/2018-06-01/runtime/';
let jsonLog = false;
let requestId = '';
// requests are those that are being answered, by their asynchronous context, where there are several at a time.
let requests = null;
const currentRequest = () => (requests ? requests.getStore() || '' : requestId);

// --- connection ---

class Connection {
  constructor() {
    const fd = process.env.LAMBENT_RUNTIME_FD;
    delete process.env.LAMBENT_RUNTIME_FD;
    if (fd) {
      this.socket = new net.Socket({ fd: Number(fd), readable: true, writable: true });
    } else {
      const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
      this.socket = net.connect({ host, port: Number(port || 80), noDelay: true });
    }
    this.rest = Buffer.alloc(0);
    this.socket.on('data', (data) => {
      this.rest = this.rest.length ? Buffer.concat([this.rest, data]) : data;
      this.parse();
    });
    const gone = () => process.exit(0); // the platform has gone away
    this.socket.on('error', gone);
    this.socket.on('end', gone);
  }

  // parse hands every complete response to onresponse.
  parse() {
    for (;;) {
      const end = this.rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      const lines = this.rest.toString('latin1', 0, end).split('\r\n');
      const fields = {};
      for (let i = 1; i < lines.length; i++) {
        const colon = lines[i].indexOf(':');
        fields[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
      }
      const stop = end + 4 + Number(fields['content-length'] || 0);
      if (this.rest.length < stop) return;
      const body = this.rest.subarray(end + 4, stop);
      this.rest = this.rest.subarray(stop);
      this.onresponse(fields, body);
    }
  }

  request(method, target, fields, body) {
    return `${method} ${PREFIX}${target} HTTP/1.1\r\nHost: lambda\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  }

  write(data, done) {
    this.socket.write(data, done);
  }
}

// --- log ---

// writeAll copes with a pipe that is full: standard output is synchronous, as on AWS.
function writeAll(text) {
  let data = Buffer.from(text);
  while (data.length) {
    try {
      data = data.subarray(fs.writeSync(1, data));
    } catch (e) {
      if (e.code !== 'EAGAIN') return;
    }
  }
}

const levels = { trace: 1, debug: 2, info: 3, warn: 4, error: 5, fatal: 6 };
let threshold = 1;

function configureLog() {
  jsonLog = process.env.AWS_LAMBDA_LOG_FORMAT === 'JSON';
  threshold = levels[(process.env.AWS_LAMBDA_LOG_LEVEL || 'trace').toLowerCase()] || 1;
}

function logLine(level, args) {
  if (levels[level] < threshold) return;
  const now = new Date().toISOString();
  if (!jsonLog) {
    writeAll(`${now}\t${currentRequest() || 'undefined'}\t${level.toUpperCase()}\t${util.format(...args).replace(/\n/g, '\r')}\n`);
    return;
  }
  const entry = { timestamp: now, level: level.toUpperCase(), requestId: currentRequest() };
  if (args.length === 1 && args[0] !== null && typeof args[0] === 'object' && !(args[0] instanceof Error)) {
    entry.message = args[0];
  } else {
    entry.message = util.format(...args);
    const error = args.find((a) => a instanceof Error);
    if (error) Object.assign(entry, { errorType: error.name, errorMessage: error.message, stackTrace: stackOf(error) });
  }
  let line;
  try {
    line = JSON.stringify(entry);
  } catch {
    line = JSON.stringify({ ...entry, message: util.format(...args) });
  }
  writeAll(`${line}\n`);
}

function patchConsole() {
  for (const [method, level] of Object.entries({ log: 'info', info: 'info', debug: 'debug', warn: 'warn', error: 'error', trace: 'trace' })) {
    console[method] = (...args) => logLine(level, args);
  }
  console.fatal = (...args) => logLine('fatal', args);
}

// --- errors ---

const stackOf = (error) => (error.stack || '').split('\n');

class Fault extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
  }
}

function describe(error) {
  try {
    if (util.types.isNativeError(error) || (error && error.name && error.message !== undefined && error.stack)) {
      return {
        errorType: String(error.name).replace(/\x7F/g, '%7F'),
        errorMessage: String(error.message).replace(/\x7F/g, '%7F'),
        trace: stackOf(error).map((l) => l.replace(/\x7F/g, '%7F')),
      };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    return { errorType: 'handled', errorMessage: 'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack', trace: [] };
  }
}

function logged(error) {
  const d = describe(error);
  const extra = error !== null && typeof error === 'object' ? { ...error } : {};
  return JSON.stringify({ errorType: d.errorType, errorMessage: d.errorMessage, ...extra, stack: d.trace });
}

// --- handler ---

const exists = (file) => fs.existsSync(file) && fs.statSync(file).isFile();

async function importFile(file) {
  if (file.endsWith('.mjs')) return import(pathToFileURL(file).href);
  if (file.endsWith('.cjs')) return createRequire(file)(file);
  for (let dir = path.dirname(file); ; dir = path.dirname(dir)) {
    const manifest = path.join(dir, 'package.json');
    if (exists(manifest)) {
      if (JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module') return import(pathToFileURL(file).href);
      break;
    }
    if (dir === path.dirname(dir)) break;
  }
  return createRequire(file)(file);
}

async function loadModule(root, module) {
  const base = path.resolve(root, module);
  for (const file of [base, `${base}.js`, `${base}.mjs`, `${base}.cjs`]) {
    if (exists(file)) return importFile(file);
  }
  const file = createRequire(path.join(root, 'index.js')).resolve(module, { paths: [root, path.dirname(base)] });
  return importFile(file);
}

async function loadHandler(root, name) {
  if (name.includes('..')) throw new Fault('Runtime.MalformedHandlerName', `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  const base = path.basename(name);
  const match = base.match(/^([^.]*)\.(.+)$/);
  if (!match) throw new Fault('Runtime.MalformedHandlerName', 'Bad handler');
  const module = path.join(name.slice(0, name.length - base.length), match[1]);
  let loaded;
  try {
    loaded = await loadModule(root, module);
  } catch (e) {
    if (e instanceof SyntaxError) throw rename(e, 'Runtime.UserCodeSyntaxError', e.toString());
    if (e && e.code === 'MODULE_NOT_FOUND') throw rename(e, 'Runtime.ImportModuleError', e.toString());
    if (e && e.code === 'ERR_MODULE_NOT_FOUND') throw rename(e, 'Runtime.ImportModuleError', e.toString());
    throw e;
  }
  let found = loaded;
  for (const part of match[2].split('.')) found = found && found[part];
  if (found === undefined && loaded.default) {
    found = loaded.default;
    for (const part of match[2].split('.')) found = found && found[part];
  }
  if (!found) throw new Fault('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof found !== 'function') throw new Fault('Runtime.HandlerNotFound', `${name} is not a function`);
  return found;
}

function rename(error, name, message) {
  const fault = new Fault(name, message);
  fault.stack = `${name}: ${message}\n${stackOf(error).slice(1).join('\n')}`;
  return fault;
}

// --- streaming answers ---

const STREAM = Symbol.for('aws.lambda.runtime.handler.streaming');
const PRELUDE = 'application/vnd.awslambda.http-integration-response';

class ResponseStream extends Writable {
  constructor(connection, id) {
    super();
    this.connection = connection;
    this.id = id;
    this.contentType = 'application/octet-stream';
    this.begun = false;
  }

  setContentType(type) {
    if (this.begun) throw new Fault('Runtime.InvalidStreamingOperation', 'Cannot set content-type, too late.');
    this.contentType = type;
  }

  begin() {
    if (this.begun) return;
    this.begun = true;
    this.connection.write(
      `POST ${PREFIX}invocation/${this.id}/response HTTP/1.1\r\nHost: lambda\r\nContent-Type: ${this.contentType}\r\n` +
        'Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n',
    );
  }

  _write(chunk, encoding, done) {
    this.begin();
    if (chunk.length === 0) return done();
    this.connection.write(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]), done);
  }

  _final(done) {
    this.begin();
    this.connection.write('0\r\n\r\n', done);
  }

  fail(error) {
    this.begin();
    const d = describe(error);
    const body = Buffer.from(JSON.stringify(d)).toString('base64');
    this.connection.write(`0\r\nLambda-Runtime-Function-Error-Type: ${field(d.errorType)}\r\nLambda-Runtime-Function-Error-Body: ${body}\r\n\r\n`);
    this.destroy();
  }
}

globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAM] = 'response';
    if (options && options.highWaterMark) handler[Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark')] = options.highWaterMark;
    return handler;
  },
  HttpResponseStream: {
    from(stream, prelude) {
      stream.setContentType(PRELUDE);
      const head = JSON.stringify(prelude);
      stream.write(Buffer.concat([Buffer.from(head), Buffer.alloc(8)]));
      return stream;
    },
  },
};

// --- invocations ---

const field = (v) => String(v).replace(/[^\x20-\x7e]/g, '?');
const errorFields = (d) => `Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: ${field(d.errorType)}\r\n`;

function contextOf(fields, done) {
  const env = process.env;
  const deadline = Number(fields['lambda-runtime-deadline-ms']);
  const parse = (name) => (fields[name] ? JSON.parse(fields[name]) : undefined);
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parse('lambda-runtime-client-context'),
    identity: parse('lambda-runtime-cognito-identity'),
    invokedFunctionArn: fields['lambda-runtime-invoked-function-arn'],
    awsRequestId: fields['lambda-runtime-aws-request-id'],
    getRemainingTimeInMillis: () => Math.max(deadline - Date.now(), 0),
  };
  if (fields['lambda-runtime-aws-tenant-id']) context.tenantId = fields['lambda-runtime-aws-tenant-id'];
  if (done) {
    context.done = (error, value) => done(error, value);
    context.succeed = (value) => done(null, value);
    context.fail = (error) => done(error === undefined || error === null ? 'handled' : error);
  }
  return context;
}

class Runtime {
  constructor(connection, handler) {
    this.connection = connection;
    this.handler = handler;
    this.next = connection.request('GET', 'invocation/next', '', '');
    this.onEmptyLoop = null;
    connection.onresponse = (fields, body) => this.receive(fields, body);
  }

  // watchLoop ends invocations that have left the event loop empty.
  watchLoop() {
    process.on('beforeExit', () => {
      const run = this.onEmptyLoop;
      this.onEmptyLoop = null;
      if (run) run();
    });
  }

  start() {
    this.connection.write(this.next);
  }

  // load finds the function's handler and asks for its first invocation.
  async load() {
    configureLog();
    if (setFlag) Object.defineProperty(threads, 'Worker', { get: () => (setHeapFlags(), Worker), enumerable: true, configurable: true });
    try {
      this.handler = await loadHandler(process.env.LAMBDA_TASK_ROOT || '/var/task', process.env._HANDLER || '');
      setHeapFlags();
    } catch (e) {
      this.crash('Uncaught Exception', e, 1);
      return;
    }
    this.start();
  }

  // park warms the paths that every function takes.
  async park() {
    const root = path.join(__dirname, 'warm');
    await loadHandler(root, 'esm.handler');
    this.handler = await loadHandler(root, 'cjs.handler');
    delete require.cache[path.join(root, 'cjs.js')];
    this.start();
  }

  // assign turns a parked process into the function that the list of variables belongs to.
  assign(body) {
    requestId = '';
    const given = new Set();
    for (const variable of JSON.parse(body.toString('utf8'))) {
      const at = variable.indexOf('=');
      const name = variable.slice(0, at);
      const value = variable.slice(at + 1);
      given.add(name);
      if (process.env[name] !== value) process.env[name] = value;
    }
    for (const name of Object.keys(process.env)) if (!given.has(name)) delete process.env[name];
    process.chdir(process.env.LAMBDA_TASK_ROOT);
    this.load();
  }

  receive(fields, body) {
    const id = fields['lambda-runtime-aws-request-id'];
    if (!id) {
      if (fields['lambent-assignment']) this.assign(body);
      return; // else the answer to a response
    }
    requestId = id;
    if (fields['lambda-runtime-trace-id']) process.env._X_AMZN_TRACE_ID = fields['lambda-runtime-trace-id'];
    else delete process.env._X_AMZN_TRACE_ID;
    this.connection.socket.unref(); // an empty event loop means that the handler has nothing left to do
    if (this.handler[STREAM]) this.invokeStream(id, fields, body);
    else this.invoke(id, fields, body);
  }

  // finish ends an invocation with data that may already be on its way, and asks for the next.
  finish(data) {
    this.onEmptyLoop = null;
    this.connection.socket.ref();
    this.connection.write(data + this.next);
  }

  succeed(id, value) {
    let text;
    try {
      text = JSON.stringify(value === undefined ? null : value);
      if (text === undefined) text = 'null';
    } catch (e) {
      this.fail(id, new Fault('Runtime.MarshalError', `Unable to stringify response body as json: ${e.message}`));
      return;
    }
    this.finish(this.connection.request('POST', `invocation/${id}/response`, 'Content-Type: application/json\r\n', text));
  }

  fail(id, error) {
    if (jsonLog) logLine('error', [error]);
    else logLine('error', ['Invoke Error', `\t${logged(error)}`]);
    const d = describe(error);
    this.finish(this.connection.request('POST', `invocation/${id}/error`, errorFields(d), JSON.stringify(d)));
  }

  invoke(id, fields, body) {
    let settled = false;
    const settle = (error, value) => {
      if (settled) return;
      settled = true;
      if (error !== undefined && error !== null) this.fail(id, error);
      else this.succeed(id, value);
    };
    const callback = (error, value) => {
      if (settled) return;
      if (error !== undefined && error !== null) settle(error);
      else if (context.callbackWaitsForEmptyEventLoop === false) setImmediate(() => settle(null, value));
      else this.onEmptyLoop = () => settle(null, value);
    };
    const done = (error, value) => {
      context.callbackWaitsForEmptyEventLoop = false;
      callback(error, value);
    };
    const context = contextOf(fields, done);
    this.onEmptyLoop = () => settle(null, null);
    try {
      const result = this.handler(JSON.parse(body.toString('utf8')), context, callback);
      if (result && typeof result.then === 'function') {
        this.onEmptyLoop = () => {
          // The promise can never be settled: nothing is left that could do it.
          settled = true;
          process.exit(0);
        };
        result.then((value) => settle(null, value), (error) => settle(error === undefined || error === null ? new Error('undefined') : error));
      }
    } catch (e) {
      settle(e === undefined || e === null ? new Error(String(e)) : e);
    }
  }

  async invokeStream(id, fields, body) {
    const stream = new ResponseStream(this.connection, id);
    const closed = new Promise((resolve, reject) => {
      stream.on('finish', resolve);
      stream.on('error', reject);
    });
    try {
      await this.handler(JSON.parse(body.toString('utf8')), stream, contextOf(fields));
      if (!stream.writableEnded) stream.end();
      await closed;
      this.finish('');
    } catch (e) {
      logLine('error', ['Invoke Error', `\t${logged(e)}`]);
      closed.catch(() => {});
      if (stream.begun) {
        stream.fail(e);
        this.finish('');
      } else {
        const d = describe(e);
        this.finish(this.connection.request('POST', `invocation/${id}/error`, errorFields(d), JSON.stringify(d)));
      }
    }
  }

  // crash reports an error that no handler caught, and ends the process.
  crash(label, error, code) {
    if (jsonLog) logLine('error', [error]);
    else logLine('error', [label, `\t${logged(error)}`]);
    const d = describe(error);
    const target = currentRequest() ? `invocation/${currentRequest()}/error` : 'init/error';
    this.connection.onresponse = () => process.exit(code);
    this.connection.write(this.connection.request('POST', target, errorFields(d), JSON.stringify(d)));
    this.connection.socket.ref();
  }
}

// --- several invocations at a time ---

// Slot serves one invocation after another on a connection of its own, beside others of its thread.
class Slot extends Runtime {
  receive(fields, body) {
    const id = fields['lambda-runtime-aws-request-id'];
    if (!id) return;
    requests.run(id, () => {
      if (this.handler[STREAM]) this.invokeStream(id, fields, body);
      else this.invoke(id, fields, body);
    });
  }

  // invoke does not wait for an empty event loop, which there is none of: callbacks answer at once.
  async invoke(id, fields, body) {
    try {
      this.succeed(id, await new Promise((resolve, reject) => {
        const callback = (error, value) => (error !== undefined && error !== null ? reject(error) : resolve(value));
        const result = this.handler(JSON.parse(body.toString('utf8')), contextOf(fields, callback), callback);
        if (result && typeof result.then === 'function') result.then(resolve, reject);
        else if (this.handler.length < 3) resolve(null); // what a handler returns that is neither asynchronous nor calls back is nobody's
      }));
    } catch (e) {
      this.fail(id, e === undefined || e === null ? new Error(String(e)) : e);
    }
  }
}

// startThreads divides the invocations that the environment takes at a time among threads, one for each processor or as many as the function says.
function startThreads(count) {
  const fd = process.env.LAMBENT_RUNTIME_FD;
  delete process.env.LAMBENT_RUNTIME_FD;
  if (fd) fs.closeSync(Number(fd)); // each slot has a connection of its own
  const processors = Math.max(1, Math.round(Number(process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE) / 2048));
  const threads = Math.min(count, Number(process.env.AWS_LAMBDA_NODEJS_WORKER_COUNT) || processors);
  let alive = threads;
  for (let i = 0; i < threads; i++) {
    const slots = Math.floor(count / threads) + (i < count % threads ? 1 : 0);
    const ended = () => {
      if (--alive === 0) process.exit(1); // nobody is left to serve the environment
    };
    new Worker(__filename, { workerData: { slots }, stdout: false, stderr: false }).on('error', () => {}).on('exit', ended);
  }
}

// serveThread serves the slots of one thread, which share the function's state.
async function serveThread(slots) {
  patchConsole();
  configureLog();
  requests = new AsyncLocalStorage();
  const first = new Slot(new Connection(), null);
  process.on('uncaughtException', (error) => first.crash('Uncaught Exception', error, 129));
  process.on('unhandledRejection', (reason) => first.crash('Unhandled Promise Rejection', reason instanceof Error ? reason : new Error(String(reason)), 128));
  await first.load();
  if (!first.handler) return;
  for (let i = 1; i < slots; i++) new Slot(new Connection(), first.handler).start();
}

async function main() {
  const concurrency = Number(process.env.AWS_LAMBDA_MAX_CONCURRENCY || 0);
  if (concurrency) {
    startThreads(concurrency);
    return;
  }
  patchConsole();
  const connection = new Connection();
  const runtime = new Runtime(connection, null);
  runtime.watchLoop();
  process.on('uncaughtException', (error) => runtime.crash('Uncaught Exception', error, 129));
  process.on('unhandledRejection', (reason, promise) => {
    const fault = new Fault('Runtime.UnhandledPromiseRejection', reason === undefined || reason === null ? String(reason) : reason.toString());
    fault.reason = reason;
    if (reason && reason.stack) fault.stack = `${fault.name}: ${fault.message}\n${stackOf(reason).slice(1).join('\n')}`;
    fault.promise = {};
    runtime.crash('Unhandled Promise Rejection', fault, 128);
  });
  const parked = process.env.LAMBENT_PARKED;
  delete process.env.LAMBENT_PARKED;
  await (parked ? runtime.park() : runtime.load());
}

if (isMainThread) main();
else serveThread(workerData.slots);
