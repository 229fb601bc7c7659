// Ends TLS in front of a server on the loopback address: node tls_front.js CERTIFICATE KEY PORT_BEHIND
const fs = require('fs'), net = require('net'), tls = require('tls');
const [cert, key, port] = process.argv.slice(2);
const server = tls.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, (front) => {
  const back = net.connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
  front.setNoDelay(true);
  for (const [one, other] of [[front, back], [back, front]]) {
    one.pipe(other);
    one.on('error', () => other.destroy());
  }
});
server.listen(0, '127.0.0.1', () => console.log(`https://localhost:${server.address().port}`));
