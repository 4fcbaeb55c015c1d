/**
 * `npm run rights`: writes docs/rights.md from the tables by which the gateway decides. With
 * --check, fails if the file is out of date.
 *
 * The tables are those of src/domain/access: operations.ts, fields.ts and rights.ts. The ticks come
 * from calling `may` and `admit`, what a key sees from calling `sees` with a key of each kind, the
 * fields from the schema. Only the sentences are written here.
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
  JOIN: 'join link',
};

/** Who each key is for, and what exists for it. */
const sentences: Readonly<Record<Holder, string>> = {
  'USER:VIEWER':
    'A key of kind USER with the role VIEWER, for people and programs that only read. It sees all of its project (or, made without a project, all projects): jobs, their streams and files, devices, ' +
    'experiments, models and the catalogue. It changes nothing, and keys and the audit trail do not exist for it.',
  'USER:EDITOR':
    'A key of kind USER with the role EDITOR, for apps, notebooks and pipelines. It sees what a VIEWER sees, and makes, changes and deletes jobs, files, devices and experiments there. Of keys it ' +
    'sees, makes, changes and ends those of kind JOB and WATCH alone, so that it can hand out a link to a job and take it back. Changing the catalogue and making projects needs an EDITOR of all projects.',
  'USER:ADMIN':
    'A key of kind USER with the role ADMIN. It may do everything there is within its project, or everywhere; only an ADMIN may delete projects, handle keys of every kind and read the audit trail. An ADMIN of one project sees neither ' +
    'other projects nor the keys and audit entries that belong to none.',
  DEVICE:
    'The key that a device gets when it registers. It sees its project (of a device of no project: all), so that it can fetch the inputs of steps. It claims for its own device alone, writes files and output under a lease alone, ' +
    'changes and registers no device but itself, and can rotate its own key.',
  JOB:
    'The token that each job comes with, for the code that runs as the job. It sees its job, the name and the own files of the project, and the catalogue without its containers; other jobs, devices, experiments and models do not exist for it. It reports on the job, ' +
    'changes it, adds steps to it and writes its files. It ends with the job.',
  LEASE:
    'The token of a lease, which an agent hands to the code that it runs. It is a JOB key for as long as the lease is held, without an id of its own: its writes belong to the attempt, and are refused with STALE_LEASE once another lease holds the step.',
  WATCH:
    'A link to a job, for a page or a person that only reads. It sees the job, its streams, its files and the name of the project. The values of variables, mounts and the source of a build are hidden from it. It changes nothing; it may end itself.',
  JOIN: 'The secret of a join link, for a machine that is to become a device. It may call `joinDevice` once, and nothing else exists for it. It has no column below.',
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
    case 'JOIN':
      return { ...blank, kind: 'DEVICE', name };
  }
}

const yes = '✓';
const no = '–';
const tick = (is: boolean) => (is ? yes : no);
const head = everyone.map((holder) => titles[holder]);
const rowOf = (what: string, cell: (principal: Principal) => string) => [what, ...everyone.map((holder) => cell(keyOf(holder)))];

/**
 * Things in the project `home` and elsewhere, with who sees them. JOB and WATCH keys are for the
 * job `own`.
 */
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

/** Fields that a key may not read although it sees their object, with what it gets instead. */
function showFields(): string[] {
  const rows = [...rightsToFields].flatMap(([coordinate, right]) => {
    const [typeName = '', fieldName = ''] = coordinate.split('.');
    const type = schema.getType(typeName);
    const field = isObjectType(type) ? type.getFields()[fieldName] : undefined;
    // A connection shows what the field that leads to it shows.
    if (!field || isForEveryone(right) || /(Edge|Connection)$/.test(typeName)) return [];
    const shown = standIn(field.type);
    const instead = shown === undefined ? no : `\`${typeof shown === 'string' ? shown : JSON.stringify(shown)}\``;
    return [rowOf(`\`${coordinate}\``, (key) => (may(key, right) ? yes : instead))];
  });
  return markdownTable(['', ...head], rows);
}

