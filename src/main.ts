/** `trainyard`: the gateway's own commands, and the door to those that talk to one. */
import './module-loading.ts';
import type { GatewayCommand } from './config/config.ts';
import { describeExposed, secretsIn, takeEnvironment } from './initial-memory.ts';

/** Before anything else is loaded: better-sqlite3 ends an older Node without a word. */
const OLDEST_NODE = 26;
/** What a gateway writes is for its user alone. */
const PRIVATE_UMASK = 0o077;

const [command = '', ...rest] = helpFlagLast(process.argv.slice(2));
// Steps leave processes behind that are nobody's to wait for but process 1's.
if (process.pid === 1 && (command === 'up' || command === 'agent')) (await import('./agent/process/process-one.ts')).becomeInit();
const env = takeEnvironment(rest);
// Node would open its debugger on it, to whoever may send a signal: a step may.
if (process.platform !== 'win32') process.on('SIGUSR1', () => {});
if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  process.stderr.write(
    `Trainyard needs Node ${OLDEST_NODE} or newer; this is ${process.versions.node}. \`npm ci\` brings one along: use \`npm start\`.\n`,
  );
  process.exitCode = 1;
} else if (command === '--version' || command === 'version') {
  const { default: manifest } = await import('../package.json', { with: { type: 'json' } });
  process.stdout.write(`${manifest.version}\n`);
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

/** `help submit` as `submit --help`. */
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
      { name: 'up', summary: 'Starts a gateway and an agent on this machine: what `npm start` runs.' },
      { name: 'serve', summary: 'Starts a gateway alone.' },
      { name: 'backup', summary: 'Takes a backup of a store while gateways run on it.' },
      { name: 'restore', summary: 'Restores a backup into an empty store.' },
      ...summaries,
    ];
    const width = Math.max(...all.map(({ name }) => name.length)) + 2;
    const lines = all.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`);
    process.stdout.write(`Usage: trainyard COMMAND [flags]\n\n${lines.join('\n')}\n\ntrainyard COMMAND --help says more.\n`);
    return;
  }
  const exposed = command === 'agent' ? describeExposed([env.TRAINYARD_TOKEN, ...secretsIn(rest)], 'Give it by --token-file.') : undefined;
  if (exposed !== undefined) process.stderr.write(`${exposed}\n`);
  const interrupt = new AbortController();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const stop = () => {
    interrupt.abort();
    // The second one is for who does not want to wait: it ends the process as if nobody listened.
    for (const signal of signals) process.off(signal, stop);
  };
  for (const signal of signals) process.on(signal, stop);
  const { stdout, stderr } = process;
  process.exitCode = await run([command, ...rest], { stdout, stderr, env, signal: interrupt.signal });
}
