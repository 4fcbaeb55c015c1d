/**
 * Writes docs/rights.md from the tables that the gateway decides by: `npm run rights`. With --check, fails if the file is not what they give.
 *
 * What is in it follows from src/domain/access/operations.ts, fields.ts and rights.ts: the ticks from asking `may` and `admit`, what a key sees from asking `sees` with a
 * key of each kind, the fields from the schema. Only the sentences are written here.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { buildSchema, isObjectType } from 'graphql';
import { rightsToFields } from '../src/domain/access/fields.ts';
import { endpoints, type Operation, operations } from '../src/domain/access/operations.ts';
import type { Principal } from '../src/domain/access/principal.ts';
import { everyone, type Holder, isForEveryone, may, mayWriteFile, sees, seesFile, seesKey } from '../src/domain/access/rights.ts';
import { standIn } from '../src/schema/core/guards.ts';
import { markdownTable } from './markdown-table.ts';

const page = new URL('../docs/rights.md', import.meta.url);
const schema = buildSchema(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8'));

const titles: Readonly<Record<Holder, string>> = {
  'USER:VIEWER': 'VIEWER',
  'USER:EDITOR': 'EDITOR',
  'USER:ADMIN': 'ADMIN',
  DEVICE: 'DEVICE',
  JOB: 'JOB',
  LEASE: 'lease',
  WATCH: 'WATCH',
};

/** For whom it is, and what exists for it. */
const sentences: Readonly<Record<Holder, string>> = {
  'USER:VIEWER':
    'A key of kind USER with the role VIEWER, for people and programs that look on. It sees all of its project (or, made without a project, all projects): jobs, their streams and files, devices, ' +
    'experiments, models and the catalogue. It changes nothing, and keys and the audit trail do not exist for it.',
  'USER:EDITOR':
    'A key of kind USER with the role EDITOR, for those who work: apps, notebooks, pipelines. It sees what a VIEWER sees, and makes, changes and deletes jobs, files, devices and experiments there. Of keys it ' +
    'sees, makes, changes and ends those of kind JOB and WATCH alone, so that it can hand out a link to a job and take it back. The catalogue and new projects take an EDITOR of all projects.',
  'USER:ADMIN':
    'A key of kind USER with the role ADMIN. It may do everything there is within its project, or everywhere; deleting projects, all kinds of keys and the audit trail are for it alone. An ADMIN of one project sees neither ' +
    'the other projects nor the keys and entries of the trail that belong to none.',
  DEVICE:
    'The key that a device gets when it registers. It sees its project (of a device of no project: all), so that it can fetch what steps start from. It claims for its own device alone, writes files and output under a lease alone, ' +
    'changes and registers no device but itself, and can rotate its own key.',
  JOB:
    'The token that each job comes with, for what runs as the job. It sees its job, of the project nothing but its name and the files of the project itself, and the catalogue without its containers; other jobs, devices, experiments and models do not exist for it. It reports on the job, ' +
    'changes it, adds steps to it and writes its files. It ends with the job.',
  LEASE:
    'The token of a lease, which an agent hands to what it runs. It is a JOB key for as long as the lease is held, without an id of its own: what it writes is the attempt’s, and is refused as STALE_LEASE once another holds the step.',
  WATCH:
    'A link to a job, for a page or a person who is to look on. It sees the job, its streams and its files, and nothing of the project but its name. The values of variables, what is mounted and what a build starts from are hidden from it. It changes nothing; it may end itself.',
};

const blank = {
  role: null,
  keyId: 'key_own',
  projectId: 'home',
  jobId: null,
  deviceId: null,
  stepId: null,
  attempt: null,
  expiresAt: null,
} as const;
function keyOf(holder: Holder): Principal {
  const name = `${titles[holder]} of the project`;
  switch (holder) {
    case 'USER:VIEWER':
      return { ...blank, kind: 'USER', role: 'VIEWER', name };
    case 'USER:EDITOR':
      return { ...blank, kind: 'USER', role: 'EDITOR', name };
    case 'USER:ADMIN':
      return { ...blank, kind: 'USER', role: 'ADMIN', name };
    case 'DEVICE':
      return { ...blank, kind: 'DEVICE', deviceId: 'own', name };
    case 'JOB':
      return { ...blank, kind: 'JOB', jobId: 'own', name };
    case 'LEASE':
      return { ...blank, kind: 'JOB', jobId: 'own', keyId: null, deviceId: 'own', stepId: 'own', attempt: 1, name };
    case 'WATCH':
      return { ...blank, kind: 'WATCH', jobId: 'own', name };
  }
}

