/**
 * A world for a chaos run: one database, its gateways, a project, and clients that work there and
 * note what they see.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { unwrap } from '../../src/client/errors.ts';
import { CreateProjectDocument, JobsDocument } from '../../src/client/generated.ts';
import { createRequester } from '../../src/client/request.ts';
import { adminKey, findPort, type GatewayPlace, GatewayProcess, withoutSettings } from './gateway.ts';
import { Notebook } from './notes.ts';
import { feelPulse } from './pulse.ts';

/** Bounds for a hang, not for a promise: a busy machine takes its time. */
const CLIENT_ENDS_WITHIN_MS = 120_000;
const DRAINED_WITHIN_MS = 180_000;

export interface WorldOptions {
  /** An empty folder for this world alone. notes/ and data/ are made in it. */
  readonly folder: string;
  /** postgres://… of an empty database, or null for a SQLite file. */
  readonly databaseUrl: string | null;
  readonly seed: string;
  /** The number of gateways on the database. More than one needs PostgreSQL. Default: 1. */
  readonly gateways?: number | undefined;
  /** Called for each started process, so that the caller can end it if this process ends first. */
  readonly onSpawn?: ((child: ChildProcess) => void) | undefined;
  /** The options of each gateway: see `GatewayPlace`. */
  readonly gateway?: Partial<Pick<GatewayPlace, 'source' | 'flags' | 'under'>> | undefined;
}

export type ClientKind = 'submitter' | 'worker' | 'subscriber';

export interface ClientProcess {
  readonly name: string;
  readonly kind: ClientKind;
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
}

export class World {
  readonly folder: string;
  readonly notesDir: string;
  readonly dataDir: string;
  readonly databaseUrl: string | null;
  readonly seed: string;
  readonly notebook: Notebook;
  readonly gateways: readonly GatewayProcess[];
  projectId = '';
  /**
   * The addresses for clients started from now on, if they differ from the gateways' own: a proxy.
   */
  clientUrls: readonly string[] | null = null;
  readonly #clients: ClientProcess[] = [];
  #isClosed = false;
  readonly #endPulse: () => void;
  readonly #onSpawn: (child: ChildProcess) => void;
  readonly #counts = new Map<ClientKind, number>();
  /** Clients that ended unexpectedly: a fault of the chaos tests themselves. */
  readonly faults: string[] = [];

  static async open(options: WorldOptions): Promise<World> {
    const ports = await Promise.all(Array.from({ length: options.gateways ?? 1 }, () => findPort()));
    return new World(options, ports);
  }

  private constructor({ folder, databaseUrl, seed, gateway = {}, onSpawn = () => {} }: WorldOptions, ports: readonly number[]) {
    this.folder = folder;
    this.databaseUrl = databaseUrl;
    this.seed = seed;
    this.#onSpawn = onSpawn;
    this.notesDir = join(folder, 'notes');
    this.dataDir = join(folder, 'data');
    mkdirSync(this.notesDir, { recursive: true });
    mkdirSync(this.dataDir, { recursive: true });
    this.notebook = new Notebook(this.notesDir, 'runner');
    this.#endPulse = feelPulse(this.notebook);
    const place = { databaseUrl, dataDir: this.dataDir, onSpawn, ...gateway };
    this.gateways = ports.map((port, i) => new GatewayProcess({ ...place, name: `gateway ${i}`, port }, this.notebook));
  }

  /** The value for the checker's --database. */
  get database(): string {
    return this.databaseUrl ?? join(this.dataDir, 'trainyard.sqlite');
  }

