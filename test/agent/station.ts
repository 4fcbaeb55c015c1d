/**
 * A real gateway with real agents, in this process or in their own, and a client's view of their
 * jobs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { type AgentOptions, runAgent } from '../../src/agent/agent.ts';
import type { AgentEvent } from '../../src/agent/events.ts';
import type { JobStatus } from '../../src/client/generated.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { type Gateway, type GatewayOptions, startGateway } from '../support/gateway.ts';
import { eventually } from './eventually.ts';

export interface StepSeen {
  readonly id: string;
  readonly number: number;
  readonly status: string;
  readonly attempts: ReadonlyArray<{
    readonly number: number;
    readonly outcome: string;
    readonly reason: string | null;
    readonly description: string;
    readonly exitCode: number | null;
    readonly device: { readonly name: string } | null;
  }>;
  readonly log: LogPage;
}

interface LogPage {
  readonly chunks: ReadonlyArray<{ attempt: number; offset: number; stream: string; text: string }>;
  readonly endCursor: string | null;
  readonly hasMore: boolean;
}

export interface JobSeen {
  readonly id: string;
  readonly status: JobStatus;
  readonly steps: readonly StepSeen[];
  readonly metricSeries: { readonly points: ReadonlyArray<{ iteration: number; value: number; attempt: number; stepNumber: number }> };
  readonly telemetry: ReadonlyArray<{ stepNumber: number; cpu: number; memoryMb: number }>;
  readonly fragments: {
    readonly edges: ReadonlyArray<{
      readonly node: { filename: string; type: string; status: string; sizeBytes: number; text: string | null; downloadUrl: string };
    }>;
  };
  readonly computeTime: { readonly cpuStartedAt: string | null; readonly cpuEndedAt: string | null };
}

export interface LocalAgent {
  readonly events: AgentEvent[];
  /** Stops it. Resolves with its exit code. */
  stop(mode?: 'finish' | 'release'): Promise<number>;
}

export interface AgentProcess {
  readonly pid: number;
  readonly workDir: string;
  /** Its output so far. */
  output(): string;
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal and waits for the end. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

export interface Station {
  readonly gateway: Gateway;
  readonly projectId: string;
  startAgent(options?: Partial<AgentOptions>): LocalAgent;
  startAgentProcess(options?: Partial<Omit<AgentOptions, 'stop'>>): AgentProcess;
  /** Creates a job with a step for each command. Resolves with its id. */
  createJob(commands: ReadonlyArray<string | Record<string, unknown>>): Promise<string>;
  cancelJob(jobId: string): Promise<void>;
  readJob(jobId: string): Promise<JobSeen>;
  /** Waits until `isSo` passes for the job. */
  waitForJob(jobId: string, isSo: (job: JobSeen) => void, seconds?: number): Promise<JobSeen>;
  ask<T>(query: string, variables?: object): Promise<T>;
  /** Creates a key with this input besides its name. */
  makeKey(input: string): Promise<{ readonly id: string; readonly secret: string }>;
  /** Creates another project. Resolves with its id. */
  makeProject(): Promise<string>;
  close(): Promise<void>;
}

const jobQuery = `query ($id: ID!, $metric: String!) {
  job(id: $id) {
    id status
    computeTime { cpuStartedAt cpuEndedAt }
    metricSeries(name: $metric) { points { iteration value attempt stepNumber } }
    telemetry { stepNumber cpu memoryMb }
    fragments(first: 50) { edges { node { filename type status sizeBytes text downloadUrl } } }
    steps {
      id number status
      attempts { number outcome reason description exitCode device { name } }
      log(first: 100) { chunks { attempt offset stream text } endCursor hasMore }
    }
  }
}`;

const logQuery = `query ($id: ID!, $after: Cursor) {
  step(id: $id) { log(first: 100, after: $after) { chunks { attempt offset stream text } endCursor hasMore } }
}`;

const agentProcessFile = fileURLToPath(new URL('agent-process.ts', import.meta.url));

/** `how`: options of the gateway besides its database. */
export async function openStation(
  database?: Pick<TestDatabase, 'folder' | 'url' | 'remove'>,
  how: Omit<GatewayOptions, 'database'> = {},
): Promise<Station> {
  const store = database ?? (await createSqliteDatabase());
  const gateway = await startGateway({ ...how, database: store });
  const agents: LocalAgent[] = [];
  const processes: ChildProcess[] = [];
  let names = 0;

  async function ask<T>(query: string, variables: object = {}): Promise<T> {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${gateway.adminKey}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data: T; errors?: unknown }; // by the query
    expect(errors).toBeUndefined();
    return data;
  }

