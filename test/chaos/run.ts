/**
 * Runs the chaos tests.
 *
 *   npm run chaos -- kills [--rounds 30] [--database sqlite|postgres] [--gateways 1]
 *                    [--seed WORD] [--keep]
 *   npm run chaos -- bugs [NAME] [--seed WORD] [--keep]
 *
 * `kills` runs in chapters of at most 50 rounds, each on a new database. After each, the checker
 * reads the notes and the stored rows. It exits with 1 if a promise was broken, and then keeps the
 * chapter's folder, as `--keep` always does. `bugs` applies each bug of test/chaos/bugs to a copy
 * of the source. It exits with 1 if one is not found.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Bug, bugs } from './bugs/bugs.ts';
import { runBug, runSound } from './bugs/run.ts';
import { type Chapter, runChapter, tally } from './chapter.ts';
import { type DatabaseKind, type PostgresServer, startPostgres } from './databases.ts';

const ROUNDS_A_CHAPTER = 50;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '30' },
    database: { type: 'string', default: 'sqlite' },
    gateways: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now()) },
    keep: { type: 'boolean', default: false },
  },
});
const [what, name] = positionals;
const { seed, keep } = values;

let postgres: PostgresServer | null = null;
async function createDatabase(kind: DatabaseKind): Promise<string | null> {
  if (kind === 'sqlite') return null;
  postgres ??= await startPostgres();
  return postgres.create();
}

const say = (line: string) => process.stdout.write(`${line}\n`);

/** Runs in its own folder, which is kept if it failed. */
async function inFolder(run: (folder: string) => Promise<{ readonly isGood: boolean }>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'trainyard-chaos-'));
  const { isGood } = await run(folder);
  if (!isGood) process.exitCode = 1;
  if (!isGood || keep) say(`Kept: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}

async function proveKills(kind: DatabaseKind, rounds: number, gateways: number): Promise<void> {
  const chapters: Chapter[] = [];
  say(`${rounds} rounds on ${kind}, seed ${seed}.`);
  for (let done = 0; done < rounds; done += ROUNDS_A_CHAPTER) {
    await inFolder(async (folder) => {
      const chapter = await runChapter({
        folder,
        databaseUrl: await createDatabase(kind),
        seed: `${seed}-${chapters.length}`,
        gateways,
        rounds: Math.min(ROUNDS_A_CHAPTER, rounds - done),
        onRound: (round) => {
          if ((done + round) % 10 === 0) say(`round ${done + round}`);
        },
      });
      chapters.push(chapter);
      say(chapter.report.trimEnd());
      return { isGood: chapter.violations === 0 };
    });
  }
  say(tally(chapters));
}

async function proveBugs(): Promise<void> {
  const chosen = bugs.filter((bug) => name === undefined || bug.name === name);
  for (const bug of chosen) {
    await inFolder(async (folder) => {
      const { findings, report } = await runBug(bug, { folder, databaseUrl: await createDatabase(bug.database), seed });
      const isGood = findings.some(({ promise }) => promise === bug.breaks);
      say(`${isGood ? 'Found' : 'NOT FOUND'}: ${bug.name} (${bug.breaks}).\n${report.replace(/^/gm, '    ').trimEnd()}`);
      return { isGood };
    });
  }
  // Bugs with the same run share the run of the unchanged source.
  const sound = new Map(chosen.map((bug): [string, Bug] => [`${bug.run} ${bug.database}`, bug]));
  for (const { run, database } of sound.values()) {
    await inFolder(async (folder) => {
      const { violations, report } = await runSound(run, { folder, databaseUrl: await createDatabase(database), seed });
      say(`The source as it is, in the run "${run}" on ${database}:\n${report.replace(/^/gm, '    ').trimEnd()}`);
      return { isGood: violations === 0 };
    });
  }
}

try {
  if (what === 'kills' && (values.database === 'sqlite' || values.database === 'postgres'))
    await proveKills(values.database, Number(values.rounds), Number(values.gateways));
  else if (what === 'bugs') await proveBugs();
  else {
    process.stderr.write(
      'Usage: npm run chaos -- kills [--rounds N] [--database sqlite|postgres] [--gateways N] | bugs [NAME]; [--seed WORD] [--keep]\n',
    );
    process.exitCode = 2;
  }
} finally {
  // Cast: TypeScript does not see the assignment in the function above.
  await (postgres as PostgresServer | null)?.stop();
}
