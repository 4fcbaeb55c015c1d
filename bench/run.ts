/**
 * `npm run bench [-- NAME …] [--rounds N] [--seconds S] [--profile]`: how fast the gateway is next
 * to other servers that do the same, in one run on this machine.
 *
 * `npm run bench -- size [--size 1m] [--only NAME]`: what each query and timer costs on a store of
 * a million jobs, next to one of 10,000.
 *
 * `npm run bench -- --against FOLDER [NAME …]`: how fast its reads, fan-out, claims and writes are
 * next to those of another checkout.
 *
 * `npm run bench -- scale-out`: what one gateway and three cost a PostgreSQL; with `--profile`, by
 * statement; with `--against FOLDER`, next to those of another checkout.
 *
 * Figures drift between machines and hours, so compare the ratios. `--profile` measures nothing: it
 * lists where the gateway spends its time.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { benchAggregate } from './aggregate.ts';
import { benchClaimBatches, benchClaims, benchClaimsAgainst } from './claims.ts';
import { canPin, takeLoadCore } from './cores.ts';
import { benchFanOut, benchFanOutAgainst } from './fan-out.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { root } from './processes.ts';
import { printHotspots, profileFlags } from './profile.ts';
import { benchList, benchPoint, benchReadsAgainst, benchStock, prepareReads, type Reads } from './reads.ts';
import { describeRatios, describeReport, type Report } from './report.ts';
import type { Plan } from './rounds.ts';
import { benchScaleOut } from './scale-out.ts';
import { benchSize } from './size/size.ts';
import { benchSockets } from './sockets.ts';
import { benchStart } from './start.ts';
import { benchIngest, benchWrites, benchWritesAgainst } from './writes.ts';

/** Contests with peers. Each gets a newly started gateway. */
const contests: Readonly<Record<string, (gateway: Gateway, plan: Plan) => Promise<Report | Report[]>>> = {
  point: reading(benchPoint),
  list: reading(benchList),
  stock: reading(benchStock),
  claims: benchClaims,
  'claim-batches': benchClaimBatches,
  writes: benchWrites,
  ingest: benchIngest,
  'fan-out': benchFanOut,
  aggregate: benchAggregate,
};

/** Benches that start their gateways themselves, and print a table. */
const tables: Readonly<Record<string, () => Promise<void>>> = {
  start: async () => print(await benchStart()),
  sockets: async () => print(await benchSockets()),
  'scale-out': async () => {
    const checkouts = [root, ...(values.against === undefined ? [] : [resolve(values.against)])];
    print(await benchScaleOut(checkouts, { listsStatements: values.profile }));
  },
  size: () => benchSize({ size: values.size, only: values.only ?? null, note: (text) => void process.stdout.write(`${text}\n`) }),
};
/** Contests with another checkout. */
const contestsAgainst: Readonly<Record<string, (ours: Gateway, other: Gateway, plan: Plan) => Promise<Report[]>>> = {
  reads: benchReadsAgainst,
  'fan-out': async (ours, other, plan) => [await benchFanOutAgainst(ours, other, plan)].flat(),
  claims: benchClaimsAgainst,
  writes: benchWritesAgainst,
};

/** Run only when named: they take long, or gigabytes of disk. */
const byNameAlone = ['aggregate', 'scale-out', 'size'];

function reading(bench: (reads: Reads, plan: Plan) => Promise<Report | Report[]>) {
  return async (gateway: Gateway, plan: Plan) => bench(await prepareReads(gateway), plan);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    profile: { type: 'boolean', default: false },
    against: { type: 'string' },
    size: { type: 'string', default: '1m' },
    only: { type: 'string' },
  },
});
const isAgainst = values.against !== undefined && !positionals.includes('scale-out');
const all = isAgainst ? Object.keys(contestsAgainst) : [...Object.keys(contests), ...Object.keys(tables)];
const unknown = positionals.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`No such bench: ${unknown.join(', ')}. There are ${all.join(', ')}.\n`);
  process.exit(1);
}

takeLoadCore();
print(canPin ? 'Server on core 0, load on core 1.' : 'Server and load are not pinned here: figures vary more.');

const ms = Number(values.seconds) * 1_000;
const plan: Plan = { rounds: Number(values.rounds), ms, warmUpMs: Math.max(ms, 2_000) };
const reports: Report[] = [];
if (values.against === undefined || !isAgainst) {
  for (const name of positionals.length > 0 ? positionals : all.filter((one) => !byNameAlone.includes(one))) await run(name);
} else await compareWithCheckout(values.against);
if (reports.length > 0) process.stdout.write(`${describeRatios(reports)}\n`);

async function run(name: string): Promise<void> {
  if (name !== 'start' && name !== 'scale-out' && name !== 'size') installPeers();
  const contest = contests[name];
  if (!contest) return tables[name]?.();
  const gateway = await startGateway({ nodeFlags: values.profile ? profileFlags : [] });
  for (const report of [await contest(gateway, plan)].flat()) keep(report);
  await gateway.stop();
  if (values.profile) printHotspots(process.stdout);
}

async function compareWithCheckout(checkout: string): Promise<void> {
  for (const name of positionals.length > 0 ? positionals : all) {
    const [ours, other] = [await startGateway(), await startGateway({ checkout: resolve(checkout) })];
    for (const report of (await contestsAgainst[name]?.(ours, other, plan)) ?? []) keep(report);
    await Promise.all([ours.stop(), other.stop()]);
  }
}

function keep(report: Report): void {
  print(describeReport(report));
  reports.push(report);
}

function print(text: string): void {
  process.stdout.write(`${text}\n\n`);
}

/** The peers have their own package.json. They are installed when first needed. */
function installPeers(): void {
  const folder = join(root, 'bench/peers');
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { dependencies: object };
  if (Object.keys(dependencies).every((name) => existsSync(join(folder, 'node_modules', name, 'package.json')))) return;
  process.stdout.write('Installing the peers (npm ci in bench/peers) …\n');
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts'], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error('The peers could not be installed.');
}
