// A function that means harm: it does what its event asks for, and answers with what it could do.
'use strict';
const fs = require('fs');
const net = require('net');
const { spawn, spawnSync } = require('child_process');
const { Worker } = require('worker_threads');

const could = (args, attempt) => args.filter((arg) => {
  try {
    return attempt(arg);
  } catch {
    return false;
  }
});

// JavaScript has no system calls: Perl, which every Debian has, makes them.
const perl = 'for (@ARGV) { my ($name, @call) = split / /; $_ = /^-?\\d+$/ ? $_ + 0 : $_ for @call; print "$name ", (syscall(shift @call, @call) == -1 ? $! + 0 : "done"), "\\n" }';

function connect(address) {
  const [, host, port] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(address) ?? [];
  return new Promise((resolve) => {
    const s = net.connect({ ...(host ? { host, port: Number(port) } : { path: '\0' + address.slice(1) }), timeout: 1000 });
    const end = (answer) => {
      s.destroy();
      resolve(answer);
    };
    s.on('connect', () => s.write('GET / HTTP/1.0\r\n\r\n'));
    s.on('data', () => end(true));
    for (const event of ['error', 'timeout', 'close']) s.on(event, () => end(false));
  });
}

async function forge(ids) {
  const out = [];
  for (const id of ids) {
    for (const end of ['response', 'error']) {
      const url = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/${id}/${end}`;
      out.push(`${end} ${(await fetch(url, { method: 'POST', body: '{}' })).status}`);
    }
  }
  return out;
}

const acts = {
  ok: () => ['fine'],
  read: (args) => could(args, (path) => (fs.statSync(path).isDirectory() ? fs.readdirSync(path) : fs.readFileSync(path)).length > 0),
  write: (args) => could(args, (path) => {
    fs.writeFileSync(path, 'mine');
    return true;
  }),
  processes: () => fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((name) => [name, ...['cmdline', 'environ'].map((part) => {
    try {
      return fs.readFileSync(`/proc/${name}/${part}`, 'utf8').replaceAll('\0', ' ');
    } catch {
      return '';
    }
  })].join(' ')),
  signal: (args) => could(args, (pid) => process.kill(Number(pid), 'SIGKILL')),
  calls: (args) => spawnSync('/usr/bin/perl', ['-e', perl, ...args], { encoding: 'utf8' }).stdout.trim().split('\n'),
  connect: async (args) => {
    const out = [];
    for (const address of args) if (await connect(address)) out.push(address);
    return out;
  },
  forge,
  http: (args) => Promise.all(args.map(async (path) => `${path} ${(await fetch(process.env.AWS_ENDPOINT_URL + path)).status}`)),
  spawn: (args) => {
    spawn(args[0], args.slice(1), { detached: true, stdio: 'ignore' }).unref();
    return ['spawned'];
  },
  sleep: () => new Promise(() => setTimeout(() => {}, 3600000)),
  fork: (args) => {
    for (let n = 0; n < 20000; n++) {
      const child = spawn(args[0], args.slice(1), { stdio: 'ignore' });
      child.on('error', () => {});
      if (!child.pid) return [`refused after ${n}`];
    }
    return ['never refused'];
  },
  memory: () => {
    const kept = [];
    for (let n = 0; n < 256; n++) kept.push(Buffer.alloc(16 << 20, 1));
    return [`allocated ${kept.length}`];
  },
  fill: () => {
    const block = Buffer.alloc(1 << 20);
    const fd = fs.openSync('/tmp/fill', 'w');
    for (let n = 0; n < 4096; n++) {
      try {
        if (fs.writeSync(fd, block) < block.length) throw new Error('short');
      } catch (e) {
        return [`full after ${n} MiB: ${e.message}`];
      }
    }
    return ['never full'];
  },
  files: () => {
    const kept = [];
    for (let n = 0; n < 100000; n++) {
      try {
        kept.push(fs.openSync('/dev/null'));
      } catch (e) {
        kept.forEach(fs.closeSync);
        return [`refused after ${n}: ${e.message}`];
      }
    }
    return ['never refused'];
  },
  spin: () => {
    for (let n = 0; n < 8; n++) new Worker('for (;;);', { eval: true });
    for (;;);
  },
  shout: () => {
    const line = 'noise '.repeat(10000) + '\n';
    for (;;) fs.writeSync(1, line);
  },
  exit: () => process.exit(3),
  segfault: () => process.kill(process.pid, 'SIGSEGV'),
};

exports.handler = async (event) => acts[event.Act](event.Args ?? []);