const yes = '✓';
const no = '–';
const tick = (is: boolean) => (is ? yes : no);
const head = everyone.map((holder) => titles[holder]);
const rowOf = (what: string, cell: (principal: Principal) => string) => [what, ...everyone.map((holder) => cell(keyOf(holder)))];

/** Things of the project `home` and of others, and who sees them. A job `own` is the one that keys of jobs are for. */
const things = [
  rowOf('the project', (key) => tick(sees(key, { projectId: 'home' }))),
  rowOf('another project, and all that is in it', (key) => tick(sees(key, { projectId: 'away' }))),
  rowOf('the job that the key is for', (key) => tick(sees(key, { projectId: 'home', jobId: 'own' }))),
  rowOf('another job of the project', (key) => tick(sees(key, { projectId: 'home', jobId: 'other' }))),
  rowOf('a file of that job', (key) => tick(seesFile(key, { projectId: 'home', jobId: 'own' }))),
  rowOf('a file of another job', (key) => tick(seesFile(key, { projectId: 'home', jobId: 'other' }))),
  rowOf('a file of the project itself', (key) => tick(seesFile(key, { projectId: 'home' }))),
  rowOf('may write: a file of that job', (key) => tick(mayWriteFile(key, { projectId: 'home', jobId: 'own', deviceId: null }))),
  rowOf('may write: a file of another job', (key) => tick(mayWriteFile(key, { projectId: 'home', jobId: 'other', deviceId: null }))),
  rowOf('may write: what its device’s lease announced', (key) =>
    tick(mayWriteFile(key, { projectId: 'home', jobId: 'own', deviceId: 'own' })),
  ),
  rowOf('may write: a file of the project itself', (key) => tick(mayWriteFile(key, { projectId: 'home', deviceId: null }))),
  rowOf('its own key', (key) => tick(key.keyId !== null && seesKey(key, { id: key.keyId, projectId: 'home' }))),
  rowOf('a JOB or WATCH key of that job', (key) => tick(seesKey(key, { id: 'key_1', projectId: 'home', jobId: 'own' }))),
  rowOf('another key of the project', (key) => tick(seesKey(key, { id: 'key_1', projectId: 'home' }))),
  rowOf('a key of all projects', (key) => tick(seesKey(key, { id: 'key_1', projectId: null }))),
];

function outcomeOf({ needs, orItself, without, forAllProjects }: Operation, key: Principal): string {
  if (may(key, needs)) return forAllProjects ? 'all' : yes;
  if (orItself !== undefined && may(key, orItself)) return 'itself';
  return without === 'null' ? '`null`' : no;
}

function showOperations(root: keyof typeof operations): string[] {
  const rows = Object.entries<Operation>(operations[root]).map(([name, row]) => [
    ...rowOf(`\`${name}\``, (key) => outcomeOf(row, key)),
    row.within ?? '',
  ]);
  return [`### ${root}`, '', ...markdownTable(['', ...head, 'narrower'], rows), ''];
}

/** Fields that not every key may read which comes by what they are fields of: each with what is answered in its place. */
function showFields(): string[] {
  const rows = [...rightsToFields].flatMap(([coordinate, right]) => {
    const [typeName = '', fieldName = ''] = coordinate.split('.');
    const type = schema.getType(typeName);
    const field = isObjectType(type) ? type.getFields()[fieldName] : undefined;
    // A page of a list shows what the field that leads to it shows.
    if (!field || isForEveryone(right) || /(Edge|Connection)$/.test(typeName)) return [];
    const shown = standIn(field.type);
    const instead = shown === undefined ? no : `\`${typeof shown === 'string' ? shown : JSON.stringify(shown)}\``;
    return [rowOf(`\`${coordinate}\``, (key) => (may(key, right) ? yes : instead))];
  });
  return markdownTable(['', ...head], rows);
}

