/** The agent that `up` runs beside its gateway: a process of its own, so that a gateway that dies takes no step along. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** From SIGTERM to SIGKILL for its steps, and then for itself: together with the gateway's own stop within the 15 s of P11. */
const STEP_GRACE_SECONDS = 4;
const AGENT_GRACE_MS = 8_000;

export interface LocalAgent {
  /** Has it give back what it holds, and waits until it has gone. */
  stop(): Promise<void>;
}

export interface LocalAgentOptions {
  readonly dataDir: string;
  readonly slots: number;
  readonly url: string;
  readonly token: string;
  /** The gateway's environment; its settings, secrets among them, are not handed on. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function startLocalAgent({ dataDir, slots, url, token, env }: LocalAgentOptions): LocalAgent {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const flags = [
    '--url',
    url,
    '--slots',
    String(slots),
    '--work-dir',
    resolve(join(dataDir, 'agent')),
    '--grace-seconds',
    String(STEP_GRACE_SECONDS),
  ];
  const child = spawn(process.execPath, [main, 'agent', ...flags], {
    // The key by environment: an argument can be read by everyone on the machine.
    env: { ...withoutSettings(env), TRAINYARD_TOKEN: token },
    stdio: ['ignore', 'inherit', 'pipe'],
    // A group of its own: Ctrl-C is for the gateway, which stops the agent while it still can give back what it holds.
    detached: true,
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => process.stderr.write(text.replace(/^(?=.)/gm, 'agent: ')));
  child.on('error', (error) => process.stderr.write(`agent: cannot be started: ${error.message}\n`));
  return { stop: () => stopChild(child) };
}

const withoutSettings = (env: LocalAgentOptions['env']) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TRAINYARD_')));

function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), AGENT_GRACE_MS);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
