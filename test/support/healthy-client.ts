/** A worker thread that asks small questions one after another, as a client does that harms nobody, and tells how long each took. */
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const QUERY = '{ viewer { kind } jobs(first: 5) { nodes { id name status } } }';
/** Between one answer and the next question: about a hundred a second, which leave the gateway most of its time. */
const PAUSE_MS = 8;

const { url, adminKey } = workerData as { url: string; adminKey: string }; // as strain.ts sends it

async function ask(): Promise<void> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${adminKey}` },
    body: JSON.stringify({ query: QUERY }),
  });
  const { errors } = (await response.json()) as { errors?: unknown }; // as GraphQL has it
  if (errors) throw new Error(`The healthy client was refused: ${JSON.stringify(errors)}`);
}

for (;;) {
  const began = performance.now();
  await ask();
  parentPort?.postMessage(performance.now() - began);
  await pause(PAUSE_MS);
}