function showDoors(): string[] {
  const rows = Object.entries(endpoints).map(([endpoint, { needs, within = '', ...row }]) => [
    `\`${endpoint}\``,
    tick(needs === undefined),
    ...everyone.map((holder) => (needs === undefined ? yes : outcomeOf({ needs, ...row }, keyOf(holder)))),
    within,
  ]);
  return markdownTable(['', 'no key', ...head, 'narrower'], rows);
}

const text = [
  '<!-- Made by `npm run rights` from operations.ts, fields.ts and rights.ts in src/domain. Do not edit. -->',
  '# Who may do what',
  '',
  'Every request comes with a key: `Authorization: Bearer KEY`, over a WebSocket in the payload of `connection_init`. A key has a kind, of kind USER a role, and belongs to a project, a job or a device. From',
  'these follow two things: what exists for it, and what it may do to that. The gateway decides by the tables that this page is made from, and the tests in `test/e2e` try every operation with every kind of key.',
  '',
  'What a key may not see does not exist for it: `null`, not counted, not listed, not in a filter’s result, no event, no frame. To change it answers `NOT_FOUND`, word for word as for an id that there never was; files',
  'answer 404. What a key may not do at all answers `FORBIDDEN`, before anything is looked up, so that it says nothing of what exists. Without a key, or with one that has ended, the answer is 401, over a WebSocket',
  'the close code 4401.',
  '',
  '## The keys',
  '',
  ...everyone.flatMap((holder) => [`**${titles[holder]}.** ${sentences[holder]}`, '']),
  '## What exists for a key',
  '',
  'For a key of one project; JOB, lease and WATCH are for one job of it. A USER key that was made without a project sees all projects, and a device of no project sees them too.',
  '',
  ...markdownTable(['', ...head], things),
  '',
  '## What it may do',
  '',
  '✓: to whatever exists for it. all: by a key of all projects alone. itself: to itself alone. –: FORBIDDEN. `null`: it is not there.',
  '',
  ...showOperations('Query'),
  ...showOperations('Mutation'),
  ...showOperations('Subscription'),
  '## What is narrower than what leads to it',
  '',
  'Not every key that sees a job sees the device that ran it, or the password in the address of its project’s repository. In place of a field that a key may not read it is answered `null`; where there is always',
  'something, `***` for a text and `{}` for a document. –: FORBIDDEN.',
  '',
  ...showFields(),
  '',
  '## The other endpoints',
  '',
  ...showDoors(),
  '',
  '## The life of a key',
  '',
  '- A key ends when it expires, when it is revoked, or with what it is for: a JOB key with its job, all keys of a device, job or project when that is deleted. Nothing brings an ended key back.',
  '- Within 5 seconds of its end its open streams end. A WebSocket is closed with 4403 when the key expired (ask for a new one and come back) and with 4401 when it was revoked; a stream of server-sent events gets a last frame with the error',
  '  `UNAUTHENTICATED`. Uploads and downloads under way that came with the key are cut; of an upload nothing is kept. What came by a signed URL goes on: that was handed out, and is good until it expires.',
  '- `rotateApiKey` makes a key in the place of another; both are good for the overlap, an hour unless said otherwise, and the old one never for longer than it would have been. The new one ends when the old one was to. A device may rotate its own key, so that',
  '  a fleet needs no administrator for it; a key of a user, a job or a link may not: whoever it leaked to would lock its owner out. When the answer was lost, rotate again: a replacement that nobody has used is revoked. Once it was used, that is refused.',
  '- `updateApiKey` renames a key or gives it another end. A role is never changed: make another key.',
  '- The operator’s `TRAINYARD_ADMIN_KEY`: started with another one, the gateway takes that as a rotation. The one before ends an hour later; named again before that, it goes on. One that has ended is refused at the start. Started without the setting, nothing changes:',
  '  revoke the key by its id.',
  '- `auditLog` (`trainyard audit`) tells who made, changed, rotated and revoked keys, who changed projects, devices and the catalogue, and who deleted jobs and files. What was refused is not in it: it changed nothing, and anyone could fill the disk with it.',
]
  .join('\n')
  .trimEnd();

if (!process.argv.includes('--check')) writeFileSync(page, `${text}\n`);
else if (readFileSync(page, 'utf8') !== `${text}\n`) {
  console.error('docs/rights.md is not what the tables of rights give: run `npm run rights`.');
  process.exitCode = 1;
}
