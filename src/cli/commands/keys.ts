import { unwrap } from '../../client/errors.ts';
import {
  type ApiKeyFieldsFragment,
  ApiKeysDocument,
  CreateApiKeyDocument,
  RevokeApiKeyDocument,
  RotateApiKeyDocument,
  UpdateApiKeyDocument,
  type UpdateApiKeyInput,
} from '../../client/generated.ts';
import { type Command, jsonFlag } from '../command.ts';
import { resolveProjectId } from '../input/project.ts';
import { exitCodes, type Io, print, printJson, UsageError } from '../io.ts';
import { formatAge } from '../output/format.ts';
import { type Column, printList, renderFields } from '../output/table.ts';
import { readLimit, readPages } from '../pages.ts';

const columns: readonly Column<ApiKeyFieldsFragment>[] = [
  { title: 'ID', value: (key) => key.id },
  { title: 'NAME', value: (key) => key.name, isFlexible: true },
  { title: 'KIND', value: (key) => key.kind },
  { title: 'ROLE', value: (key) => key.role ?? '' },
  { title: 'PROJECT', value: (key) => key.project?.name ?? '', isFlexible: true },
  { title: 'BEGINS', value: (key) => key.hint },
  { title: 'USED', value: (key) => formatAge(key.lastUsedAt) },
  { title: 'STATE', value: stateOf },
];

export const listKeys: Command = {
  name: 'keys list',
  summary: 'Lists API keys, including ended ones, newest first. For administrators.',
  usage: '',
  argCount: [0, 0],
  flags: {
    kind: { value: 'KIND', isRepeatable: true, description: 'USER, DEVICE, JOB, WATCH', defaultText: 'all except JOB' },
    live: { description: 'only valid keys' },
    ended: { description: 'only ended keys' },
    limit: { value: 'N', description: 'the most to show', defaultText: '100' },
    ...jsonFlag,
  },

  async run({ io, client, given, isJson }) {
    if (given.has('live') && given.has('ended')) throw new UsageError('Give --live or --ended, not both.');
    const isLive = given.has('live') ? true : given.has('ended') ? false : null;
    const kinds = given.choices('kind', ['USER', 'DEVICE', 'JOB', 'WATCH']);
    const found = await readPages(readLimit(given, 100), async (first, after) => {
      const variables = { ...(kinds.length > 0 && { kinds }), isLive, first, after };
      return (await client.request(ApiKeysDocument, variables, { signal: io.signal })).apiKeys;
    });
    return printList(io, isJson, columns, found, 'No keys.');
  },
};

export const createKey: Command = {
  name: 'keys create',
  summary: 'Creates an API key. Its secret is printed only now: the gateway stores its hash.',
  usage: 'NAME',
  argCount: [1, 1],
  flags: {
    kind: { value: 'KIND', description: 'USER, DEVICE, JOB, or WATCH (only reads one job and its streams)', defaultText: 'USER' },
    role: { value: 'ROLE', description: 'for a USER key: VIEWER, EDITOR, ADMIN', defaultText: 'VIEWER' },
    project: { value: 'NAME', description: 'valid for this project only, by name or id', defaultText: 'all projects', field: 'projectId' },
    job: { value: 'JOB', description: 'for a JOB or WATCH key: the job', field: 'jobId' },
    device: { value: 'DEVICE', description: 'for a DEVICE key: the device', field: 'deviceId' },
    'expires-in-seconds': { value: 'N', description: 'how long it is valid', defaultText: 'until it is revoked' },
    ...jsonFlag,
  },

  async run({ io, client, given, args, isJson }) {
    const kind = given.choice('kind', ['USER', 'DEVICE', 'JOB', 'WATCH']);
    const role = given.choice('role', ['VIEWER', 'EDITOR', 'ADMIN']);
    const project = given.text('project');
    const input = {
      name: args[0] ?? '',
      ...(kind && { kind }),
      ...(role && { role }),
      ...(project !== undefined && { projectId: await resolveProjectId(client, project, io.signal) }),
      jobId: given.text('job'),
      deviceId: given.text('device'),
      expiresInSeconds: given.number('expires-in-seconds'),
    };
    const { createApiKey } = await client.request(CreateApiKeyDocument, { input }, { signal: io.signal });
    const { apiKey, secret } = unwrap(createApiKey);
    return printSecret(io, isJson, { apiKey, secret });
  },
};

