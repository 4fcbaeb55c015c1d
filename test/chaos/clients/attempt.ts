/** One attempt of a worker at a step. Its reports differ from those of any other attempt. */
import { createHash } from 'node:crypto';
import type { ReportProgressInput } from '../../../src/client/generated.ts';
import type { Client, Outcome } from './client.ts';

export interface Held {
  readonly token: string;
  /** The attempt's number. */
  readonly number: number;
  readonly jobId: string;
  readonly stepNumber: number;
  readonly leaseSeconds: number;
  /** Writes in pairs, with long silences between. */
  readonly isCalm: boolean;
}

/**
 * Longer than a woken subscriber may wait for a row, and shorter than the safety poll of 5 s plus
 * the next turn.
 */
const SILENCE_MS = 4_500;

type LogChunk = NonNullable<ReportProgressInput['log']>[number];

export class Attempt {
  readonly #client: Client;
  readonly #held: Held;
  /** Its whole log in chunks, and the number of bytes that the gateway has confirmed. */
  readonly #log: LogChunk[] = [];
  #logSize = 0;
  #stored = 0;
  #iteration = 0;
  #lastSampleAt = 0;
  /** The lease has ended or belongs to another. */
  #isOver = false;
  #isCancelled = false;

  constructor(client: Client, held: Held) {
    this.#client = client;
    this.#held = held;
  }

  async run(): Promise<void> {
    const { random } = this.#client;
    const { isCalm } = this.#held;
    const stops = !isCalm && random.chance(0.15);
    const turns = isCalm ? 4 : random.whole(stops ? 0 : 1, 6);
    for (let turn = 0; turn < turns && !this.#isOver && !this.#isCancelled; turn++) {
      await this.#client.pause(isCalm && turn % 2 === 0 ? SILENCE_MS : random.between(0, 120));
      await this.#speak();
    }
    if (this.#isOver) return this.#speakLate(0.3);
    // As if the machine stood still: past its lease, and past the moment at which another may hold
    // the step.
    if (stops) {
      await this.#client.pause(this.#held.leaseSeconds * 1_000 * random.between(0.9, 1.6) + random.between(0, 1_500));
      await this.#speak();
      return this.#end();
    }
    await this.#end();
    await this.#speakLate(0.15);
  }

  /** Sends one random report of a running step. */
  async #speak(): Promise<void> {
    const { random } = this.#client;
    const what = random.next();
    if (what < 0.12) await this.#renew();
    else if (what < 0.24) await this.#handIn();
    else await this.#report();
  }

  /** Sends a late report, which is answered as stale. */
  async #speakLate(probability: number): Promise<void> {
    const { random } = this.#client;
    if (!random.chance(probability)) return;
    await this.#client.pause(random.between(0, 1_500));
    await this.#speak();
    if (random.chance(0.5)) await this.#end();
  }

  async #renew(): Promise<void> {
    const { token, leaseSeconds } = this.#held;
    const result = await this.#client.insist('renewLease', { leaseToken: token, leaseSeconds });
    this.#hear(result);
    if (result?.__typename === 'RenewLeasePayload') this.#isCancelled ||= result.isCancelRequested;
  }

  async #report(): Promise<void> {
    const { random } = this.#client;
    this.#write();
    if (random.chance(0.3)) this.#write();
    const input: ReportProgressInput = {
      leaseToken: this.#held.token,
      // What the gateway has not confirmed, sometimes with an earlier chunk, as an unsure client
      // sends it.
      log: this.#log.filter(({ offset, text }) => offset + Buffer.byteLength(text) > this.#stored - (random.chance(0.1) ? 40 : 0)),
      metrics: Array.from({ length: random.whole(0, 3) }, () => this.#measure()),
      telemetry: random.chance(0.4) ? [this.#sample()] : [],
      ...(random.chance(0.7) && { leaseSeconds: this.#held.leaseSeconds }),
      ...(random.chance(0.1) && { statusMessage: `turn ${this.#iteration}` }),
    };
    const result = await this.#client.insist('reportProgress', input);
    this.#hear(result);
    if (result?.__typename !== 'ReportProgressPayload') return;
    this.#stored = result.nextLogOffset;
    this.#isCancelled ||= result.isCancelRequested;
  }

  #write(): void {
    const { client, number, stepNumber } = { client: this.#client, ...this.#held };
    const text = `${client.settings.name}#${client.nextCall} step ${stepNumber} attempt ${number}: ${client.random.text(client.random.whole(0, 60))}\n`;
    this.#log.push({ offset: this.#logSize, text, stream: client.random.pick(['STDOUT', 'STDERR']) });
    this.#logSize += Buffer.byteLength(text);
  }

  #measure() {
    const iteration = ++this.#iteration;
    return { name: this.#client.random.pick(['loss', 'accuracy']), value: iteration * 1_000 + this.#held.number, iteration };
  }

  #sample() {
    // A time of its own for each: a sample with the same time would be the same sample.
    this.#lastSampleAt = Math.max(Date.now(), this.#lastSampleAt + 1);
    return { at: new Date(this.#lastSampleAt).toISOString(), cpu: this.#held.number, memoryMb: this.#client.random.whole(1, 1_000) };
  }

  /** A file, with its text in the announcement or its bytes by PUT. */
  async #handIn(): Promise<void> {
    const { client, token, jobId, number } = { client: this.#client, ...this.#held };
    const filename = `${client.settings.name}-${client.nextCall}-a${number}.txt`;
    const content = `${filename} ${client.random.text(client.random.whole(0, 2_000))}`;
    const announcement = { jobId, leaseToken: token, filename, type: 'OUTPUT' as const, idempotencyKey: filename };
    if (client.random.chance(0.5)) {
      this.#hear(await client.insist('createFragment', { ...announcement, text: content }));
      return;
    }
    const bytes = Buffer.from(content);
    const of = { sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length };
    const created = await client.insist('createFragment', { ...announcement, ...of });
    this.#hear(created);
    if (created?.__typename !== 'CreateFragmentPayload' || created.uploadUrl === null) return;
    const upload = { fragmentId: created.fragment.id, url: created.uploadUrl, leaseToken: token, ...of };
    await client.upload(upload, bytes);
  }

  async #end(): Promise<void> {
    const { client, token } = { client: this.#client, ...this.#held };
    const how = client.random.next();
    if (this.#isCancelled) this.#hear(await client.insist('releaseStep', { leaseToken: token, description: 'as it was told to' }));
    else if (how < 0.04) this.#hear(await client.insist('releaseStep', { leaseToken: token }));
    else if (how < 0.16) this.#hear(await client.insist('failStep', { leaseToken: token, exitCode: 3, description: 'it failed' }));
    else this.#hear(await client.insist('completeStep', { leaseToken: token, metrics: [this.#measure()] }));
    this.#isOver = true;
  }

  #hear(result: Outcome<'renewLease' | 'reportProgress' | 'createFragment' | 'completeStep' | 'failStep' | 'releaseStep'>): void {
    if (result === null || result.__typename === 'StaleLeaseError') this.#isOver = true;
  }
}
