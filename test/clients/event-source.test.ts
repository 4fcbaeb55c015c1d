/**
 * Resuming a stream of server-sent events: the client sends the id of the last event in a header.
 */
import { beforeAll, expect, test } from 'vitest';
import { createSqliteDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { type RunningJob, runJob } from './scene.ts';

let gateway: Gateway;
let job: RunningJob;
beforeAll(async () => {
  const database = await createSqliteDatabase();
  gateway = await startGateway({ database });
  job = await runJob(gateway);
  await job.write('one', 'two');
  return async () => {
    await gateway.stop();
    await database.remove();
  };
});

const resumable = 'subscription ($jobId: ID!, $from: Cursor) { log(jobId: $jobId, after: $from) { chunks { text } } }';

/** The first event that is not a comment, or the whole body if it is not a stream. */
async function firstEvent(query: string, headers: Record<string, string> = {}): Promise<string> {
  const parameters = new URLSearchParams({ query, variables: JSON.stringify({ jobId: job.jobId }) });
  const response = await fetch(`${gateway.url}/graphql?${parameters}`, {
    headers: { accept: 'text/event-stream', authorization: `Bearer ${gateway.adminKey}`, ...headers },
  });
  let text = '';
  for await (const part of response.body ?? []) {
    text += Buffer.from(part).toString();
    const event = /^(?:id|event)[\s\S]*?\n\n/m.exec(text)?.[0];
    if (event !== undefined) return event;
  }
  return text;
}

test('each event has its cursor as its id, and Last-Event-ID resumes after it, whatever the variable is called (P7)', async () => {
  const first = await firstEvent(resumable);
  expect(first).toMatch(
    /^id: [\w-]+\nevent: next\ndata: \{"data":\{"log":\{"chunks":\[\{"text":"one\\n"\},\{"text":"two\\n"\}\]\}\}\}\n\n$/,
  );
  const id = /^id: (.*)$/m.exec(first)?.[1] ?? '';
  await job.write('three');
  expect(await firstEvent(resumable, { 'last-event-id': id })).toContain('"chunks":[{"text":"three\\n"}]');
});

test('a Last-Event-ID that this store never issued is refused (P8)', async () => {
  expect(await firstEvent(resumable, { 'last-event-id': 'bm9uZQ' })).toContain('this cursor was not returned by this stream');
});

test('a subscription without a variable for the cursor has no ids, and refuses Last-Event-ID', async () => {
  const fixed = 'subscription ($jobId: ID!) { log(jobId: $jobId) { cursor } }';
  expect(await firstEvent(fixed)).toMatch(/^event: next\n/);
  expect(await firstEvent(fixed, { 'last-event-id': 'bm9uZQ' })).toContain('pass a variable as `after`');
  const present = 'subscription ($jobId: ID!) { jobUpdated(jobId: $jobId) { id } }';
  expect(await firstEvent(present)).toMatch(/^event: next\n/);
});
