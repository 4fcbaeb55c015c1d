/**
 * A round of a federated job with models of a given size, run through the API as devices run it:
 * models are uploaded and completed, and the aggregate is checked.
 */
import { Readable } from 'node:stream';
import type { Gateway } from './gateway.ts';
import { createProject } from './jobs.ts';

export interface RoundSize {
  readonly submissions: number;
  readonly tensors: number;
  /** Size of each tensor, of 32-bit floats. A multiple of the block size. */
  readonly tensorBytes: number;
}

/** A device and its step in the round. */
interface Participant {
  readonly leaseToken: string;
  readonly stepNumber: number;
}

export interface Round {
  readonly jobId: string;
  readonly participants: readonly Participant[];
}

const REGISTER = `mutation ($input: RegisterDeviceInput!) {
  registerDevice(input: $input) { ... on RegisterDevicePayload { device { id } } ... on Error { code message } } }`;
const CREATE = `mutation ($input: CreateJobInput!) {
  createJob(input: $input) { ... on CreateJobPayload { job { id } } ... on Error { code message } } }`;
const CLAIM = `mutation ($input: ClaimNextStepsInput!) {
  claimNextSteps(input: $input) { ... on ClaimNextStepsPayload { claims { step { number } lease { token } } } ... on Error { code message } } }`;
const ANNOUNCE = `mutation ($input: CreateFragmentInput!) {
  createFragment(input: $input) { ... on CreateFragmentPayload { uploadUrl } ... on Error { code message } } }`;
const COMPLETE = `mutation ($input: CompleteStepInput!) {
  completeStep(input: $input) { ... on CompleteStepPayload { step { status } } ... on Error { code message } } }`;

/** Creates a job of one round, and lets every device claim its step. */
export async function startRound({ ask }: Gateway, name: string, { submissions }: RoundSize): Promise<Round> {
  const projectId = await createProject({ ask });
  const deviceIds: string[] = [];
  for (let i = 0; i < submissions; i++) {
    const { registerDevice } = await ask<{ registerDevice: { device: { id: string } } }>(REGISTER, {
      input: { projectId, name: `${name}-${i}`, kind: 'EDGE' },
    });
    deviceIds.push(registerDevice.device.id);
  }
  const { createJob } = await ask<{ createJob: { job: { id: string } } }>(CREATE, {
    input: { projectId, name, federation: { numDevices: submissions } },
  });
  const participants: Participant[] = [];
  for (const deviceId of deviceIds) {
    const { claimNextSteps } = await ask<{ claimNextSteps: { claims: { step: { number: number }; lease: { token: string } }[] } }>(CLAIM, {
      input: { deviceId, limit: 1, leaseSeconds: 3_600, waitSeconds: 0 },
    });
    const [claim] = claimNextSteps.claims;
    if (!claim) throw new Error('A device has no step in its round.');
    participants.push({ leaseToken: claim.lease.token, stepNumber: claim.step.number });
  }
  return { jobId: createJob.job.id, participants };
}

/** Uploads a participant's model: the first one's values times `number + 1`. Completes no step. */
export async function upload(
  { ask, server, key }: Gateway,
  { jobId, participants }: Round,
  number: number,
  size: RoundSize,
): Promise<void> {
  const { leaseToken } = participants[number] ?? {};
  const { createFragment } = await ask<{ createFragment: { uploadUrl: string } }>(ANNOUNCE, {
    input: { jobId, leaseToken, filename: `model-${number}.safetensors`, type: 'MODEL' },
  });
  const response = await fetch(`http://127.0.0.1:${server.port}${createFragment.uploadUrl}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${key}` },
    body: Readable.toWeb(Readable.from(modelOf(size, number + 1))),
    duplex: 'half',
  } as RequestInit); // lib's type lacks `duplex`
  if (!response.ok) throw new Error(`An upload was refused: ${await response.text()}`);
}

/**
 * Completes a participant's step. Resolves when the model was inspected; the last starts
 * aggregation.
 */
export async function complete({ ask }: Gateway, { participants }: Round, number: number): Promise<void> {
  const { completeStep } = await ask<{ completeStep: { step: { status: string } } }>(COMPLETE, {
    input: { leaseToken: participants[number]?.leaseToken, numSamples: 100 },
  });
  if (completeStep.step?.status !== 'SUCCEEDED') throw new Error(`A model was refused: ${JSON.stringify(completeStep)}`);
}

const BLOCK_BYTES = 1024 ** 2;

/**
 * The values repeat in every block. They are small whole numbers over 256, so every mean of their
 * multiples is exact.
 */
function blockOf(factor: number): Buffer {
  const values = Float32Array.from({ length: BLOCK_BYTES / 4 }, (_, i) => ((((i * 2_654_435_761) >>> 12) % 2_001) - 1_000) / 256);
  return Buffer.from(values.map((value) => value * factor).buffer);
}

function headerOf({ tensors, tensorBytes }: RoundSize): Buffer {
  const entries = Array.from({ length: tensors }, (_, i) => [
    `layer.${i}.weight`,
    { dtype: 'F32', shape: [tensorBytes / 4], data_offsets: [i * tensorBytes, (i + 1) * tensorBytes] },
  ]);
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const bytes = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  bytes.writeBigUInt64LE(BigInt(bytes.length - 8));
  json.copy(bytes, 8);
  return bytes;
}

async function* modelOf(size: RoundSize, factor: number): AsyncGenerator<Buffer> {
  yield headerOf(size);
  const block = blockOf(factor);
  for (let i = 0; i < (size.tensors * size.tensorBytes) / BLOCK_BYTES; i++) yield block;
}

/**
 * Downloads the aggregate and compares every byte of its tensors with the mean. Throws if one
 * differs.
 */
export async function requireMean({ ask, server }: Gateway, { jobId }: Round, size: RoundSize): Promise<void> {
  const { job } = await ask<{ job: { federation: { aggregateModel: { downloadUrl: string; sizeBytes: number } } } }>(
    'query ($id: ID!) { job(id: $id) { federation { aggregateModel { downloadUrl sizeBytes } } } }',
    { id: jobId },
  );
  const dataBytes = size.tensors * size.tensorBytes;
  const { downloadUrl, sizeBytes } = job.federation.aggregateModel;
  const response = await fetch(`http://127.0.0.1:${server.port}${downloadUrl}`, {
    headers: { range: `bytes=${Number(sizeBytes) - dataBytes}-` },
  });
  const wanted = blockOf((size.submissions + 1) / 2);
  let at = 0;
  for await (const chunk of response.body ?? []) {
    for (let taken = 0; taken < chunk.length; ) {
      const from = at % BLOCK_BYTES;
      const length = Math.min(chunk.length - taken, BLOCK_BYTES - from);
      if (wanted.compare(chunk, taken, taken + length, from, from + length) !== 0)
        throw new Error(`The aggregate is not the mean, between bytes ${at} and ${at + length} of its tensors.`);
      taken += length;
      at += length;
    }
  }
  if (at !== dataBytes) throw new Error(`The aggregate has ${at} bytes of tensors, not ${dataBytes}.`);
}
