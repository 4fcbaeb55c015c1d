/** The floor: node:http and better-sqlite3 alone. Answers `point` with the same bytes. No key, no limits. */
import { createServer } from 'node:http';
import { announce } from './announce.js';
import { jobById, stepsOfJob } from './rows.js';

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const { variables } = JSON.parse(Buffer.concat(chunks).toString());
    const job = jobById(variables.id);
    if (job) job.steps = stepsOfJob(job.id).map(({ jobId: _, ...step }) => step);
    const text = JSON.stringify({ data: { job } });
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text) });
    response.end(text);
  });
});
server.listen(0, '127.0.0.1', () => announce(server.address().port));
