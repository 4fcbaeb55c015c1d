/**
 * writes and ingest: changes that are on disk before they are answered, against the same SQL run by
 * better-sqlite3 alone, as many changes in a transaction as the gateway has.
 */
import type { ReportProgressInput } from '../src/domain/claims/progress.ts';
import { registerDevice, requirePayload, tokenIn } from './claims.ts';
import type { Gateway } from './gateway.ts';
import { HttpConnection, openConnections, requestOf, runClients } from './http-load.ts';
import { createJobRequest, createJobs, createProject } from './jobs.ts';
import { startServer } from './processes.ts';
import { type Recording, recordCreateJob, recordReport } from './recording.ts';
import { type Report, reportAgainst } from './report.ts';
import { type Contestant, type Figures, type Plan, takeTurns } from './rounds.ts';

const WRITERS = 64;
const REPORTERS = 8;

/** createJob from many clients. */
export async function benchWrites(gateway: Gateway, plan: Plan): Promise<Report> {
  const recording = await recordCreateJob(gateway.folder);
  const report = await benchAgainstRaw(gateway, plan, { bench: 'writes', goal: 0.6, writing: await creating(gateway), recording });
  return { ...report, notes: [...(report.notes ?? []), 'goal: at most 200 µs of the gateway where the statements alone take 100.'] };
}

async function creating(gateway: Gateway): Promise<Writing> {
  const request = createJobRequest(gateway.key, await createProject(gateway), 1);
  return {
    name: 'Trainyard createJob',
    unit: 'writes/s',
    clients: WRITERS,
    turn: async (connection) => requirePayload(await connection.ask(request), 'job_'),
  };
}

/** How many points of metrics, samples of telemetry and lines of a log are in a report. */
const ROWS = [
  { rows: 100, goal: 0.3 },
  { rows: 1_000, goal: 0.5 },
] as const;
const nameOfIngest = (rows: number) => `ingest, ${rows.toLocaleString('en')} of each`;

/** Reports from eight devices. */
export async function benchIngest(gateway: Gateway, plan: Plan): Promise<Report[]> {
  const reports: Report[] = [];
  for (const { rows, goal } of ROWS) {
    const recording = await recordReport(gateway.folder, `report-${rows}`, (turn) => reportOf(rows, turn));
    reports.push(
      await benchAgainstRaw(gateway, plan, { bench: nameOfIngest(rows), goal, writing: await reporting(gateway, rows), recording }),
    );
  }
  return reports;
}

/** All of them, against another checkout. */
export async function benchWritesAgainst(ours: Gateway, other: Gateway, plan: Plan): Promise<Report[]> {
  const benches: [string, (gateway: Gateway) => Promise<Writing>][] = [
    ['writes', creating],
    ...ROWS.map(({ rows }): [string, (gateway: Gateway) => Promise<Writing>] => [nameOfIngest(rows), (one) => reporting(one, rows)]),
  ];
  const reports: Report[] = [];
  for (const [bench, of] of benches) {
    const [mine, theirs] = [await of(ours), await of(other)];
    const sides = [contestantOf(ours, mine), { ...contestantOf(other, theirs), name: 'other checkout' }];
    reports.push(reportAgainst(bench, mine.unit, await takeTurns(sides, plan)));
  }
  return reports;
}

async function reporting(gateway: Gateway, rows: number): Promise<Writing> {
  const projectId = await createProject(gateway);
  await createJobs(gateway, projectId, REPORTERS, 1);
  const reporters: { readonly key: string; readonly leaseToken: string; turn: number }[] = [];
  for (let i = 0; i < REPORTERS; i++) {
    const key = await registerDevice(gateway, projectId, `bench-${rows}-${i}`);
    const [connection] = await openConnections(gateway.server.port, 1);
    if (!connection) continue;
    reporters.push({ key, leaseToken: tokenIn(await connection.ask(requestOf({ query: CLAIM_FOR_LONG }, { key }))), turn: 0 });
    connection.close();
  }
  return {
    name: 'Trainyard reportProgress',
    unit: 'reports/s',
    clients: REPORTERS,
    async turn(connection, client) {
      const reporter = reporters[client];
      if (!reporter) throw new Error('There is a reporter for each client.');
      const input = { leaseToken: reporter.leaseToken, ...reportOf(rows, reporter.turn++) };
      requirePayload(await connection.ask(requestOf({ query: REPORT, variables: { input } }, { key: reporter.key })), 'nextLogOffset');
    },
  };
}

