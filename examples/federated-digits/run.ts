/**
 * Runs the federated digits example on a gateway and follows it round by round.
 *
 *   npm run example:federated                        8 rounds; one device is killed in round 2
 *   npm run example:federated -- --rounds 4
 *   npm run example:federated -- --kill-gateway      also kills the gateway in round 3
 *
 * Ends with 0 if the job SUCCEEDED and its last aggregate is more accurate than any device alone, 1
 * if not or if it could not run, 130 if it was interrupted.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Refused, unwrap } from '../../src/client/errors.ts';
import {
  CancelJobDocument,
  CreateFragmentDocument,
  CreateJobDocument,
  CreateProjectDocument,
  ViewerDocument,
} from '../../src/client/generated.ts';
import { digestFile, uploadFile } from '../../src/client/node/files.ts';
import { createRequester, type Requester } from '../../src/client/request.ts';
import { type Gateway, type OwnGateway, openGateway, startGateway } from '../digits/gateway.ts';
import { trainAlone } from './accuracies.ts';
import { EdgeDevice } from './devices.ts';
import { runScript } from './scripts.ts';
import { Training } from './training.ts';

/** Four of five devices make a round. The fifth is the spare for one that fails. */
const deviceNames = ['device-1', 'device-2', 'device-3', 'device-4', 'device-5'];
const numBufferDevices = 1;

const print = (line: string) => process.stdout.write(`${line}\n`);

interface Settings {
  readonly rounds: number;
  readonly killsGateway: boolean;
}

function readSettings(argv: readonly string[]): Settings {
  const options = { rounds: { type: 'string', default: '8' }, 'kill-gateway': { type: 'boolean', default: false } } as const;
  const { values } = parseArgs({ args: [...argv], options });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 3 || rounds > 100) throw new Error('--rounds must be a whole number from 3 to 100.');
  return { rounds, killsGateway: values['kill-gateway'] };
}

async function runExample(settings: Settings, signal: AbortSignal): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-federated-'));
  try {
    print((await runScript('shares.py', [], folder, signal)).trimEnd());
    // Only a gateway that was started here may be killed.
    const own = settings.killsGateway ? await startGateway(signal, { slots: 0 }) : null;
    const gateway = own ?? (await openGateway(signal, { slots: 0 }));
    try {
      print(`gateway ${gateway.target.url}${gateway.isTemporary ? ' (started for this, on a temporary store)' : ''}`);
      return await train(settings, gateway, own, folder, signal);
    } finally {
      await gateway.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function train(settings: Settings, gateway: Gateway, own: OwnGateway | null, folder: string, signal: AbortSignal): Promise<number> {
  const client = createRequester(gateway.target);
  const projectId = await makeProject(client, signal);
  const devices = deviceNames.map((name) => new EdgeDevice(name, { target: gateway.target, projectId, folder, print }));
  print(`each device trains ${settings.rounds} rounds alone, to compare …`);
  const alone = await Promise.all(devices.map(({ share }) => trainAlone(share, settings.rounds, folder, signal)));
  try {
    await Promise.all(devices.map((device) => device.start()));
    const jobId = await submit(client, projectId, settings.rounds, join(folder, 'start.safetensors'), signal);
    print(`job ${jobId}`);
    const training = new Training({ client, jobId, devices, gateway: own, alone, folder, print, signal });
    try {
      return await training.follow();
    } catch (error) {
      if (signal.aborted)
        await client.request(CancelJobDocument, { input: { jobId, reason: 'The example was interrupted.' } }).catch(() => {});
      throw error;
    }
  } finally {
    await Promise.all(devices.map((device) => device.stop()));
  }
}

/** The key's own project, else a new one: a round selects from all online devices of a project. */
async function makeProject(client: Requester, signal: AbortSignal): Promise<string> {
  const { viewer } = await client.request(ViewerDocument, {}, { signal });
  if (viewer.project !== null) return viewer.project.id;
  const name = `federated digits ${new Date().toISOString().slice(0, 19)}`;
  const { createProject } = await client.request(CreateProjectDocument, { input: { name } }, { signal });
  return unwrap(createProject).project.id;
}

async function submit(client: Requester, projectId: string, maxRounds: number, startModel: string, signal: AbortSignal): Promise<string> {
  // A filename is unique in a project.
  const filename = `start ${Date.now()}.safetensors`;
  const announced = { projectId, filename, type: 'MODEL', ...(await digestFile(startModel)) } as const;
  const { createFragment } = await client.request(CreateFragmentDocument, { input: announced }, { signal });
  const { fragment, uploadUrl } = unwrap(createFragment);
  if (uploadUrl !== null) await uploadFile(client.target, uploadUrl, startModel, { signal });

  const federation = {
    numDevices: deviceNames.length - numBufferDevices,
    numBufferDevices,
    startModelFragmentId: fragment.id,
    terminationCriteria: [{ maxRounds }],
    // Ends a run that hangs. A round takes two or three seconds.
    roundDeadlineSeconds: 120,
  };
  const { createJob } = await client.request(CreateJobDocument, { input: { projectId, name: 'Federated digits', federation } }, { signal });
  return unwrap(createJob).job.id;
}

function describeError(error: unknown): string {
  if (error instanceof Refused)
    return [error.message, ...error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)].join('\n');
  return error instanceof Error ? error.message : String(error);
}

const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interruption.abort());
try {
  process.exitCode = await runExample(readSettings(process.argv.slice(2)), interruption.signal);
} catch (error) {
  if (!interruption.signal.aborted) console.error(describeError(error));
  process.exitCode = interruption.signal.aborted ? 130 : 1;
}
