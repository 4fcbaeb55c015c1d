import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { unwrap } from '../../client/errors.ts';
import {
  CreateFragmentDocument,
  FragmentDocument,
  type FragmentFieldsFragment,
  type FragmentFilter,
  JobFragmentsDocument,
  LatestFragmentDocument,
} from '../../client/generated.ts';
import { digestFile, downloadFile, uploadFile } from '../../client/node/files.ts';
import type { Requester } from '../../client/request.ts';
import { type Command, type Context, jsonFlag } from '../command.ts';
import { defaultProject, resolveProjectId } from '../input/project.ts';
import { exitCodes, print, printJson, UsageError } from '../io.ts';
import { noJob } from '../output/follow.ts';
import { formatAge, formatBytes } from '../output/format.ts';
import { Screen } from '../output/screen.ts';
import { type Column, printList } from '../output/table.ts';
import { readLimit, readPages } from '../pages.ts';
import { cleanName } from '../terminal.ts';

const types = ['METRICS', 'BUILD_LOGS', 'MODEL', 'DATA', 'OUTPUT'] as const;

const columns: readonly Column<FragmentFieldsFragment>[] = [
  { title: 'ID', value: (fragment) => fragment.id },
  { title: 'FILENAME', value: (fragment) => fragment.filename, isFlexible: true },
  { title: 'TYPE', value: (fragment) => fragment.type },
  { title: 'STATUS', value: (fragment) => fragment.status },
  { title: 'SIZE', value: (fragment) => formatBytes(fragment.sizeBytes), isNumber: true },
  { title: 'STEP', value: (fragment) => (fragment.step === null ? '' : `${fragment.step.number} ${fragment.step.name}`), isFlexible: true },
  { title: 'CREATED', value: (fragment) => formatAge(fragment.createdAt) },
];

export const listFragments: Command = {
  name: 'fragments list',
  summary: 'Lists the files of a job.',
  usage: 'JOB',
  argCount: [1, 1],
  flags: {
    type: { value: 'TYPE', isRepeatable: true, description: types.join(', ') },
    step: { value: 'N', description: 'only this step, by number' },
    filename: { value: 'NAME', description: 'only with this filename' },
    limit: { value: 'N', description: 'the most to show', defaultText: '100' },
    ...jsonFlag,
  },

  async run({ io, client, given, args, isJson }) {
    const jobId = args[0] ?? '';
    const wanted = given.choices('type', types);
    const filter: FragmentFilter = {
      ...(wanted.length > 0 && { types: wanted }),
      stepNumber: given.integer('step'),
      filename: given.text('filename'),
    };
    const found = await readPages(readLimit(given, 100), async (first, after) => {
      const { job } = await client.request(JobFragmentsDocument, { jobId, filter, first, after }, { signal: io.signal });
      if (job === null) throw noJob(jobId);
      return job.fragments;
    });
    return printList(io, isJson, columns, found, 'No fragments.');
  },
};

export const getFragment: Command = {
  name: 'fragments get',
  summary: 'Downloads a file: a fragment by its id, or a job’s newest file with this filename.',
  usage: 'FRAGMENT | JOB FILENAME',
  argCount: [1, 2],
  flags: {
    output: { short: 'o', value: 'FILE', description: 'where to write it', defaultText: "the fragment's filename, in this folder" },
    force: { description: 'replace an existing file' },
    ...jsonFlag,
  },
  notes: 'An interrupted download goes on from FILE.part when it is started again. FILE appears only after its SHA-256 was checked.',

  async run({ io, client, given, args, target, isJson }) {
    const fragment = await findFragment(client, args, io.signal);
    const path = given.text('output') ?? localName(fragment);
    if (!given.has('force') && (await stat(path).catch(() => null)) !== null)
      throw new UsageError(`${path} exists already. Use --force to replace it.`);
    const screen = new Screen(io);
    let url = fragment.downloadUrl;
    // A signed URL expires, so each attempt after the first requests a new one.
    const nextUrl = async () => {
      const known = url ?? (await findFragment(client, [fragment.id], io.signal)).downloadUrl;
      url = null;
      if (known === null) throw new UsageError(`${cleanName(fragment.filename)} is ${fragment.status}: it cannot be downloaded yet.`);
      return known;
    };
    await downloadFile(target, nextUrl, { path, sha256: fragment.sha256, signal: io.signal, onProgress: showTransfer(screen, fragment) });
    screen.progress('');
    if (isJson) await printJson(io, { path, fragment });
    else await print(io.stdout, `${path}\n`);
    return exitCodes.succeeded;
  },
};