export const updateKey: Command = {
  name: 'keys update',
  summary: 'Renames a key or changes its expiry.',
  usage: 'KEY-ID',
  argCount: [1, 1],
  flags: {
    name: { value: 'NAME', description: 'its new name' },
    'expires-in-seconds': { value: 'N', description: 'how long it is valid from now on' },
    'never-expires': { description: 'valid until it is revoked' },
    ...jsonFlag,
  },

  async run({ io, client, given, args, isJson }) {
    const input: UpdateApiKeyInput = {
      apiKeyId: args[0] ?? '',
      name: given.text('name'),
      expiresInSeconds: given.number('expires-in-seconds'),
      ...(given.has('never-expires') && { neverExpires: true }),
    };
    const { updateApiKey } = await client.request(UpdateApiKeyDocument, { input }, { signal: io.signal });
    const { apiKey } = unwrap(updateApiKey);
    if (isJson) await printJson(io, apiKey);
    else await print(io.stdout, renderKey(apiKey));
    return exitCodes.succeeded;
  },
};

export const rotateKey: Command = {
  name: 'keys rotate',
  summary: 'Replaces a key by a new one; both are valid for a while. The new secret is printed only now.',
  usage: 'KEY-ID',
  argCount: [1, 1],
  flags: {
    'overlap-seconds': { value: 'N', description: 'how long the old key stays valid; 0 ends it now', defaultText: '3600' },
    'expires-in-seconds': { value: 'N', description: 'how long the new key is valid', defaultText: "the old key's lifetime" },
    ...jsonFlag,
  },
  notes: 'If the answer was lost, rotate again: the unused new key is revoked, and another one is created.',

  async run({ io, client, given, args, isJson }) {
    const overlapSeconds = given.number('overlap-seconds');
    const input = {
      apiKeyId: args[0] ?? '',
      ...(overlapSeconds !== undefined && { overlapSeconds }),
      expiresInSeconds: given.number('expires-in-seconds'),
    };
    const { rotateApiKey } = await client.request(RotateApiKeyDocument, { input }, { signal: io.signal });
    const { apiKey, secret, replaced } = unwrap(rotateApiKey);
    if (!isJson) io.stderr.write(`${replaced.id} stays valid until ${replaced.expiresAt}. The new key:\n`);
    return printSecret(io, isJson, { apiKey, secret, ...(isJson && { replaced }) });
  },
};

export const revokeKey: Command = {
  name: 'keys revoke',
  summary: 'Ends a key at once, including its open subscriptions.',
  usage: 'KEY-ID',
  argCount: [1, 1],
  flags: jsonFlag,

  async run({ io, client, args, isJson }) {
    const { revokeApiKey } = await client.request(RevokeApiKeyDocument, { input: { apiKeyId: args[0] ?? '' } }, { signal: io.signal });
    const { apiKey } = unwrap(revokeApiKey);
    if (isJson) await printJson(io, apiKey);
    else await print(io.stdout, renderKey(apiKey));
    return exitCodes.succeeded;
  },
};

async function printSecret(io: Io, isJson: boolean, made: { apiKey: ApiKeyFieldsFragment; secret: string }): Promise<number> {
  if (isJson) {
    await printJson(io, made);
  } else {
    // Only the secret goes to stdout, for scripts.
    io.stderr.write(renderKey(made.apiKey));
    await print(io.stdout, `${made.secret}\n`);
  }
  return exitCodes.succeeded;
}

function stateOf({ state, expiresAt, replacedBy }: ApiKeyFieldsFragment): string {
  if (state !== 'LIVE') return state.toLowerCase();
  if (expiresAt === null) return 'valid';
  return `${replacedBy === null ? 'valid' : 'rotated, valid'} until ${expiresAt}`;
}

function renderKey(key: ApiKeyFieldsFragment): string {
  return renderFields([
    ['id', key.id],
    ['name', key.name],
    ['kind', key.kind],
    ['role', key.role],
    ['project', key.project?.name],
    ['begins with', key.hint],
    ['created by', key.createdBy],
    ['replaced by', key.replacedBy?.id],
    ['expires', key.expiresAt],
    ['revoked', key.revokedAt],
  ]);
}
