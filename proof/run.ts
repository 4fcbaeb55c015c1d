/**
 * Runs the proof: `npm run proof -- kills [--rounds 30] [--database sqlite|postgres] [--gateways 1] [--seed WORD] [--keep]`.
 *
 * In chapters of at most 50 rounds, each on a fresh database; after each, the checker reads what was noted and what is stored. Ends with 1 if a
 * promise was broken, and then keeps the chapter's folder, as `--keep` does always.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Chapter, runChapter, tally } from './chapter.ts';
import { type DatabaseKind, startPostgres } from './databases.ts';

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
const database = values.database as DatabaseKind; // what else it may be is refused below
if (positionals[0] !== 'kills' || !['sqlite', 'postgres'].includes(database)) {
  process.stderr.write('Usage: npm run proof -- kills [--rounds N] [--database sqlite|postgres] [--gateways N] [--seed WORD] [--keep]\n');
  process.exit(2);
}

const say = (line: string) => process.stdout.write(`${line}\n`);
const rounds = Number(values.rounds);
const postgres = database === 'postgres' ? await startPostgres() : null;
const chapters: Chapter[] = [];
say(`${rounds} rounds on ${database}, seed ${values.seed}.`);
try {
  for (let done = 0; done < rounds; done += ROUNDS_A_CHAPTER) {
    const folder = mkdtempSync(join(tmpdir(), 'trainyard-proof-'));
    const chapter = await runChapter({
      folder,
      databaseUrl: postgres ? await postgres.create() : null,
      seed: `${values.seed}-${chapters.length}`,
      gateways: Number(values.gateways),
      rounds: Math.min(ROUNDS_A_CHAPTER, rounds - done),
      onRound: (round) => {
        if ((done + round) % 10 === 0) say(`round ${done + round}`);
      },
    });
    chapters.push(chapter);
    say(chapter.report.trimEnd());
    if (chapter.violations > 0 || values.keep) say(`Kept: ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
} finally {
  await postgres?.stop();
}
say(tally(chapters));
if (chapters.some(({ violations }) => violations > 0)) process.exitCode = 1;