function showEndpoints(): string[] {
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
  'Every request comes with a key: `Authorization: Bearer KEY`, over a WebSocket in the payload of `connection_init`. A key has a kind, a USER key also a role, and it belongs to a project, a job or a device. From',
  'this follow two things: what exists for the key, and what it may do with that. This page is made from the tables by which the gateway decides. The tests in `test/e2e` try every operation with every kind of key.',
  '',
  'What a key may not see does not exist for it: `null`, not counted, not listed, not in a filter’s result, no event, no frame. A change to it answers `NOT_FOUND`, in the same words as for an id that never existed; files',
  'answer 404. What a key may not do at all answers `FORBIDDEN`, before anything is looked up, so the answer does not tell what exists. Without a key, or with one that has ended, the answer is 401, and over a WebSocket',
  'the close code 4401.',
  '',
  '## The keys',
  '',
  ...everyone.flatMap((holder) => [`**${titles[holder]}.** ${sentences[holder]}`, '']),
  '## What exists for a key',
  '',
  'The columns are keys of one project; JOB, lease and WATCH keys belong to one of its jobs. A USER key that was made without a project sees all projects, and so does a device without one.',
  '',
  ...markdownTable(['', ...head], things),
  '',
  '## What it may do',
  '',
  '✓: on anything that exists for the key. all: only with a key of all projects. itself: only on itself. –: `FORBIDDEN`. `null`: it does not exist for the key.',
  '',
  ...showOperations('Query'),
  ...showOperations('Mutation'),
  ...showOperations('Subscription'),
  '## Fields with a right of their own',
  '',
  'Not every key that sees a job sees the device that ran it, or the password in the address of its project’s repository. A field that a key may not read answers `null`; a field that is never null',
  'answers `***` for a text and `{}` for a document. –: `FORBIDDEN`.',
  '',
  ...showFields(),
  '',
  '## The other endpoints',
  '',
  ...showEndpoints(),
  '',
  '## The life of a key',
  '',
  '- A key ends when it expires, when it is revoked, or when what it is for ends: a JOB key ends with its job, and all keys of a device, job or project end when that is deleted. An ended key stays ended.',
  '- Its open streams end within 5 seconds after it. A WebSocket is closed with 4403 when the key expired (get a new one and connect again) and with 4401 when it was revoked; a stream of server-sent events gets a last frame with the error',
  '  `UNAUTHENTICATED`. Uploads and downloads that use the key are cut off; nothing of such an upload is kept. A transfer by a signed URL goes on: the URL is valid until it expires.',
  '- `rotateApiKey` makes a key that replaces another. Both are valid for the overlap, an hour by default, but the old one never beyond its own expiry. The new one expires when the old one would have. A device may rotate its own key, so that',
  '  a fleet needs no administrator for it; a key of a user, a job or a link may not: with a leaked key, a thief would lock its owner out. If the answer was lost, rotate again: the unused replacement is revoked. Once the replacement was used, that is refused.',
  '- `updateApiKey` renames a key or changes its expiry. A role is never changed: make another key.',
  '- The operator’s `TRAINYARD_ADMIN_KEY`: a start with another value is a rotation. The former key ends an hour later, unless a start names it again before that. A key that has ended is refused at the start. A start without the setting changes nothing:',
  '  to end the key, revoke it by its id.',
  '- `auditLog` (`trainyard audit`) lists who made, changed, rotated and revoked keys, who changed projects, devices and the catalogue, and who deleted jobs and files. Refused requests are not in it: they changed nothing, and anyone could fill the disk with them.',
]
  .join('\n')
  .trimEnd();

if (!process.argv.includes('--check')) writeFileSync(page, `${text}\n`);
else if (readFileSync(page, 'utf8') !== `${text}\n`) {
  console.error('docs/rights.md does not match the tables of rights: run `npm run rights`.');
  process.exitCode = 1;
}
