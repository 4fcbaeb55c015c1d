import { randomUUID } from 'node:crypto';
import { GatewayUnreachable, unwrap } from '../../client/errors.ts';
import { type ContainerInput, CreateJobDocument, type CreateJobInput } from '../../client/generated.ts';
import { defaultBackoff, delayMs, wait } from '../../timing/backoff.ts';
import { sendCode } from '../code/send.ts';
import { type Command, type Context, flagOf, jsonFlag, placeIssues } from '../command.ts';
import { type Declared, parseValue, readSet, readSettingFlags, type SettingOverride } from '../input/declared.ts';
import type { Given } from '../input/flags.ts';
import type { JobFile } from '../input/jobfile.ts';
import { defaultProject, resolveProjectId } from '../input/project.ts';
import { exitCodes, print, printJson, toJson, UsageError } from '../io.ts';
import { followFlags, followJob } from '../output/follow.ts';
import { cleanName } from '../terminal.ts';
import { resolveApplication } from './applications.ts';
import { resolveExperimentId } from './experiments.ts';

/** A restart of the gateway must not cost a job. The idempotency key makes a retry safe. */
const attempts = 4;

export const submit: Command = {
  name: 'submit',
  summary: 'Creates a job from a job file, from flags, or from both (flags win).',
  usage: '[FILE] [-- COMMAND …]',
  argCount: [0, 1],
  isOpen: true,
  flags: {
    file: { short: 'f', value: 'FILE', description: 'job file in YAML or JSON, or - for standard input; same as FILE' },
    project: { value: 'NAME', description: 'the project, by name or id', defaultText: `the file’s, else ${defaultProject}` },
    application: {
      value: 'NAME',
      description: 'the application of the catalogue that it uses, by name or id',
      defaultText: "the file's, else none",
    },
    experiment: {
      value: 'NAME',
      description: 'the experiment whose queue it joins, by name or id',
      defaultText: "the file's, else none",
    },
    name: {
      value: 'NAME',
      description: "the job's name",
      defaultText: "the file's, else the command's first word or the application's name",
    },
    description: { value: 'TEXT', description: 'a description' },
    type: { value: 'TYPE', description: 'TRAINING, VALIDATION or CONVERSION', defaultText: 'TRAINING' },
    image: {
      value: 'IMAGE',
      description: 'container image',
      defaultText: 'none: a process in its own folder',
      field: 'container.image',
    },
    entrypoint: { value: 'TEXT', description: "the container's entrypoint", field: 'container.entrypoint' },
    command: { value: 'TEXT', description: 'what to run, as one shell command line; or give it after --', field: 'container.command' },
    code: {
      value: 'DIR',
      description: 'a folder that travels with the job, into the working folder of each step',
      defaultText: 'none: steps start in an empty folder',
    },
    'git-ref': {
      value: 'REF',
      description: "clone this branch, tag or commit of the project's repository, instead of --code",
      field: 'code.git.ref',
    },
    env: { value: 'NAME=VALUE', isRepeatable: true, description: 'environment variable of the job', field: 'container.env' },
    'secret-env': {
      value: 'NAME',
      isRepeatable: true,
      description: 'like --env, with its value in this environment, shown only to the device that runs the job',
      field: 'container.env',
    },
    cpu: { value: 'N', description: 'cores it needs', field: 'container.resources.cpu' },
    'memory-mb': { value: 'N', description: 'memory it needs', field: 'container.resources.memoryMb' },
    gpu: { value: 'N', description: 'GPUs it needs', field: 'container.resources.gpu' },
    'gpu-model': { value: 'NAME', description: 'GPU model it needs', field: 'container.resources.gpuModel' },
    label: { value: 'KEY=VALUE', isRepeatable: true, description: 'label of the job', field: 'labels' },
    item: { value: 'NAME=VALUE', isRepeatable: true, description: 'typed item of the job', field: 'items' },
    settings: { value: 'JSON', description: "the job's settings" },
    set: { value: 'PATH=VALUE', isRepeatable: true, description: 'override one setting, by dot path' },
    priority: { value: 'N', description: 'higher is claimed first', defaultText: '0' },
    preemptible: { description: 'more urgent jobs may suspend it' },
    'schedule-timeout-seconds': { value: 'N', description: 'fail if it is not claimed in time', defaultText: 'never' },
    'run-timeout-seconds': { value: 'N', description: 'fail if it runs longer', defaultText: 'never' },
    'idempotency-key': { value: 'KEY', description: 'the same key and input return the same job', defaultText: 'a random one' },
    follow: { description: 'show status, log and metrics until it ends' },
    ...followFlags,
    ...jsonFlag,
  },
  notes: `A setting that the job declares, in its application’s schema or in its file’s settings, is a flag too:
  trainyard submit --application NAME --param_3 '{"k":"v"}' --custom.custom_param 5
The schema decides how its value is read. Without one, and for --set, the value is JSON if it parses, else text.

With --code, the folder is sent: what git tracks or could add, else everything, without what .trainyardignore leaves out. A folder
that has not changed is not sent again.

With --follow the log goes to stdout and the rest to stderr, and the exit code is the job's outcome: 0 SUCCEEDED, 1 FAILED,
3 CANCELLED. Others: 2 refused, 4 gateway unreachable, 130 Ctrl-C (the job goes on).`,

  async run(context) {
    const { io, client, given, isJson } = context;
    const { input, placeOf } = await readInput(context);
    const payload = await create(context, input).catch((error: unknown) => {
      throw placeIssues(error, placeOf);
    });
    for (const path of payload.job.settingsWarnings) io.stderr.write(`trainyard: the application has no setting ${cleanName(path)}\n`);
    if (!given.has('follow')) {
      if (isJson) await printJson(io, { job: payload.job, token: payload.token, isReplay: payload.isReplay });
      else await print(io.stdout, `${payload.job.id}\n`);
      return exitCodes.succeeded;
    }
    const { job } = payload;
    if (isJson) await print(io.stdout, `${toJson({ type: 'job', job, token: payload.token, isReplay: payload.isReplay })}\n`);
    else
      io.stderr.write(
        `== ${payload.isReplay ? 'exists already:' : 'created'} ${job.id} (${cleanName(job.name)}) at ${client.target.url}\n`,
      );
    return followJob(context, job.id);
  },
};

