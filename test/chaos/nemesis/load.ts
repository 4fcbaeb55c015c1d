/**
 * A small load with a memory: clients that create jobs, claim, report, upload files and complete,
 * and note each answer with its time. `findLost` then lists what a store lacks of it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { GatewayUnreachable, isPayload, RequestRefused } from '../../../src/client/errors.ts';
import {
  ClaimNextStepsDocument,
  CompleteStepDocument,
  CreateFragmentDocument,
  CreateJobDocument,
  CreateProjectDocument,
  RegisterDeviceDocument,
  ReportProgressDocument,
  type TypedDocumentString,
} from '../../../src/client/generated.ts';
import { createRequester } from '../../../src/client/request.ts';
import { resolveUrl, type Target } from '../../../src/client/target.ts';
import type { FileStore } from '../../../src/store/files/file-store.ts';
import type { Store } from '../../../src/store/store.ts';

/** An answer to a client; `at` is its wall-clock time in milliseconds. */
export type Answered = { readonly at: number } & (
  | { readonly kind: 'job'; readonly jobId: string }
  | { readonly kind: 'claim'; readonly jobId: string; readonly attempt: number }
  | { readonly kind: 'log'; readonly jobId: string; readonly bytes: number }
  | { readonly kind: 'fragment'; readonly fragmentId: string; readonly sha256: string }
  | { readonly kind: 'completed'; readonly jobId: string }
);

export interface Load {
  /** In order of arrival. */
  readonly answered: readonly Answered[];
  /** Refusals that the fault does not excuse. Each is a violation. */
  readonly strange: readonly string[];
  /** The number of requests that were refused for now. */
  readonly unavailable: () => number;
  /** Resolves after `count` more answers. */
  more(count: number): Promise<void>;
  /** Resolves after `count` more refusals for now. */
  refused(count: number): Promise<void>;
  /** Sends no new requests. Resolves when the pending ones are over. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  readonly target: Target;
  readonly lanes?: number;
  /** Size of each fragment. */
  readonly fragmentBytes?: number;
  /** Size of each log chunk. */
  readonly logBytes?: number;
}

const RETRY_MS = 50;
const LEASE_SECONDS = 60;

