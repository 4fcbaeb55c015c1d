/** `trainyard`: runs the gateway's own commands, or one that talks to a gateway. */
import './module-loading.ts';
import type { GatewayCommand } from './config/config.ts';
import { describeExposed, secretsIn, takeEnvironment } from './initial-memory.ts';
import { version } from './installation.ts';
import { stopOnSignal } from './stop-signals.ts';

/**
 * Checked before anything else is loaded: better-sqlite3 crashes an older Node without a message.
 */
const OLDEST_NODE = 26;
/** A gateway's files are for its user only. */
const PRIVATE_UMASK = 0o077;

const [command = '', ...rest] = helpFlagLast(process.argv.slice(2));
// Steps leave orphans behind, which process 1 has to wait for.
if (process.pid === 1 && (command === 'up' || command === 'agent')) (await import('./agent/process/process-one.ts')).becomeInit();
const env = takeEnvironment(rest);
// Otherwise Node would open its debugger for anyone who can send this signal: a step can.
if (process.platform !== 'win32') process.on('SIGUSR1', () => {});
if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  process.stderr.write(
    `Trainyard needs Node ${OLDEST_NODE} or newer; this is ${process.versions.node}. \`npm ci\` installs it: use \`npm start\`.\n`,
  );
  process.exitCode = 1;
} else if (command === '--version' || command === 'version') {
  process.stdout.write(`${version}\n`);
} else if (command === 'up' || command === 'serve') {
  await runGateway(command, rest);
} else if (command === 'backup' || command === 'restore') {
  const { runStoreCommand } = await import('./commands/store-command.ts');
  const work = command === 'backup' ? (await import('./commands/backup.ts')).backup : (await import('./commands/restore.ts')).restore;
  process.umask(PRIVATE_UMASK);
  process.exitCode = await runStoreCommand(work, rest, env);
} else {
  await runCommandLine();
}

/** Turns `help submit` into `submit --help`. */
function helpFlagLast(argv: readonly string[]): readonly string[] {
  const [first, ...words] = argv;
  return first === 'help' && words.length > 0 ? [...words, '--help'] : argv;
}

async function runGateway(command: GatewayCommand, argv: readonly string[]): Promise<void> {
  const isAll = argv.includes('--help-all');
  if (isAll || argv.includes('--help') || argv.includes('-h')) {
    const { describeConfig } = await import('./config/help.ts');
    process.stdout.write(describeConfig(command, isAll));
    return;
  }
  const { ConfigError, readConfig } = await import('./config/config.ts');
  try {
    const config = readConfig(command, argv, env);
    const umask = process.umask(PRIVATE_UMASK);
    if (command === 'up') process.exitCode = await (await import('./commands/up.ts')).up(config, { env, umask });
    else process.exitCode = await (await import('./commands/serve.ts')).serve(config, { env, isLocal: false, companion: null });
  } catch (error) {
    const explain = async () => (await import('./commands/explain-start.ts')).explainStart(error);
    process.stderr.write(`${error instanceof ConfigError ? error.message : await explain()}\n`);
    process.exitCode = 1;
  }
}

async function runCommandLine(): Promise<void> {
  const { run, summaries } = await import('./cli/cli.ts');
  if (command === '' || command === '--help' || command === '-h' || command === 'help') {
    const all = [
      { name: 'up', summary: 'Starts a gateway and an agent on this machine, like `npm start`.' },
      { name: 'serve', summary: 'Starts a gateway without an agent.' },
      { name: 'backup', summary: 'Takes a backup of a store, also while gateways run on it.' },
      { name: 'restore', summary: 'Restores a backup into an empty store.' },
      ...summaries,
    ];
    const width = Math.max(...all.map(({ name }) => name.length)) + 2;
    const lines = all.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`);
    process.stdout.write(`Usage: trainyard COMMAND [flags]\n\n${lines.join('\n')}\n\nSee trainyard COMMAND --help.\n`);
    return;
  }
  const exposed =
    command === 'agent' ? describeExposed([env.TRAINYARD_TOKEN, ...secretsIn(rest)], 'Pass it with --token-file.') : undefined;
  if (exposed !== undefined) process.stderr.write(`${exposed}\n`);
  const interrupt = new AbortController();
  stopOnSignal(() => interrupt.abort());
  const { stdout, stderr } = process;
  process.exitCode = await run([command, ...rest], {
    ...{ stdout, stderr, env, signal: interrupt.signal },
    // Opened by a command that reads it.
    stdin: () => process.stdin,
  });
}