async function create({ client, io }: Context, input: CreateJobInput) {
  for (let failures = 1; ; failures += 1) {
    try {
      const { createJob } = await client.request(CreateJobDocument, { input }, { signal: io.signal });
      return unwrap(createJob);
    } catch (error) {
      if (!(error instanceof GatewayUnreachable) || failures === attempts) throw error;
      if (failures === 1) io.stderr.write(`-- ${cleanName(error.message)}, retrying --\n`);
      await wait(delayMs(defaultBackoff, failures), io.signal);
    }
  }
}

interface ReadInput {
  readonly input: CreateJobInput;
  /** What the user gave for the field at this path: a flag, or a line of the file. */
  placeOf(path: readonly string[]): string | undefined;
}

async function readInput(context: Context): Promise<ReadInput> {
  const { given, args, client, io } = context;
  const path = given.text('file') ?? args[0];
  if (given.has('file') && args[0] !== undefined) throw new UsageError('Give one job file, not two.');
  const file = path === undefined ? noFile : await readFile(path);
  const container = readContainer(context);
  if (container !== undefined && file.input.steps)
    throw new UsageError('The file has steps, so a command, image or resources on the command line have no effect.');
  const application = await readApplication(context, file);
  const settings = given.has('settings') ? readSettings(given) : file.input.settings;
  const overrides = readOverrides(context, { schema: application?.settingsSchema ?? null, settings: settings ?? {} });
  const name = given.text('name') ?? (file.input.name || (firstWord(context) ?? application?.name));
  if (!name) throw new UsageError('A job needs a name and something to run: give a job file, or --name and a command after --.');
  const type = given.choice('type', ['TRAINING', 'VALIDATION', 'CONVERSION']);
  const settingsOverrides = [...(file.input.settingsOverrides ?? []), ...overrides.map(({ path, value }) => ({ path, value }))];
  const [priority, schedule, run] = [
    given.integer('priority'),
    given.number('schedule-timeout-seconds'),
    given.number('run-timeout-seconds'),
  ];
  const projectId = await resolveProjectId(client, given.text('project') ?? file.project ?? file.input.projectId, io.signal);
  const experiment = given.text('experiment') ?? file.experiment;
  const [folder, ref] = [given.text('code'), given.text('git-ref')];
  if (folder !== undefined && ref !== undefined) throw new UsageError('Give --code or --git-ref, not both.');
  const input = {
    ...file.input,
    name,
    projectId,
    ...(experiment !== undefined && { experimentId: await resolveExperimentId(client, projectId, experiment, io.signal) }),
    idempotencyKey: given.text('idempotency-key') ?? file.input.idempotencyKey ?? randomUUID(),
    ...(application && { applicationId: application.id }),
    ...(container && { container: { ...file.input.container, ...container } }),
    ...(folder !== undefined && { code: await sendCode(context, folder, projectId) }),
    ...(ref !== undefined && { code: { git: { ref } } }),
    ...(type && { type }),
    ...(given.has('description') && { description: given.text('description') }),
    ...(given.has('label') && { labels: [...(file.input.labels ?? []), ...given.pairs('label')] }),
    ...(given.has('item') && {
      items: [...(file.input.items ?? []), ...given.wholePairs('item').map(({ key, value }) => ({ name: key, value }))],
    }),
    ...(settings && { settings }),
    ...(settingsOverrides.length > 0 && { settingsOverrides }),
    ...(given.has('preemptible') && { isPreemptible: true }),
    ...(priority !== undefined && { priority }),
    ...(schedule !== undefined && { scheduleTimeoutSeconds: schedule }),
    ...(run !== undefined && { runTimeoutSeconds: run }),
  };
  return { input, placeOf: placesOf(context, file, overrides) };
}

