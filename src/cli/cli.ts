/**
 * The commands of `trainyard` that talk to a gateway. `src/commands` has those that are one: `up`
 * and `serve`.
 */
import { GatewayUnreachable, Refused, RequestRefused } from '../client/errors.ts';
import { didYouMean } from '../text/nearest.ts';
import { type Command, runCommand } from './command.ts';
import { agent } from './commands/agent.ts';
import { applications, createApplication } from './commands/applications.ts';
import { audit } from './commands/audit.ts';
import { metrics, telemetry } from './commands/curves.ts';
import { devices, invite } from './commands/devices.ts';
import { exec } from './commands/exec.ts';
import { experiments } from './commands/experiments.ts';
import { forward } from './commands/forward.ts';
import { getFragment, listFragments, putFragment } from './commands/fragments.ts';
import { cancel, job, retry, watch } from './commands/job.ts';
import { jobs } from './commands/jobs.ts';
import { createKey, listKeys, revokeKey, rotateKey, updateKey } from './commands/keys.ts';
import { login, logout } from './commands/login.ts';
import { logs } from './commands/logs.ts';
import { models } from './commands/models.ts';
import { createProject, listAllProjects } from './commands/projects.ts';
import { submit } from './commands/submit.ts';
import { BrokenPipe, exitCodes, type Io, UsageError } from './io.ts';
import { cleanName } from './terminal.ts';

export type { Io } from './io.ts';

/** Commands that run elsewhere, for suggestions. */
const otherCommands = ['up', 'serve', 'backup', 'restore', 'help', 'version'];

const commands: readonly Command[] = [
  login,
  logout,
  agent,
  submit,
  watch,
  jobs,
  job,
  cancel,
  retry,
  logs,
  metrics,
  telemetry,
  exec,
  forward,
  listFragments,
  getFragment,
  putFragment,
  devices,
  invite,
  applications,
  createApplication,
  experiments,
  models,
  listAllProjects,
  createProject,
  listKeys,
  createKey,
  updateKey,
  rotateKey,
  revokeKey,
  audit,
];

/** The name and summary of every command here, for `trainyard --help`. */
export const summaries: readonly { readonly name: string; readonly summary: string }[] = commands.map(({ name, summary }) => ({
  name,
  summary,
}));

/**
 * Runs one command. `argv` follows `trainyard`: `["submit", "job.yaml", "--follow"]`. Resolves with
 * the exit code. Errors have been written to stderr, if possible in one line.
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const broken = new AbortController();
  for (const output of [io.stdout, io.stderr]) output.on('error', () => broken.abort(new BrokenPipe()));
  const stoppable: Io = { ...io, signal: AbortSignal.any([io.signal, broken.signal]) };
  try {
    const code = await dispatch(argv, stoppable);
    return broken.signal.aborted ? exitCodes.brokenPipe : code;
  } catch (error) {
    if (broken.signal.aborted) return exitCodes.brokenPipe;
    if (io.signal.aborted) return exitCodes.interrupted;
    return explain(error, io);
  }
}

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [first = '', second = ''] = argv;
  // `applications create` is one command of two words.
  const command = commands.find(({ name }) => name === `${first} ${second}`) ?? commands.find(({ name }) => name === first);
  if (command !== undefined) return runCommand(command, argv.slice(command.name.split(' ').length), io);
  const family = commands.filter(({ name }) => name.startsWith(`${first} `));
  const isHelp = first === '' || first === 'help' || argv.includes('--help') || argv.includes('-h');
  if (isHelp) {
    io.stdout.write(
      `Usage: trainyard COMMAND [flags]\n\n${renderList(family.length > 0 ? family : commands)}\nSee trainyard COMMAND --help.\n`,
    );
    return exitCodes.succeeded;
  }
  if (family.length > 0) {
    const meant = didYouMean(
      second,
      family.map(({ name }) => name.slice(first.length + 1)),
      (word) => `trainyard ${first} ${word}`,
    );
    throw new UsageError(`trainyard ${first} needs one of these commands.${meant}\n${renderList(family)}`.trimEnd());
  }
  throw new UsageError(`There is no command "${cleanName(first)}".${suggestCommand(first)} See trainyard --help.`);
}

/**
 * Suggests both parts of a two-word command: `project` is near `projects list`, `creat` near
 * `create`.
 */
function suggestCommand(given: string): string {
  const words = [...commands.map(({ name }) => name), ...commands.map(({ name }) => name.split(' ')[0] ?? ''), ...otherCommands];
  return didYouMean(given, words, (word) => `trainyard ${word}`);
}

function renderList(list: readonly Command[]): string {
  const width = Math.max(...list.map(({ name }) => name.length));
  return list.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join('');
}

function explain(error: unknown, io: Io): number {
  const say = (text: string) => io.stderr.write(`trainyard: ${text}\n`);
  if (error instanceof UsageError) {
    say(error.message);
    return exitCodes.refused;
  }
  if (error instanceof Refused) {
    const issues = error.issues.map((issue) => cleanName(`${issue.path.join('.')}: ${issue.message}`));
    say(`${error.code}:${issues.length > 1 ? '\n  ' : ' '}${issues.length > 0 ? issues.join('\n  ') : cleanName(error.message)}`);
    return exitCodes.refused;
  }
  if (error instanceof RequestRefused) {
    const hint = error.code === 'UNAUTHENTICATED' ? ' (sign in with trainyard login, or set the key with TRAINYARD_TOKEN or --token)' : '';
    say(`${error.code}: ${error.message.split('\n').map(cleanName).join('\n  ')}${hint}`);
    return exitCodes.refused;
  }
  if (error instanceof GatewayUnreachable) {
    say(cleanName(error.message));
    return exitCodes.unreachable;
  }
  // The message of a system error (no such file, no space) says everything. Any other error is a
  // bug, so show its stack.
  const isSystem = error instanceof Error && 'syscall' in error;
  say(error instanceof Error ? cleanLines(isSystem ? error.message : (error.stack ?? error.message)) : String(error));
  return isSystem ? exitCodes.refused : exitCodes.fault;
}

function cleanLines(text: string): string {
  return text.split('\n').map(cleanName).join('\n');
}
