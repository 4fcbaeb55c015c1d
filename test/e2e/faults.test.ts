/** The gateway dies, an agent dies: real processes, SIGKILL, and what is left of their reports. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CompleteStepDocument, EventsDocument, LogDocument, MetricsDocument, ReportProgressDocument } from '../../src/client/generated.ts';
import { subscribe } from '../../src/client/node/subscribe.ts';
import { createRequester } from '../../src/client/request.ts';
import { openStation, type Station, signalFile } from '../agent/station.ts';
import { createPostgresDatabase, createSqliteDatabase } from '../support/databases.ts';

const LINES = 300;
/** Prints a line and reports a metric about every 10 ms. */
const script = `i=1; while [ $i -le ${LINES} ]; do echo "line $i ü"; echo "{\\"iteration\\": $i, \\"loss\\": $i}" >> "$TRAINYARD_METRICS"; i=$((i+1)); sleep 0.01; done`;
const numbers = Array.from({ length: LINES }, (_, i) => i + 1);
const quick = { baseMs: 20, capMs: 200, random: () => 1 };

describe.each([
  { dialect: 'sqlite', create: createSqliteDatabase },
  { dialect: 'postgres', create: createPostgresDatabase },
])('On $dialect', ({ create }) => {
  let station: Station;
  beforeEach(async () => {
    station = await openStation(await create());
  });
  afterEach(() => station.close());
  const target = () => ({ url: station.gateway.url, token: station.gateway.adminKey });

  test('a gateway killed in the middle of a step loses or repeats no line and no metric, stored or streamed; the job succeeds (P1, P7)', async () => {
    const ended = signalFile('ended');
    station.startAgentProcess({ slots: 1 });
    const jobId = await station.createJob([`${script}; touch ${ended}`]);
    const seen = { text: '', iterations: [] as (number | null)[], log: [] as string[], metrics: [] as string[] };
    const readLog = async () => {
      const onState = (state: string) => void seen.log.push(state);
      for await (const frame of subscribe(target(), LogDocument, { jobId }, { backoff: quick, onState })) {
        expect(frame.missed).toBe(0);
        for (const { text } of frame.chunks) seen.text += text;
      }
    };
    const readMetrics = async () => {
      const onState = (state: string) => void seen.metrics.push(state);
      for await (const frame of subscribe(target(), MetricsDocument, { jobId }, { backoff: quick, onState })) {
        expect(frame.missed).toBe(0);
        for (const { iteration } of frame.points) seen.iterations.push(iteration ?? null);
      }
    };
    const reading = Promise.all([readLog(), readMetrics()]);
    await vi.waitFor(() => expect(seen.iterations.length).toBeGreaterThan(20), { timeout: 30_000 });
    const wasRunning = !existsSync(ended);
    await station.gateway.kill('SIGKILL');
    await vi.waitFor(() => expect(seen.log).toContain('reconnecting'));
    await station.gateway.restart();
    await reading;

    expect(wasRunning).toBe(true);
    const text = numbers.map((n) => `line ${n} ü\n`).join('');
    expect(seen.text).toBe(text);
    expect(seen.iterations).toEqual(numbers);
    for (const states of [seen.log, seen.metrics]) expect(states).toEqual(['connecting', 'live', 'reconnecting', 'live']);
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    expect(job.metricSeries.points.map(({ iteration }) => iteration)).toEqual(numbers);
    expect(job.steps[0]?.attempts).toMatchObject([{ number: 1, outcome: 'SUCCEEDED' }]);
    // Once more, from the store only.
    let stored = '';
    for await (const { chunks } of subscribe(target(), LogDocument, { jobId })) for (const chunk of chunks) stored += chunk.text;
    expect(stored).toBe(text);
  });

  test('an agent that is killed loses its step within its lease and a second; another finishes it, and the first token is stale (P3, P5)', async () => {
    const token = signalFile('token');
    const go = signalFile('go');
    const leaseSeconds = 2;
    const first = station.startAgentProcess({ name: 'first', leaseSeconds });
    const jobId = await station.createJob([
      `[ -e ${token} ] || echo $TRAINYARD_TOKEN > ${token}; while [ ! -e ${go} ]; do sleep 0.05; done`,
    ]);
    await vi.waitFor(() => expect(existsSync(token) && readFileSync(token, 'utf8')).toMatch(/^lease_\S+\n/), { timeout: 20_000 });

    let expiredAfter: number | null = null;
    let killedAt = Number.POSITIVE_INFINITY;
    const watching = (async () => {
      for await (const { events } of subscribe(target(), EventsDocument, { filter: { jobId } })) {
        for (const event of events) {
          if (event.__typename === 'StepStatusChangedEvent' && event.reason === 'LEASE_EXPIRED') {
            expect(event).toMatchObject({ stepFrom: 'RUNNING', stepTo: 'QUEUED', attempt: 1 });
            expiredAfter = performance.now() - killedAt;
          }
        }
      }
    })();
    killedAt = performance.now();
    await first.kill('SIGKILL');
    await vi.waitFor(() => expect(expiredAfter).not.toBeNull(), { timeout: 10_000, interval: 20 });
    expect(expiredAfter).toBeLessThan(leaseSeconds * 1_000 + 1_000);

    station.startAgentProcess({ name: 'second' });
    await station.waitForJob(jobId, (job) => expect(job.steps[0]?.attempts.at(-1)).toMatchObject({ number: 2, outcome: 'RUNNING' }));
    const client = createRequester(target());
    const leaseToken = readFileSync(token, 'utf8').trim();
    const late = { input: { leaseToken, metrics: [{ name: 'loss', value: 1 }] } };
    expect((await client.request(ReportProgressDocument, late)).reportProgress).toMatchObject({ code: 'STALE_LEASE' });
    expect((await client.request(CompleteStepDocument, { input: { leaseToken } })).completeStep).toMatchObject({ code: 'STALE_LEASE' });
    writeFileSync(go, '');
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    await watching;
    expect(job.metricSeries.points).toEqual([]);
    expect(job.steps[0]?.attempts.map(({ number, outcome, reason, device }) => [number, outcome, reason, device?.name])).toEqual([
      [1, 'LOST', 'LEASE_EXPIRED', 'first'],
      [2, 'SUCCEEDED', 'COMPLETED', 'second'],
    ]);
  });
});