export const putFragment: Command = {
  name: 'fragments put',
  summary: 'Uploads a file to a job or a project.',
  usage: 'FILE',
  argCount: [1, 1],
  flags: {
    job: { value: 'JOB', description: 'the job that it belongs to', field: 'jobId' },
    step: { value: 'N', description: 'the step of the job, by number', field: 'stepNumber' },
    project: {
      value: 'NAME',
      description: 'the project that it belongs to (without --job), by name or id',
      defaultText: defaultProject,
    },
    type: { value: 'TYPE', description: types.join(', '), defaultText: 'DATA' },
    filename: {
      value: 'NAME',
      description: 'its filename in the gateway, which may be a path: plots/loss.png',
      defaultText: "the file's name here",
    },
    replace: { description: 'replace an existing file with this filename' },
    name: { value: 'TEXT', description: 'a name for people', defaultText: 'its filename' },
    'content-type': { value: 'TYPE', description: 'its media type', defaultText: 'what the gateway detects' },
    ...jsonFlag,
  },

  async run(context) {
    const { io, client, given, args, target, isJson } = context;
    const path = args[0] ?? '';
    const { isFile } = await readStat(path);
    if (!isFile) throw new UsageError(`${path} is not a file.`);
    const digest = await digestFile(path, io.signal);
    const input = {
      ...(await owner(context)),
      filename: given.text('filename') ?? basename(path),
      ...(given.has('replace') && { ifExists: 'REPLACE' as const }),
      name: given.text('name'),
      type: given.choice('type', types) ?? ('DATA' as const),
      contentType: given.text('content-type'),
      ...digest,
      // Announced once, even if the upload is retried.
      idempotencyKey: randomUUID(),
    };
    const { createFragment } = await client.request(CreateFragmentDocument, { input }, { signal: io.signal });
    const { fragment, uploadUrl } = unwrap(createFragment);
    const screen = new Screen(io);
    const onProgress = showTransfer(screen, { filename: fragment.filename, sizeBytes: digest.sizeBytes });
    if (uploadUrl !== null) await uploadFile(target, uploadUrl, path, { signal: io.signal, onProgress });
    screen.progress('');
    if (isJson) await printJson(io, (await client.request(FragmentDocument, { id: fragment.id }, { signal: io.signal })).fragment);
    else await print(io.stdout, `${fragment.id}\n`);
    return exitCodes.succeeded;
  },
};

async function owner({ client, given, io }: Context) {
  const jobId = given.text('job');
  if (jobId !== undefined) return { jobId, stepNumber: given.integer('step') };
  return { projectId: await resolveProjectId(client, given.text('project'), io.signal) };
}

async function findFragment(client: Requester, args: readonly string[], signal: AbortSignal): Promise<FragmentFieldsFragment> {
  const [id = '', filename] = args;
  const found =
    filename === undefined
      ? (await client.request(FragmentDocument, { id }, { signal })).fragment
      : (await client.request(LatestFragmentDocument, { jobId: id, filename }, { signal })).job?.latestFragment;
  if (!found) throw new UsageError(`There is no ${args.map(cleanName).join(' ')}, or the key cannot see it.`);
  return found;
}

/**
 * Keeps only the last part of a filename that others chose, so it cannot lead out of this folder.
 */
function localName(fragment: FragmentFieldsFragment): string {
  const name = basename(cleanName(fragment.filename).replaceAll('\\', '/'));
  if (name === '' || name.startsWith('.')) throw new UsageError(`Give --output: the filename is "${cleanName(fragment.filename)}".`);
  return name;
}

function showTransfer(screen: Screen, file: { readonly filename: string; readonly sizeBytes: number | null }): (bytes: number) => void {
  let shownAt = 0;
  return (bytes) => {
    const now = performance.now();
    if (now - shownAt < 100) return;
    shownAt = now;
    const share = file.sizeBytes ? ` of ${formatBytes(file.sizeBytes)} (${Math.floor((100 * bytes) / file.sizeBytes)} %)` : '';
    screen.progress(`${cleanName(file.filename)}: ${formatBytes(bytes)}${share}`);
  };
}

async function readStat(path: string): Promise<{ isFile: boolean }> {
  try {
    return { isFile: (await stat(path)).isFile() };
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