const CLAIM_FOR_LONG = `
  mutation Claim {
    claimNextSteps(input: {limit: 1, leaseSeconds: 3600}) { ... on ClaimNextStepsPayload { claims { step { id } lease { token } } } ... on Error { code message } }
  }`;
const REPORT = `
  mutation Report($input: ReportProgressInput!) {
    reportProgress(input: $input) { ... on ReportProgressPayload { nextLogOffset } ... on Error { code message } }
  }`;

const LINE = 'epoch 3, batch 141: loss 0.0313, accuracy 0.9871\n';
const START = Date.UTC(2026, 0, 1);

function reportOf(rows: number, turn: number): Omit<ReportProgressInput, 'leaseToken'> {
  const numbers = Array.from({ length: rows }, (_, i) => turn * rows + i);
  return {
    metrics: numbers.map((n) => ({ name: n % 2 === 0 ? 'loss' : 'accuracy', value: n / 7, iteration: n })),
    telemetry: numbers.map((n) => ({ at: new Date(START + n * 1_000), cpu: 1.5, memoryMb: 2_048, gpuDutyCycle: 80, gpuMemory: 0.5 })),
    log: [{ offset: turn * rows * LINE.length, text: LINE.repeat(rows), stream: 'STDOUT' }],
  };
}

/** What clients ask of a gateway again and again. */
interface Writing {
  readonly name: string;
  readonly unit: string;
  readonly clients: number;
  turn(connection: HttpConnection, client: number): Promise<void>;
}

const contestantOf = ({ server }: Gateway, { name, clients, turn }: Writing): Contestant => ({
  name,
  server,
  async run(ms) {
    const connections = await openConnections(server.port, clients);
    const done = await runClients(connections, ms, turn);
    for (const one of connections) one.close();
    return done;
  },
});

interface RawBench {
  readonly bench: string;
  readonly goal: number;
  readonly writing: Writing;
  readonly recording: Recording;
}

async function benchAgainstRaw(gateway: Gateway, plan: Plan, { bench, goal, writing, recording }: RawBench): Promise<Report> {
  const { unit } = writing;
  const raw = await startServer('bench/peers/raw.js', [recording.database, recording.statements]);
  const connection = await HttpConnection.open(raw.port);
  let group = 1;
  const writes = contestantOf(gateway, writing);
  const ours: Contestant = {
    ...writes,
    async run(ms) {
      const before = await commitsOf(gateway);
      const done = await writes.run(ms);
      const after = await commitsOf(gateway);
      group = Math.max(1, Math.round((after.writes - before.writes) / (after.commits - before.commits)));
      return done;
    },
  };
  const theirs: Contestant = {
    name: 'its statements alone',
    server: raw,
    async run(ms) {
      const answer = await connection.ask(requestOf({ ms, group }, { path: '/run' }));
      return JSON.parse(answer.toString()) as { count: number; seconds: number }; // as raw.js answers
    },
  };
  const [mine, alone] = await takeTurns([ours, theirs], plan);
  connection.close();
  await raw.stop();
  if (!mine || !alone) throw new Error('Expected the figures of two contestants.');
  const micros = ({ perCpuSecond }: Figures) => `${Math.round(1e6 / perCpuSecond).toLocaleString('en')} µs`;
  return {
    bench,
    unit,
    figures: [mine, alone],
    comparisons: [{ ours: mine, peer: alone, goal }],
    notes: [`${micros(mine)} of CPU each, of which the statements take ${micros(alone)}; ${group} in a transaction.`],
  };
}

/** How many transactions the gateway has committed, and how many changes were in them. */
async function commitsOf({ server, key }: Gateway): Promise<{ writes: number; commits: number }> {
  const answer = await fetch(`http://127.0.0.1:${server.port}/metrics`, { headers: { authorization: `Bearer ${key}` } });
  const text = await answer.text();
  const metric = (name: string) => Number(new RegExp(`^trainyard_store_commit_writes_${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
  return { writes: metric('sum'), commits: metric('count') };
}