/** By dot path. The file's own come first, then these, in order. */
function readOverrides({ given, settingFlags }: Context, declared: Declared): SettingOverride[] {
  return [...readSet(given.wholePairs('set'), declared), ...readSettingFlags(settingFlags, declared, submit.flags)];
}

function placesOf({ given }: Context, file: JobFile, overrides: readonly SettingOverride[]): ReadInput['placeOf'] {
  const inFile = file.input.settingsOverrides?.length ?? 0;
  return (path) => {
    const [field, index = ''] = path;
    const override = field === 'settingsOverrides' ? overrides[Number(index) - inFile] : undefined;
    if (override) return [override.flag, ...path.slice(3)].join('.');
    return flagOf(submit.flags, given, path) ?? file.placeOf(path);
  };
}

/** Looked up if it is named, or if its schema decides which flags are settings. */
async function readApplication({ given, client, io, settingFlags }: Context, file: JobFile) {
  const isAsked = settingFlags.length > 0 || given.has('set');
  const named = given.text('application') ?? file.application ?? (isAsked ? file.input.applicationId : undefined);
  return named == null ? undefined : resolveApplication(client, named, io.signal);
}

const noFile: JobFile = { input: { name: '' }, placeOf: () => undefined };

async function readFile(path: string): Promise<JobFile> {
  // Imports the YAML and GraphQL parsers, which no other command should wait for.
  const { readJobFile } = await import('../input/jobfile.ts');
  return readJobFile(path);
}

function readContainer({ given, commandLine }: Context): ContainerInput | undefined {
  if (given.has('command') && commandLine.length > 0) throw new UsageError('Give the command once: with --command, or after --.');
  const [cpu, memoryMb, gpu] = [given.number('cpu'), given.integer('memory-mb'), given.integer('gpu')];
  const command = given.text('command') ?? (commandLine.length > 0 ? commandLine.map(quote).join(' ') : undefined);
  const resources = {
    ...(cpu !== undefined && { cpu }),
    ...(memoryMb !== undefined && { memoryMb }),
    ...(gpu !== undefined && { gpu }),
    ...(given.has('gpu-model') && { gpuModel: given.text('gpu-model') }),
  };
  const container = {
    ...(given.has('image') && { image: given.text('image') }),
    ...(given.has('entrypoint') && { entrypoint: given.text('entrypoint') }),
    ...(command !== undefined && { command }),
    ...((given.has('env') || given.has('secret-env')) && { env: readEnvironment(given) }),
    ...(Object.keys(resources).length > 0 && { resources }),
  };
  return Object.keys(container).length > 0 ? container : undefined;
}

/**
 * A secret is read from the environment: every user of the machine can read a command line, and it
 * stays in the shell's history.
 */
function readEnvironment(given: Given) {
  const secrets = given.texts('secret-env').map((name) => {
    const value = process.env[name];
    if (value === undefined) throw new UsageError(`--secret-env ${name}: this environment has no such variable.`);
    return { name, value, isSecret: true };
  });
  return [...given.wholePairs('env').map(({ key, value }) => ({ name: key, value })), ...secrets];
}

/** Quotes a word so that a shell splits the joined text into the same words. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function firstWord({ commandLine }: Context): string | undefined {
  return commandLine[0]?.split('/').at(-1);
}

function readSettings(given: Given): Record<string, unknown> {
  const value = parseValue('--settings', given.text('settings') ?? '');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UsageError('--settings takes a JSON object.');
  // A JSON object has string keys.
  return value as Record<string, unknown>;
}
