import { createServer } from 'node:http';
import { announce } from './announce.js';
import { readJson } from './body.js';

/** Answers each request with what `work` makes of its JSON, and prints the address. */
export function serve(work) {
  const server = createServer(async (request, response) => {
    const answer = JSON.stringify(await work(await readJson(request)));
    response.writeHead(200, { 'content-length': answer.length }).end(answer);
  });
  // The bench keeps one connection, which is idle while the other contestants run.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1', () => announce(server.address().port));
}
