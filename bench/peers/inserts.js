/**
 * Rows the size of a job, one transaction each, every one on disk before the next: SQLite without
 * group commit.
 */
import { createServer } from 'node:http';
import Database from 'better-sqlite3';
import { announce } from './announce.js';
import { readJson } from './body.js';

const database = new Database(process.argv[2]);
database.pragma('journal_mode = WAL');
database.pragma('synchronous = FULL');
database.exec(
  'create table jobs (id text primary key, project_id text not null, name text not null, status text not null, input text not null, created_at integer not null)',
);
const insert = database.prepare('insert into jobs values (?, ?, ?, ?, ?, ?)');
const input = JSON.stringify({
  name: 'Digits',
  steps: [{ name: 'Step 0', container: { image: 'python:3.13', command: 'python train.py --fold 0' } }],
});
let made = 0;

function run(ms) {
  const start = performance.now();
  let count = 0;
  while (performance.now() < start + ms) {
    insert.run(`job_${String(++made).padStart(26, '0')}`, 'proj_00000000000000000000000001', 'Digits', 'QUEUED', input, Date.now());
    count += 1;
  }
  return { count, seconds: (performance.now() - start) / 1_000 };
}

const server = createServer(async (request, response) => {
  const answer = JSON.stringify(run((await readJson(request)).ms));
  response.writeHead(200, { 'content-length': answer.length }).end(answer);
});
server.listen(0, '127.0.0.1', () => announce(server.address().port));
