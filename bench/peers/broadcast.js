/**
 * The floor of fan-out: `ws` sends the same bytes to every client, as in its README. No key, no
 * storage.
 */
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { announce } from './announce.js';
import { readJson } from './body.js';

const server = createServer(async (request, response) => {
  const { text } = await readJson(request);
  const bytes = Buffer.from(text);
  for (const client of sockets.clients) if (client.readyState === WebSocket.OPEN) client.send(bytes, { binary: false });
  response.writeHead(200, { 'content-length': 2 }).end('{}');
});
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
server.listen(0, '127.0.0.1', () => announce(server.address().port));
