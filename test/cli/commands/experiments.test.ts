/** `trainyard experiments` and `trainyard models`, against a real gateway. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { unwrap } from '../../../src/client/errors.ts';
import { ClaimNextStepsDocument, CompleteStepDocument, ReportProgressDocument } from '../../../src/client/generated.ts';
import { createRequester, type Requester } from '../../../src/client/request.ts';
import { createSqliteDatabase, type TestDatabase } from '../../support/databases.ts';
import { createFolder } from '../../support/folders.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { runHere } from '../processes.ts';

const folder = createFolder('experiments');
let database: TestDatabase;
let gateway: Gateway;
let client: Requester;

beforeAll(async () => {
  database = await createSqliteDatabase();
  gateway = await startGateway({ database });
  client = createRequester({ url: gateway.url, token: gateway.adminKey });
});
afterAll(async () => {
  await gateway?.stop();
  await database?.remove();
});

const trainyard = (...args: string[]) => runHere(args, { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey });

/** Without the client's types, because no command creates an experiment. */
async function ask<T>(query: string): Promise<T> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${gateway.adminKey}` };
  const response = await fetch(`${gateway.url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
  return ((await response.json()) as { data: T }).data; // by the query
}

test('trainyard experiments and trainyard models print tables and JSON', async () => {
  const made = await trainyard('projects', 'create', 'Queues');
  const projectId = made.stdout.trim();
  expect(await trainyard('experiments', '--project', 'Queues')).toEqual({ code: 0, stdout: '', stderr: 'No experiments.\n' });
  expect(await trainyard('models', '--project', 'Queues')).toEqual({ code: 0, stdout: '', stderr: 'No models.\n' });
  expect(await trainyard('models', '--project', 'nope')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no project named "nope"'),
  });

  const { createExperiment } = await ask<{ createExperiment: { experiment: { id: string } } }>(
    `mutation { createExperiment(input: { projectId: "${projectId}", name: "Nightly" }) { ... on CreateExperimentPayload { experiment { id } } } }`,
  );
  const experimentId = createExperiment.experiment.id;
  await writeFile(join(folder, 'train.yaml'), `name: train\nexperimentId: ${experimentId}\nsteps: [{name: train}]\n`);
  const jobs = [];
  jobs.push((await trainyard('submit', join(folder, 'train.yaml'), '--project', 'Queues')).stdout.trim());
  // By name, in a file and by a flag. The flag wins.
  await writeFile(join(folder, 'named.yaml'), 'name: train\nexperiment: No such\nsteps: [{name: train}]\n');
  expect(await trainyard('submit', join(folder, 'named.yaml'), '--project', 'Queues')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`no experiment named "No such". There are:\n  ${experimentId}  Nightly`),
  });
  jobs.push((await trainyard('submit', join(folder, 'named.yaml'), '--project', 'Queues', '--experiment', 'Nightly')).stdout.trim());

  const [claim] = unwrap((await client.request(ClaimNextStepsDocument, { input: { projectId } })).claimNextSteps).claims;
  expect(claim?.step.job.id).toBe(jobs[0]);
  const leaseToken = claim?.lease.token ?? '';
  await writeFile(join(folder, 'model.safetensors'), '12345');
  expect(await trainyard('fragments', 'put', join(folder, 'model.safetensors'), '--job', jobs[0] ?? '', '--type', 'model')).toMatchObject({
    code: 0,
  });
  await client.request(ReportProgressDocument, { input: { leaseToken, metrics: [{ name: 'loss', value: 0.25 }] } });
  unwrap((await client.request(CompleteStepDocument, { input: { leaseToken } })).completeStep);

  const listed = await trainyard('experiments', '--project', 'Queues');
  expect(listed.stdout).toMatch(new RegExp(`^ID .*\\n${experimentId} +Nightly +2 +train \\(QUEUED\\) +frag_\\w+ `));
  expect(JSON.parse((await trainyard('experiments', '--project', projectId, '--json')).stdout)).toMatchObject([
    { id: experimentId, currentJob: { id: jobs[1], status: 'QUEUED' }, currentModel: { filename: 'model.safetensors' } },
  ]);
  expect((await trainyard('models', '--project', 'Queues')).stdout).toMatch(/\nmodel_\w+ +train +1 +frag_\w+ +5 B +loss=0.25 /);
  expect(JSON.parse((await trainyard('models', '--project', 'Queues', '--json')).stdout)).toMatchObject([
    {
      name: 'train',
      versions: { totalCount: 1, edges: [{ node: { number: 1, job: { id: jobs[0] }, metrics: [{ name: 'loss', value: 0.25 }] } }] },
    },
  ]);
});
