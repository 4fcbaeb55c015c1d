/**
 * A real agent that is stopped past its lease, also during an upload, and wakes when another has
 * taken over.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { unwrap } from '../../src/client/errors.ts';
import {
  ClaimNextStepsDocument,
  CompleteStepDocument,
  CreateFragmentDocument,
  FailStepDocument,
  ReleaseStepDocument,
  RenewLeaseDocument,
  ReportProgressDocument,
} from '../../src/client/generated.ts';
import { createRequester } from '../../src/client/request.ts';
import { eventually } from '../agent/eventually.ts';
import { logOf, openStation, type Station, signalFile } from '../agent/station.ts';

let station: Station;
beforeEach(async () => {
  station = await openStation();
});
afterEach(() => station.close());

test('an agent that stands still past its lease adds nothing to a step that another has taken over when it wakes (P3, P5)', {
  timeout: 300_000,
}, async () => {
  const [begun, go] = [signalFile('begun'), signalFile('go')];
  const first = station.startAgentProcess({ name: 'first', leaseSeconds: 2 });
  // Each attempt prints its device; the first has more to print when it wakes.
  const command = `echo "by $TRAINYARD_DEVICE"; echo >> ${begun}; while [ ! -e ${go} ]; do sleep 0.05; done; echo done`;
  const jobId = await station.createJob([command]);
  const attempts = () => (existsSync(begun) ? readFileSync(begun, 'utf8').length : 0);
  await eventually(() => expect(attempts()).toBe(1));
  await station.waitForJob(jobId, (job) => expect(logOf(job.steps[0])).toContain('by '));
  first.signal('SIGSTOP');
  await station.waitForJob(jobId, (job) => expect(job.steps[0]?.attempts[0]?.outcome).toBe('LOST'));
  station.startAgentProcess({ name: 'second' });
  await eventually(() => expect(attempts()).toBe(2));
  first.signal('SIGCONT');
  await eventually(() => expect(first.output()).toMatch(/nothing was reported/));
  writeFileSync(go, '');
  const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
  expect(job.steps[0]?.attempts.map(({ number, outcome, device }) => [number, outcome, device?.name])).toEqual([
    [1, 'LOST', 'first'],
    [2, 'SUCCEEDED', 'second'],
  ]);
  expect(logOf(job.steps[0], 1)).not.toContain('done');
  expect(logOf(job.steps[0], 2)).toContain('done');
});

test('a request with a lease that another has taken over is answered with STALE_LEASE and changes nothing, even the rest of an upload (P3)', {
  timeout: 60_000,
}, async () => {
  const { gateway } = station;
  const client = createRequester({ url: gateway.url, token: gateway.adminKey });
  const jobId = await station.createJob(['true']);
  const claim = async (leaseSeconds: number) =>
    unwrap((await client.request(ClaimNextStepsDocument, { input: { limit: 1, leaseSeconds, waitSeconds: 10 } })).claimNextSteps).claims[0]
      ?.lease;
  const old = await claim(2);
  const leaseToken = old?.token ?? '';
  const bytes = Buffer.alloc(200_000, 7);
  const input = { jobId, leaseToken, filename: 'model.bin', type: 'DATA' as const, sizeBytes: bytes.length };
  const { fragment, uploadUrl } = unwrap((await client.request(CreateFragmentDocument, { input })).createFragment);
  const put = request(new URL(uploadUrl ?? '', gateway.url), { method: 'PUT', headers: { 'content-length': bytes.length } });
  const answered = new Promise<{ status: number; body: string }>((resolve, reject) => {
    put.once('error', reject);
    put.once('response', async (response) => resolve({ status: response.statusCode ?? 0, body: await text(response) }));
  });
  put.write(bytes.subarray(0, 100_000));
  const current = await claim(60);
  expect(current?.attempt).toBe(2);
  put.end(bytes.subarray(100_000));
  expect(await answered).toMatchObject({ status: 409, body: expect.stringContaining('STALE_LEASE') });
  const stale = { code: 'STALE_LEASE' };
  expect((await client.request(RenewLeaseDocument, { input: { leaseToken } })).renewLease).toMatchObject(stale);
  const log = [{ offset: 0, text: 'late\n', stream: 'STDOUT' as const }];
  expect((await client.request(ReportProgressDocument, { input: { leaseToken, log } })).reportProgress).toMatchObject(stale);
  const metrics = [{ name: 'loss', value: 1 }];
  expect((await client.request(ReportProgressDocument, { input: { leaseToken, metrics } })).reportProgress).toMatchObject(stale);
  const telemetry = [{ at: new Date().toISOString(), cpu: 1, memoryMb: 1 }];
  expect((await client.request(ReportProgressDocument, { input: { leaseToken, telemetry } })).reportProgress).toMatchObject(stale);
  expect((await client.request(CreateFragmentDocument, { input: { ...input, filename: 'late.bin' } })).createFragment).toMatchObject(stale);
  expect((await client.request(CompleteStepDocument, { input: { leaseToken } })).completeStep).toMatchObject(stale);
  expect((await client.request(FailStepDocument, { input: { leaseToken } })).failStep).toMatchObject(stale);
  expect((await client.request(ReleaseStepDocument, { input: { leaseToken } })).releaseStep).toMatchObject(stale);
  const job = await station.readJob(jobId);
  expect(job.steps[0]).toMatchObject({ status: 'RUNNING', log: { chunks: [] } });
  expect(job.metricSeries.points).toEqual([]);
  expect(job.telemetry).toEqual([]);
  expect(job.fragments.edges.map(({ node }) => [node.filename, node.status])).toEqual([['model.bin', 'PENDING']]);
  expect(fragment.status).toBe('PENDING');
});
