// node --require ./loopback-only.cjs SCRIPT: a script that listens on a port without naming a host
// (server-everything does) would be reachable from the network; this keeps it on 127.0.0.1, and
// prints where it listens, as the world's own parts do.
// `_listen2` and not `listen` is replaced, because `listen` with a host resolves it asynchronously
// and a caller that asks for `.address()` straight away would find none.
const { Server } = require('node:net');

const listen = Server.prototype._listen2;
Server.prototype._listen2 = function (address, port, addressType, ...rest) {
  const isTcp = typeof port === 'number' && port >= 0;
  if (!isTcp) return listen.call(this, address, port, addressType, ...rest);
  this.once('listening', () => console.log(`listening http://127.0.0.1:${this.address().port}/mcp`));
  return listen.call(this, '127.0.0.1', port, 4, ...rest);
};
