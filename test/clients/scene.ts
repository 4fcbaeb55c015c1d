/**
 * A gateway with one running job, the acts of its device, and a connection to the gateway that can
 * be cut.
 */
import { afterEach } from 'vitest';
import {
  ClaimNextStepsDocument,
  CompleteStepDocument,
  CreateJobDocument,
  CreateProjectDocument,
  ReportProgressDocument,
} from '../../src/client/generated.ts';
import { createRequester } from '../../src/client/request.ts';
import type { Gateway } from '../support/gateway.ts';
import { openProxy } from '../support/proxy.ts';

export interface RunningJob {
  readonly projectId: string;
  readonly jobId: string;
  /** Appends lines to its log, one chunk each. */
  write(...lines: readonly string[]): Promise<void>;
  /** Completes its step. */
  complete(): Promise<void>;
}

/** The address for clients: a proxy in front of the gateway. */
export interface Line {
  readonly url: string;
  readonly key: string;
  /** Cuts all open connections. */
  cut(): void;
}

/** Undone after a test, in reverse order. */
export const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

export async function openLine({ port, adminKey }: Gateway): Promise<Line> {
  const proxy = await openProxy(port);
  undo.push(() => proxy.close());
  return { url: `http://127.0.0.1:${proxy.port}`, key: adminKey, cut: () => proxy.cut() };
}

export async function runJob({ url, adminKey }: Gateway): Promise<RunningJob> {
  const client = createRequester({ url, token: adminKey });
  const { createProject } = await client.request(CreateProjectDocument, { input: { name: 'Digits' } });
  if (createProject.__typename !== 'CreateProjectPayload') throw new Error(JSON.stringify(createProject));
  const projectId = createProject.project.id;
  const { createJob } = await client.request(CreateJobDocument, { input: { projectId, name: 'A job' } });
  if (createJob.__typename !== 'CreateJobPayload') throw new Error(JSON.stringify(createJob));
  const jobId = createJob.job.id;
  const { claimNextSteps } = await client.request(ClaimNextStepsDocument, { input: { projectId, limit: 1, leaseSeconds: 600 } });
  const claim = claimNextSteps.__typename === 'ClaimNextStepsPayload' ? claimNextSteps.claims[0] : undefined;
  if (!claim) throw new Error(JSON.stringify(claimNextSteps));
  const leaseToken = claim.lease.token;
  let offset = 0;
  return {
    projectId,
    jobId,
    async write(...lines) {
      const log = lines.map((line) => {
        const chunk = { offset, text: `${line}\n`, stream: 'STDOUT' as const };
        offset += chunk.text.length;
        return chunk;
      });
      const { reportProgress } = await client.request(ReportProgressDocument, { input: { leaseToken, log } });
      if (reportProgress.__typename !== 'ReportProgressPayload') throw new Error(JSON.stringify(reportProgress));
    },
    async complete() {
      await client.request(CompleteStepDocument, { input: { leaseToken } });
    },
  };
}

export const lines = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `line ${from + i}`);