  async function makeProject(): Promise<string> {
    const { createProject } = await ask<{ createProject: { project: { id: string } } }>(
      'mutation { createProject(input: {name: "Digits"}) { ... on CreateProjectPayload { project { id } } } }',
    );
    return createProject.project.id;
  }
  const projectId = await makeProject();
  const optionsOf = () => ({
    url: gateway.url,
    token: gateway.adminKey,
    projectId,
    name: `agent-${names++}`,
    workDir: createFolder('agent'),
  });

  async function readRest(stepId: string, page: LogPage): Promise<LogPage> {
    if (!page.hasMore) return page;
    const { step } = await ask<{ step: { log: LogPage } }>(logQuery, { id: stepId, after: page.endCursor });
    const rest = await readRest(stepId, step.log);
    return { ...rest, chunks: [...page.chunks, ...rest.chunks] };
  }

  const station: Station = {
    gateway,
    projectId,
    ask,
    makeProject,
    async makeKey(input) {
      const { createApiKey } = await ask<{ createApiKey: { secret: string; apiKey: { id: string } } }>(
        `mutation { createApiKey(input: {name: "k", ${input}}) { ... on CreateApiKeyPayload { secret apiKey { id } } } }`,
      );
      return { id: createApiKey.apiKey.id, secret: createApiKey.secret };
    },
    startAgent(options = {}) {
      const stop = new AbortController();
      const events: AgentEvent[] = [];
      const full = { ...optionsOf(), onEvent: (event: AgentEvent) => void events.push(event), stop: stop.signal, ...options };
      const exit = runAgent(full);
      const agent: LocalAgent = {
        events,
        stop(mode = 'release') {
          full.stopMode ??= mode;
          stop.abort();
          return exit;
        },
      };
      agents.push(agent);
      return agent;
    },
    startAgentProcess(options = {}) {
      const workDir = options.workDir ?? createFolder('agent');
      const full = { ...optionsOf(), ...options, workDir };
      const child = spawn(process.execPath, [agentProcessFile, JSON.stringify(full)], { stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      for (const pipe of [child.stdout, child.stderr]) {
        pipe.on('data', (bytes: Buffer) => {
          output += bytes;
        });
      }
      processes.push(child);
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      return {
        pid: child.pid ?? -1,
        workDir,
        output: () => output,
        signal: (signal) => void child.kill(signal),
        kill(signal) {
          child.kill(signal);
          return ended;
        },
      };
    },
    async createJob(commands) {
      const steps = commands.map((command, i) => ({ name: `step ${i}`, container: typeof command === 'string' ? { command } : command }));
      const { createJob } = await ask<{ createJob: { job: { id: string } } }>(
        'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } ... on Error { message } } }',
        { input: { projectId, name: 'A job', steps, settings: { lr: 0.1 } } },
      );
      return createJob.job.id;
    },
    async cancelJob(jobId) {
      await ask('mutation ($input: CancelJobInput!) { cancelJob(input: $input) { __typename } }', { input: { jobId, reason: 'enough' } });
    },
    async readJob(jobId) {
      const { job } = await ask<{ job: JobSeen }>(jobQuery, { id: jobId, metric: 'loss' });
      return { ...job, steps: await Promise.all(job.steps.map(async (step) => ({ ...step, log: await readRest(step.id, step.log) }))) };
    },
    async waitForJob(jobId, isSo, seconds = 30) {
      return eventually(
        async () => {
          const job = await station.readJob(jobId);
          isSo(job);
          return job;
        },
        { timeout: seconds * 1_000, interval: 50 },
      );
    },
    async close() {
      await Promise.all(agents.map((agent) => agent.stop()));
      for (const child of processes) child.kill('SIGKILL');
      await gateway.stop();
      await store.remove();
    },
  };
  return station;
}

/** The stored output of a step's attempt. Fails if its offsets have a gap or overlap. */
export function logOf(step: StepSeen | undefined, attempt = 1): string {
  let text = '';
  for (const chunk of step?.log.chunks.filter((each) => each.attempt === attempt) ?? []) {
    expect(chunk.offset).toBe(Buffer.byteLength(text));
    text += chunk.text;
  }
  return text;
}

/** A file in a new folder, for steps that signal a test or wait for it. */
export const signalFile = (name: string) => join(createFolder('signal'), name);