export async function startLoad({ target, lanes = 4, fragmentBytes = 3_000, logBytes = 200 }: LoadOptions): Promise<Load> {
  const answered: Answered[] = [];
  const strange: string[] = [];
  const stop = new AbortController();
  let refusals = 0;
  const waiting = new Set<() => void>();
  const tell = () => {
    for (const look of waiting) look();
  };
  const until = (isSo: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!isSo()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const refuse = () => {
    refusals += 1;
    tell();
  };
  const note = (what: Answered) => {
    answered.push(what);
    tell();
  };

  /** Asks until there is an answer; null once the load is stopped. */
  async function ask<D, V>(document: TypedDocumentString<D, V>, variables: V, by = target): Promise<D | null> {
    while (!stop.signal.aborted) {
      try {
        return await createRequester(by).request(document, variables);
      } catch (error) {
        if (error instanceof RequestRefused && error.code === 'UNAVAILABLE') refuse();
        else if (!(error instanceof GatewayUnreachable)) strange.push(String(error));
        else if (/answered 5\d\d/.test(error.message)) {
          if (error.message.includes('UNAVAILABLE')) refuse();
          else strange.push(error.message);
        }
        await pause(RETRY_MS);
      }
    }
    return null;
  }

  const project = (await ask(CreateProjectDocument, { input: { name: `Load ${randomUUID()}` } }))?.createProject;
  if (project?.__typename !== 'CreateProjectPayload') throw new Error(JSON.stringify(project ?? strange));
  const projectId = project.project.id;

  async function work(lane: number): Promise<void> {
    const registered = (await ask(RegisterDeviceDocument, { input: { name: `lane-${lane}`, projectId, slots: 50 } }))?.registerDevice;
    if (registered?.__typename !== 'RegisterDevicePayload') return void strange.push(JSON.stringify(registered));
    const deviceId = registered.device.id;
    for (let turn = 0; !stop.signal.aborted; turn++) {
      const job = { projectId, name: `${lane}-${turn}`, idempotencyKey: randomUUID() };
      const created = (await ask(CreateJobDocument, { input: job }))?.createJob;
      if (!created) return;
      if (!isPayload(created)) return void strange.push(JSON.stringify(created));
      note({ kind: 'job', jobId: created.job.id, at: clock() });
      await run(deviceId, turn);
    }
  }

  async function run(deviceId: string, turn: number): Promise<void> {
    const claimed = (await ask(ClaimNextStepsDocument, { input: { limit: 1, leaseSeconds: LEASE_SECONDS, deviceId } }))?.claimNextSteps;
    if (!claimed) return;
    if (!isPayload(claimed)) return void strange.push(JSON.stringify(claimed));
    const [claim] = claimed.claims;
    if (!claim) return;
    const { lease, step } = claim;
    const jobId = step.job.id;
    note({ kind: 'claim', jobId, attempt: lease.attempt, at: clock() });
    let offset = 0;
    for (let piece = 0; piece < 2; piece++) {
      const text = `${String(piece).padEnd(logBytes - 1, '.')}\n`;
      const input = {
        leaseToken: lease.token,
        log: [{ offset, text, stream: 'STDOUT' as const }],
        metrics: [{ name: 'loss', value: piece, iteration: piece }],
      };
      const reported = (await ask(ReportProgressDocument, { input }))?.reportProgress;
      if (!reported) return;
      if (!isPayload(reported)) return void strange.push(JSON.stringify(reported));
      offset += text.length;
      note({ kind: 'log', jobId, bytes: offset, at: clock() });
    }
    if (turn % 2 === 0) await handIn(jobId, lease.token);
    const completed = (await ask(CompleteStepDocument, { input: { leaseToken: lease.token } }))?.completeStep;
    if (!completed) return;
    // The first answer was lost, and this is the second try.
    if (!isPayload(completed) && completed.code !== 'STALE_LEASE') return void strange.push(JSON.stringify(completed));
    note({ kind: 'completed', jobId, at: clock() });
  }

  async function handIn(jobId: string, leaseToken: string): Promise<void> {
    const bytes = Buffer.alloc(fragmentBytes, randomUUID());
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const input = {
      jobId,
      leaseToken,
      filename: 'model.bin',
      type: 'DATA' as const,
      sizeBytes: bytes.length,
      sha256,
      idempotencyKey: randomUUID(),
    };
    const announced = (await ask(CreateFragmentDocument, { input }))?.createFragment;
    if (!announced) return;
    if (!isPayload(announced)) return void strange.push(JSON.stringify(announced));
    const { fragment, uploadUrl } = announced;
    while (uploadUrl && !stop.signal.aborted) {
      const status = await put(uploadUrl, bytes);
      // Already stored: the first answer was lost.
      if (status === 200 || status === 409) return note({ kind: 'fragment', fragmentId: fragment.id, sha256, at: clock() });
      await pause(RETRY_MS);
    }
  }

  async function put(uploadUrl: string, body: Buffer): Promise<number> {
    const response = await fetch(resolveUrl(target, uploadUrl), { method: 'PUT', body: new Uint8Array(body) }).catch(() => null);
    const text = (await response?.text().catch(() => '')) ?? '';
    if (response && ![200, 409].includes(response.status)) {
      if (response.status === 503 && text.includes('"UNAVAILABLE"')) refuse();
      else strange.push(`PUT was answered ${response.status}: ${text}`);
    }
    return response?.status ?? 0;
  }

  const working = Promise.all(Array.from({ length: lanes }, (_, lane) => work(lane)));
  return {
    answered,
    strange,
    unavailable: () => refusals,
    more(count) {
      const enough = answered.length + count;
      return until(() => answered.length >= enough);
    },
    refused(count) {
      const enough = refusals + count;
      return until(() => refusals >= enough);
    },
    async stop() {
      stop.abort();
      await working;
    },
  };
}

/** Finer than Date.now(). */
const clock = (): number => performance.timeOrigin + performance.now();

/** What was answered but is not in the store, a sentence each. */
export async function findLost(store: Store, files: FileStore, answered: readonly Answered[]): Promise<string[]> {
  const { db, t } = store.read;
  const jobs = new Map((await db.select().from(t.jobs)).map((job) => [job.id, job]));
  const steps = new Map((await db.select().from(t.steps)).map((step) => [step.jobId, step]));
  const fragments = new Map((await db.select().from(t.fragments)).map((fragment) => [fragment.id, fragment]));
  const log = new Map<string, number>();
  for (const { jobId, offset, text } of await db.select().from(t.logChunks))
    log.set(jobId, Math.max(log.get(jobId) ?? 0, offset + Buffer.byteLength(text)));
  const lost: string[] = [];
  for (const what of answered) {
    if (what.kind === 'fragment') {
      const bytes = await buffer(files.read({ id: what.fragmentId, sha256: what.sha256 })).catch(() => Buffer.alloc(0));
      const isThere = createHash('sha256').update(bytes).digest('hex') === what.sha256;
      if (!isThere || fragments.get(what.fragmentId)?.status !== 'READY') lost.push(`The bytes of ${what.fragmentId} were taken.`);
      continue;
    }
    const step = steps.get(what.jobId);
    if (!jobs.has(what.jobId) || !step) lost.push(`Job ${what.jobId} was created.`);
    else if (what.kind === 'claim' && step.attemptCount < what.attempt) lost.push(`Attempt ${what.attempt} of ${what.jobId} was given.`);
    else if (what.kind === 'log' && (log.get(what.jobId) ?? 0) < what.bytes)
      lost.push(`${what.bytes} bytes of the log of ${what.jobId} were taken.`);
    else if (what.kind === 'completed' && step.status !== 'SUCCEEDED') lost.push(`${what.jobId} was completed.`);
  }
  return lost;
}
