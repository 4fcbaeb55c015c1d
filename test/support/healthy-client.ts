/**
 * A worker thread that asks small questions in sequence, as a harmless client does, and reports how
 * long each took.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const QUERY = '{ viewer { kind } jobs(first: 5) { nodes { id name status } } }';
/**
 * The pause between an answer and the next question: about a hundred a second, which leaves the
 * gateway mostly idle.
 */
const PAUSE_MS = 8;

const { url, adminKey } = workerData as { url: string; adminKey: string }; // strain.ts sends it

async function ask(): Promise<void> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${adminKey}` },
    body: JSON.stringify({ query: QUERY }),
  });
  const { errors } = (await response.json()) as { errors?: unknown }; // the shape of a GraphQL response
  if (errors) throw new Error(`The healthy client was refused: ${JSON.stringify(errors)}`);
}

for (;;) {
  const began = performance.now();
  await ask();
  parentPort?.postMessage(performance.now() - began);
  await pause(PAUSE_MS);
}
