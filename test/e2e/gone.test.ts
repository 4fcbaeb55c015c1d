/** A claim over a WebSocket whose client is gone gets no step: nobody would learn of the lease. */
import { expect, test } from 'vitest';
import { openSocket } from '../server/raw-socket.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { startGateway } from '../support/gateway.ts';
import { claim, createJob, post } from '../telemetry/asking.ts';

const patientClaim =
  'mutation { claimNextSteps(input: { limit: 1, waitSeconds: 50 }) { ... on ClaimNextStepsPayload { claims { lease { token } } } } }';

test.each([
  ['closes its socket', (socket: Awaited<ReturnType<typeof openSocket>>) => socket.terminate()],
  ['completes the operation', (socket: Awaited<ReturnType<typeof openSocket>>) => socket.send('{"id":"1","type":"complete"}')],
])('a claim that waits ends when its client %s, and takes nothing', async (_, go) => {
  const database = await createSqliteDatabase();
  const { url, adminKey, stop } = await startGateway({ database });
  const waiting = async () => {
    const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${adminKey}` } });
    return /^trainyard_claims_waiting (\d+)$/m.exec(await response.text())?.[1];
  };
  try {
    const socket = await openSocket(url, adminKey);
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: patientClaim } }));
    await expect.poll(waiting, { timeout: 10_000 }).toBe('1');
    go(socket);
    await expect.poll(waiting, { timeout: 10_000 }).toBe('0');
    const { body } = await post(url, adminKey, '{ projects(first: 1) { nodes { id } } }');
    const nodes: unknown = body.data?.projects?.nodes;
    const [project] = nodes as { id: string }[]; // as it was asked for
    await post(url, adminKey, createJob, { projectId: project?.id, name: 'for the next' });
    expect((await post(url, adminKey, claim)).body.data?.claimNextSteps).toMatchObject({ claims: [{ lease: {} }] });
    socket.terminate();
  } finally {
    await stop();
    await database.remove();
  }
});
