/** One run of the example: its interventions in the rounds, and the evaluation of their results. */

import { chart } from '../../src/cli/output/chart.ts';
import type { Requester } from '../../src/client/request.ts';
import type { OwnGateway } from '../digits/gateway.ts';
import { evaluate } from './accuracies.ts';
import type { EdgeDevice } from './devices.ts';
import { fetchModels, followRounds, type Round, type RoundsOfJob, type RoundWatch, readJob } from './rounds.ts';
import { bestAlone, heading, type RoundResult, row } from './table.ts';

/**
 * In this round the device is killed while it trains. It returns when the round has its models
 * without it.
 */
const powerCut = { round: 2, device: 'device-2' };
/**
 * With --kill-gateway: the gateway is killed while it aggregates this round, or a later one if this
 * is over too soon.
 */
const firstCrashRound = 3;

export interface Setup {
  readonly client: Requester;
  readonly jobId: string;
  readonly devices: readonly EdgeDevice[];
  /** Given if it is to be killed. */
  readonly gateway: OwnGateway | null;
  /** Each device's accuracy on its own share alone, by round. */
  readonly alone: readonly (readonly number[])[];
  readonly folder: string;
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}

export class Training implements RoundWatch {
  readonly #setup: Setup;
  readonly #results: RoundResult[] = [];
  /** Evaluates models in sequence while the devices train the next round. */
  #judging: Promise<void> = Promise.resolve();
  /** The round whose aggregation was interrupted. */
  #crashedIn: number | null = null;
  readonly #powerBack = Promise.withResolvers<void>();

  constructor(setup: Setup) {
    this.#setup = setup;
  }

  /** Follows the job to its end and returns the exit code. */
  async follow(): Promise<number> {
    const { client, jobId, devices, gateway, print, signal } = this.#setup;
    this.#cutPower().catch((error: Error) => signal.aborted || print(`○ ${error.message}`));
    const end = await followRounds(client, jobId, this, signal);
    await this.#judging;
    print('');
    const job = await readJob(client, jobId, signal);
    for (const line of heading(devices.length)) print(line);
    for (const result of this.#results) {
      const { participants = [] } = job.rounds.find(({ number }) => number === result.number) ?? {};
      print(row(result, new Map(participants.map(({ device, status }) => [device.name, status]))));
    }
    if (gateway !== null) print(`\n${describeCrash(this.#crashedIn, job)}`);
    print(`\njob ${end.status}  ${end.description}`.trimEnd());
    return this.#conclude(end.status === 'SUCCEEDED' && (gateway === null || this.#crashedIn !== null));
  }

  async onModels(round: number): Promise<void> {
    this.#setup.print(`● round ${round} has its models`);
    if (round === powerCut.round) this.#powerBack.resolve();
  }

  async onAggregating(round: number): Promise<void> {
    const { gateway, print } = this.#setup;
    if (gateway === null || round < firstCrashRound || this.#crashedIn !== null) return;
    this.#crashedIn = round;
    const started = performance.now();
    await gateway.crash();
    print(`✗ gateway killed while it aggregates round ${round}; back after ${((performance.now() - started) / 1000).toFixed(1)} s`);
  }

  async onAggregate(number: number): Promise<void> {
    const { client, jobId, print, signal } = this.#setup;
    const job = await readJob(client, jobId, signal);
    const round = job.rounds.find((one) => one.number === number);
    if (round === undefined) throw new Error(`The job has no round ${number}.`);
    if (number === this.#crashedIn && !attemptsToAggregate(job, number).some(({ outcome }) => outcome === 'LOST')) {
      print(`○ round ${number} had its aggregate a moment before; the gateway is killed once more`);
      this.#crashedIn = null;
    }
    this.#judging = this.#judging.then(() => this.#judge(round));
    // Awaited at the end. Until then a failure must not count as unhandled.
    this.#judging.catch(() => {});
  }

  /** Kills a training device, and starts it again when the round has its models without it. */
  async #cutPower(): Promise<void> {
    const { devices, print } = this.#setup;
    const device = devices.find(({ name }) => name === powerCut.device);
    if (device === undefined) return;
    await device.says(`Train, round ${powerCut.round}: starts`);
    const { pid } = device;
    await device.kill();
    print(`✗ ${device.name} (process ${pid}) killed while it trains`);
    await this.#powerBack.promise;
    await device.start();
  }

  async #judge(round: Round): Promise<void> {
    const { client, devices, alone, folder, print, signal } = this.#setup;
    const { number } = round;
    const { aggregate, handedIn } = await fetchModels(client, round, folder, signal);
    const [accuracy = 0, ...others] = await evaluate([aggregate, ...handedIn.values()], folder, signal);
    const byDevice = new Map([...handedIn.keys()].map((name, index) => [name, others[index]]));
    const result: RoundResult = {
      number,
      aggregate: accuracy,
      devices: devices.map(({ name }, index) => ({
        name,
        handedIn: byDevice.get(name) ?? null,
        alone: alone[index]?.[number - 1] ?? 0,
      })),
    };
    this.#results.push(result);
    print(
      `■ round ${number}: aggregate of ${handedIn.size} models reads ${percent(accuracy)} of the test, the best device alone ${percent(bestAlone(result))}`,
    );
  }

  #conclude(isAsPlanned: boolean): number {
    const { alone, print } = this.#setup;
    const aggregates = this.#results.map(({ aggregate }) => aggregate);
    const bests = this.#results.map(bestAlone);
    const curve = (values: readonly number[]) => new Map(values.map((value, index) => [index + 1, value]));
    const lines = chart([
      { name: 'aggregate', mark: '●', values: curve(aggregates) },
      { name: 'best device alone', mark: '○', values: curve(bests) },
    ]);
    for (const line of ['', ...lines, '']) print(line);

    const last = aggregates.at(-1) ?? 0;
    const best = Math.max(...alone.flat());
    const isBetter = aggregates.length > 0 && last > best;
    print(
      `The last aggregate reads ${percent(last)} of digits that no device has; the best device alone, in its best round, ${percent(best)}.`,
    );
    print(isBetter ? 'It is above every single device alone.' : 'It is not above every single device alone.');
    return isAsPlanned && isBetter ? 0 : 1;
  }
}

const attemptsToAggregate = ({ steps }: RoundsOfJob, number: number) =>
  steps.find(({ part, round }) => part === 'AGGREGATE' && round?.number === number)?.attempts ?? [];

function describeCrash(number: number | null, job: RoundsOfJob): string {
  if (number === null) return 'The gateway was not killed while it aggregated.';
  const attempts = attemptsToAggregate(job, number).map((attempt) => `attempt ${attempt.number} ${attempt.outcome}`);
  return `The gateway was killed while it aggregated round ${number}: ${attempts.join(', ')}`;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