  get clients(): readonly ClientProcess[] {
    return this.#clients.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  }

  /** Makes the project of the run. A gateway must be ready. */
  async makeProject(): Promise<void> {
    const client = createRequester({ url: this.#anyUrl(), token: adminKey });
    const { createProject } = await client.request(CreateProjectDocument, { input: { name: 'Proof' } });
    this.projectId = unwrap(createProject).project.id;
  }

  /** Starts `count` clients of a kind. Their files say which options they take. */
  startClients(kind: ClientKind, count: number, options: Readonly<Record<string, string | number>> = {}): void {
    for (let i = 0; i < count; i++) {
      const number = (this.#counts.get(kind) ?? 0) + 1;
      this.#counts.set(kind, number);
      this.#startClient(kind, `${kind}-${number}`, options);
    }
  }

  #startClient(kind: ClientKind, name: string, options: Readonly<Record<string, string | number>>): void {
    const file = fileURLToPath(new URL(`clients/${kind}.ts`, import.meta.url));
    const args = ['--name', name, '--notes', this.notesDir, '--seed', this.seed, '--key', adminKey, '--project', this.projectId];
    for (const url of this.clientUrls ?? this.gateways.map(({ url }) => url)) args.push('--url', url);
    for (const [option, value] of Object.entries(options)) args.push('--option', `${option}=${value}`);
    const child = spawn(process.execPath, [file, ...args], { env: withoutSettings(process.env), stdio: ['ignore', 'ignore', 'pipe'] });
    this.#onSpawn(child);
    let errors = '';
    child.stderr.on('data', (part) => {
      errors += String(part);
    });
    const ended = new Promise<void>((resolve) => {
      child.once('close', (code, signal) => {
        if (code !== 0 && signal !== 'SIGKILL') this.faults.push(`${name} ended with ${code ?? signal}: ${errors.slice(-2_000)}`);
        resolve();
      });
    });
    this.#clients.push({ name, kind, child, ended });
  }

  /** SIGKILL: the client does not notice its end. */
  async killClient({ name, child, ended }: ClientProcess): Promise<void> {
    child.kill('SIGKILL');
    this.notebook.write({ kind: 'fate', of: name, what: 'killed' });
    await ended;
  }

  /** Tells all clients of a kind to end, and waits until they have. */
  async stopClients(kind: ClientKind): Promise<void> {
    const these = this.clients.filter((client) => client.kind === kind);
    for (const { child } of these) child.kill('SIGTERM');
    const timer = setTimeout(() => {
      for (const { name, child } of these) if (child.kill('SIGKILL')) this.faults.push(`${name} did not stop when it was told to.`);
    }, CLIENT_ENDS_WITHIN_MS);
    await Promise.all(these.map(({ ended }) => ended));
    clearTimeout(timer);
  }

  /** The number of jobs that have not ended, from the gateway; at most 100. */
  async countOpenJobs(): Promise<number> {
    const client = createRequester({ url: this.#anyUrl(), token: adminKey });
    const statuses = ['QUEUED', 'RUNNING', 'CANCELLING', 'SUSPENDED', 'BLOCKED'] as const;
    const { jobs } = await client.request(JobsDocument, { filter: { projectId: this.projectId, statuses }, first: 100 });
    return jobs.edges.length;
  }

  /**
   * With all gateways up: makes no more jobs, lets everything end and watchers read to the end,
   * then stops all. Returns what did not end.
   */
  async drain(withinMs = DRAINED_WITHIN_MS): Promise<string[]> {
    await this.stopClients('submitter');
    const until = performance.now() + withinMs;
    let open = await this.countOpenJobs();
    while (open > 0 && performance.now() < until) {
      // It asks, and does not subscribe: a gateway whose streams lose events must not look stuck.
      await delay(200);
      open = await this.countOpenJobs();
    }
    await this.stopClients('worker');
    await this.stopClients('subscriber');
    const stopped = await Promise.all(this.gateways.map((gateway) => gateway.stop()));
    this.notebook.write({ kind: 'remark', text: 'drained' });
    return [
      ...(open > 0 ? [`${open} jobs did not end within ${withinMs / 1_000} s of the last gateway's start, with workers there.`] : []),
      ...stopped.flatMap((isStopped, i) => (isStopped ? [] : [`gateway ${i} did not end within a minute of SIGTERM.`])),
    ];
  }

  /** Ends everything that still runs. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#endPulse();
    for (const { child } of this.clients) child.kill('SIGKILL');
    await Promise.all(this.#clients.map(({ ended }) => ended));
    await Promise.all(this.gateways.map((gateway) => gateway.kill()));
    this.notebook.close();
  }

  #anyUrl(): string {
    const { url } = this.gateways.find((gateway) => gateway.isRunning) ?? { url: '' };
    return url;
  }
}
