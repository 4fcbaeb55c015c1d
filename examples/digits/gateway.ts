import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GatewayUnreachable, RequestRefused } from '../../src/client/errors.ts';
import { ViewerDocument } from '../../src/client/generated.ts';
import { createRequester } from '../../src/client/request.ts';
import type { Target } from '../../src/client/target.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A cold start migrates a new store, which takes some seconds on a busy machine. */
const startTimeoutSeconds = 60;

/** The gateway stops within 15 s of SIGTERM. After this time it is killed. */
const stopTimeoutSeconds = 20;

export interface Gateway {
  readonly target: Target;
  /** Whether it was started here, with a temporary store. */
  readonly isTemporary: boolean;
  /** Stops it if it was started here. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** The number of steps that its agent runs at once. 0: it has no agent. Default: 1. */
  readonly slots?: number;
}

/** A gateway that was started here, and may be killed. */
export interface OwnGateway extends Gateway {
  /** Kills it (SIGKILL) and restarts it on the same store and port. Resolves when it answers. */
  crash(): Promise<void>;
}

/**
 * The gateway of TRAINYARD_URL and TRAINYARD_TOKEN; else the one that `npm start` runs on this
 * machine; else a new one with a temporary store.
 * @throws GatewayUnreachable if the named gateway does not answer; RequestRefused if it refuses the
 * key.
 */
export async function openGateway(signal: AbortSignal, options: StartOptions = {}): Promise<Gateway> {
  const url = process.env.TRAINYARD_URL || undefined;
  const token = process.env.TRAINYARD_TOKEN || undefined;
  const local = await readCredentials(process.env.TRAINYARD_DATA_DIR || join(root, 'data'));
  if (url !== undefined || token !== undefined) {
    // The local key is only sent to the gateway that issued it.
    const isLocal = local !== null && (url === undefined || url === local.url);
    const target = { url: url ?? 'http://127.0.0.1:4000', token: token ?? (isLocal ? local.token : undefined) };
    await greet(target, signal);
    return { target, isTemporary: false, stop: async () => {} };
  }
  if (local !== null && (await answers(local, signal))) return { target: local, isTemporary: false, stop: async () => {} };
  return startGateway(signal, options);
}

async function greet(target: Target, signal: AbortSignal): Promise<void> {
  await createRequester(target).request(ViewerDocument, {}, { timeoutSeconds: 5, signal });
}

/**
 * Credentials outlive their gateway: another program may have its port now, or another gateway
 * other keys.
 */
async function answers(target: Target, signal: AbortSignal): Promise<boolean> {
  try {
    await greet(target, signal);
    return true;
  } catch (error) {
    if (error instanceof GatewayUnreachable || error instanceof RequestRefused) return false;
    throw error;
  }
}

/**
 * The credentials that a gateway with a local agent writes when it is ready; null if missing or
 * incomplete.
 */
async function readCredentials(dataDir: string): Promise<Target | null> {
  const text = await readFile(join(dataDir, 'credentials.json'), 'utf8').catch(() => '');
  try {
    const { url, token } = JSON.parse(text);
    return typeof url === 'string' && typeof token === 'string' ? { url, token } : null;
  } catch {
    return null;
  }
}

/** Starts a gateway with a temporary store. */
export async function startGateway(signal: AbortSignal, { slots = 1 }: StartOptions = {}): Promise<OwnGateway> {
  const dataDir = await mkdtemp(join(tmpdir(), 'trainyard-example-'));
  let run = launch(dataDir, { port: '0', slots });
  const stop = async () => {
    await stopProcess(run.child);
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const target = await waitUntilReady(run.child, dataDir, signal);
    const crash = async () => {
      const gone = once(run.child, 'exit');
      run.child.kill('SIGKILL');
      await gone;
      run = launch(dataDir, { port: new URL(target.url).port, slots });
      await waitUntilReady(run.child, dataDir, signal);
    };
    return { target, isTemporary: true, stop, crash };
  } catch (error) {
    await stop();
    signal.throwIfAborted();
    const output = run.said.join('').trim();
    throw new Error(`${error instanceof Error ? error.message : error}${output === '' ? '' : `\n${output}`}`);
  }
}

/** A gateway's process and the end of its output. */
function launch(dataDir: string, { port, slots }: { port: string; slots: number }): { child: ChildProcess; said: string[] } {
  // Without the user's own settings: an example must not use their database.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TRAINYARD_')));
  const args = ['bin/trainyard.js', 'up', '--port', port, '--slots', String(slots), '--data-dir', dataDir];
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said.push(text);
      if (said.length > 50) said.shift();
    });
  }
  return { child, said };
}

async function waitUntilReady(child: ChildProcess, dataDir: string, signal: AbortSignal): Promise<Target> {
  const deadline = performance.now() + startTimeoutSeconds * 1000;
  while (isRunning(child)) {
    const target = await readCredentials(dataDir);
    if (target !== null && (await answers(target, signal))) return target;
    if (performance.now() > deadline) throw new Error(`The gateway was not ready within ${startTimeoutSeconds} s.`);
    await sleep(100, undefined, { signal });
  }
  throw new Error('The gateway could not be started.');
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const impatience = setTimeout(() => child.kill('SIGKILL'), stopTimeoutSeconds * 1000);
  await ended;
  clearTimeout(impatience);
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
