/**
 * Creates jobs, each under its own idempotency key, which is also its name. Sometimes it asks twice
 * at once, asks again later, asks for something else under the same key, or cancels. It keeps few
 * jobs open, so that its jobs are worked on while it runs.
 */
import { messageOf } from '../../../src/client/errors.ts';
import { type CreateJobInput, JobNameDocument } from '../../../src/client/generated.ts';
import { createRequester } from '../../../src/client/request.ts';
import { Client } from './client.ts';

const client = new Client();
const { random, settings } = client;
const mostOpen = Number(settings.options.open ?? 12);
const pauseMs = Number(settings.options.pauseMs ?? 60);

const open: string[] = [];
const later = new Set<Promise<void>>();

function inputOf(number: number): CreateJobInput {
  const key = `${settings.name}-${number}`;
  return {
    projectId: settings.projectId,
    name: key,
    idempotencyKey: key,
    priority: random.whole(0, 2),
    settings: { number, note: random.text(20) },
    labels: [{ key: 'by', value: settings.name }],
    steps: Array.from({ length: random.whole(1, 3) }, (_, i) => ({ name: `step ${i}`, maxAttempts: random.whole(1, 3) })),
  };
}

async function submit(number: number): Promise<void> {
  const input = inputOf(number);
  const twins = [client.insist('createJob', input)];
  if (random.chance(0.2)) twins.push(client.insist('createJob', input));
  const [result] = await Promise.all(twins);
  if (result?.__typename !== 'CreateJobPayload') return;
  const jobId = result.job.id;
  open.push(jobId);
  if (random.chance(0.15)) keep(after(random.between(0, 1_500), () => client.insist('createJob', input)));
  if (random.chance(0.15)) {
    const other = { ...input, settings: { number, note: 'something else' } };
    keep(after(random.between(0, 1_500), () => client.insist('createJob', other)));
  }
  if (random.chance(0.12)) {
    const cancel = { jobId, reason: `${settings.name} changed its mind`, cancelTimeoutSeconds: random.pick([0, 1, 5]) };
    keep(after(random.between(0, 2_000), () => client.insist('cancelJob', cancel)));
  }
}

async function after(ms: number, act: () => Promise<unknown>): Promise<void> {
  await client.pause(ms);
  await act();
}

function keep(work: Promise<void>): void {
  later.add(work);
  void work.finally(() => later.delete(work));
}

/** Forgets ended jobs. These reads prove no promise, so they are not noted. */
async function lookAtOldest(): Promise<void> {
  const id = open[0];
  if (id === undefined) return;
  try {
    const { job } = await createRequester(client.target).request(JobNameDocument, { id }, { timeoutSeconds: 5 });
    if (job === null || ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(job.status)) open.shift();
    else open.push(...open.splice(0, 1));
  } catch (error) {
    client.notebook.write({ kind: 'remark', text: `could not look at ${id}: ${messageOf(error)}` });
    await client.pause(200);
  }
}

for (let number = 1; !client.stop.aborted; number++) {
  await submit(number);
  do {
    await client.pause(random.between(0, 2 * pauseMs));
    if (open.length > mostOpen / 2) await lookAtOldest();
  } while (open.length >= mostOpen && !client.stop.aborted);
}
await Promise.all(later);
client.notebook.close();
