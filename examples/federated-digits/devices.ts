/**
 * The edge devices of the example: each is a Python process with its own share of the digits and
 * its own folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Target } from '../../src/client/target.ts';
import { home, scriptEnv } from './scripts.ts';

/** A device releases its step within a request or two. If it does not, it is killed. */
const leaveTimeoutMs = 5_000;

export interface Ground {
  readonly target: Target;
  readonly projectId: string;
  /** Holds the shares, and gets a folder for each device. */
  readonly folder: string;
  readonly print: (line: string) => void;
}

export class EdgeDevice {
  readonly name: string;
  readonly share: string;
  readonly #ground: Ground;
  #child: ChildProcess | null = null;
  #lines: Interface | null = null;

  constructor(name: string, ground: Ground) {
    this.name = name;
    this.share = join(ground.folder, `${name}.digits`);
    this.#ground = ground;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts its process, also after a kill. Resolves when it is registered and waits for rounds. */
  async start(): Promise<void> {
    const { target, projectId, folder, print } = this.#ground;
    const args = [join(home, 'device.py'), this.name, this.share, '--leave-at-eof'];
    const env = {
      ...{ ...scriptEnv, TRAINYARD_URL: target.url, TRAINYARD_TOKEN: target.token ?? '', TRAINYARD_PROJECT_ID: projectId },
      TRAINYARD_STATE_DIR: join(folder, this.name),
      // A device that is killed leaves its temporary files.
      TMPDIR: folder,
    };
    const child = spawn('python3', args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout }).on('line', (line) => print(`  ${this.name} │ ${line}`));
    const complaints: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => complaints.push(line));
    child.once('close', (code) => {
      if (code) for (const line of complaints.slice(-5)) print(`  ${this.name} │ ${line}`);
    });
    await this.says('is there');
  }

  /** Resolves when its process prints this line. Rejects if it ends first. */
  says(wanted: string): Promise<void> {
    const [child, lines] = [this.#child, this.#lines];
    return new Promise((resolve, reject) => {
      lines?.on('line', (line) => line === wanted && resolve());
      child?.once('close', (code, signal) =>
        reject(new Error(`${this.name} ended (${signal ?? `exit code ${code}`}) without saying “${wanted}”.`)),
      );
      child?.once('error', (error) => reject(new Error(`python3 cannot be run: ${error.message}`)));
    });
  }

  /** Kills it like a power cut (SIGKILL). */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Makes it release its step, and waits until it has exited. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'close');
    child.kill(signal);
    const impatience = setTimeout(() => child.kill('SIGKILL'), leaveTimeoutMs);
    await gone;
    clearTimeout(impatience);
  }
}
