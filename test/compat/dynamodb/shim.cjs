// Puts Lambent, at DYNAMODB_ENDPOINT, in the place of the server that dynalite's tests start: it is loaded before them (node --require).
const Module = require('node:module');
const net = require('node:net');
const path = require('node:path');

const endpoint = new URL(process.env.DYNAMODB_ENDPOINT);
const suite = path.join(process.cwd(), 'index.js');
const load = Module._load;

// forwarder listens where dynalite would, and passes bytes on.
function forwarder() {
  return net.createServer((client) => {
    const server = net.connect(Number(endpoint.port), endpoint.hostname);
    client.on('error', () => server.destroy()).pipe(server);
    server.on('error', () => client.destroy()).pipe(client);
  });
}

Module._load = function (request, parent, isMain) {
  if (request === '..' && parent && path.resolve(parent.path, request) === path.dirname(suite)) {
    return () => {
      const server = forwarder();
      return { listen: (port, done) => server.listen(port, '127.0.0.1', done), close: (done) => { server.close(); done(); } };
    };
  }
  const loaded = load.apply(this, arguments);
  // An assertion that fails while others are on their way is blamed on the test that runs by then.
  if (request === 'async') return { ...loaded, forEach: loaded.forEachSeries, parallel: loaded.series };
  if (request !== 'aws4') return loaded;
  // The host names no service and no region, by which requests would be signed.
  return { ...loaded, sign: (options, key) => loaded.sign(Object.assign(options, { service: 'dynamodb', region: process.env.AWS_REGION }), key) };
};
