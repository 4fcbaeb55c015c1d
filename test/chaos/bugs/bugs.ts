/**
 * Deliberate bugs for a copy of the source. Each could be a real mistake, and breaks one promise.
 * The checker has to find each, name its promise, and find nothing in the source as it is.
 */
import type { PromiseName } from '../checker/finding.ts';
import type { DatabaseKind } from '../databases.ts';
import type { KillOptions } from '../kills.ts';

/**
 * `find` must occur exactly once in the file. Otherwise the bug cannot be applied, which is an
 * error.
 */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Bug {
  readonly name: string;
  /** The promise that the checker must name. */
  readonly breaks: PromiseName;
  readonly database: DatabaseKind;
  readonly edits: readonly Edit[];
  /** The run in which the bug shows. Bugs of one run share one run of the unchanged source. */
  readonly run: RunName;
}

/** `power`: the run of test/chaos/power.ts. */
export type RunName = keyof typeof runs | 'power';
type Run = Pick<KillOptions, 'rounds' | 'startKills' | 'lives' | 'answers' | 'crews'>;

const submitter = { count: 1, options: { open: 20, pauseMs: 40 } };
const worker = { count: 3, options: { slots: 3 } };

export const runs = {
  /** Like the rounds of kills, but short. Every job is watched. */
  kills: {
    rounds: 4,
    startKills: 0,
    lives: [800, 2_500],
    answers: 400,
    crews: { submitter, worker, subscriber: { count: 2, options: { share: 1, atOnce: 20 } } },
  },
  /** Steps that write output and then pause: a row whose wake-up is lost comes late. */
  silence: {
    rounds: 0,
    startKills: 0,
    lives: [12_000, 12_000],
    answers: 60,
    crews: {
      submitter: { count: 1, options: { open: 5, pauseMs: 200 } },
      worker: { count: 2, options: { slots: 3, calm: 1 } },
      subscriber: { count: 1, options: { share: 1, atOnce: 30 } },
    },
  },
  /** Many simultaneous writers, and two subscribers to all of it. */
  crowd: {
    rounds: 0,
    startKills: 0,
    lives: [5_000, 5_000],
    answers: 1_200,
    crews: {
      submitter: { count: 2, options: { open: 30, pauseMs: 5 } },
      worker: { count: 3, options: { slots: 6, calm: 0 } },
      subscriber: { count: 2, options: { share: 0 } },
    },
  },
} as const satisfies Record<string, Run>;

export const bugs: readonly Bug[] = [
  {
    name: 'no fence check',
    breaks: 'P3',
    database: 'sqlite',
    run: 'kills',
    edits: [
      {
        file: 'src/domain/steps/held.ts',
        find: 'if (step.attemptCount !== name.attempt || !holds(step, token, domain.clockGuard.dueBy())) throw new StaleLease(step, name.attempt);',
        replace: '',
      },
    ],
  },
  {
    name: 'synchronous=NORMAL',
    breaks: 'P1',
    database: 'sqlite',
    run: 'power',
    edits: [{ file: 'src/store/sqlite/file.ts', find: "synchronous = 'FULL'", replace: "synchronous = 'NORMAL'" }],
  },
  {
    name: 'ack before commit',
    breaks: 'P1',
    database: 'sqlite',
    run: 'kills',
    edits: [
      {
        file: 'src/store/sqlite/store.ts',
        find: 'this.#commit(done);\n      this.trouble = null;\n      for (const work of done) work.resolve();',
        replace:
          'for (const work of done) work.resolve();\n      await new Promise((resolve) => setTimeout(resolve, 150));\n      this.#commit(done);',
      },
    ],
  },
  {
    name: 'a dropping buffer',
    breaks: 'P7',
    database: 'sqlite',
    run: 'kills',
    edits: [
      {
        file: 'src/realtime/frames.ts',
        find: 'const { rows, read, upTo, hasMore, missed } = batch;',
        replace: 'const { read, upTo, hasMore, missed } = batch;\n  const rows = batch.rows.slice(-5);',
      },
    ],
  },
  {
    name: 'resume with >=',
    breaks: 'P7',
    database: 'sqlite',
    run: 'kills',
    edits: [
      {
        file: 'src/domain/core/cursors.ts',
        find: 'if (own !== null && own.seq <= (bounds?.last ?? 0)) return own;',
        replace: 'if (own !== null && own.seq <= (bounds?.last ?? 0)) return { ...own, seq: Math.max(0, own.seq - 1) };',
      },
    ],
  },
  {
    name: 'a lost wake-up',
    breaks: 'P7',
    database: 'sqlite',
    run: 'silence',
    // A read from before a commit is delivered to subscribers woken by that commit.
    edits: [
      {
        file: 'src/realtime/shared-reads.ts',
        find: 'wakeups.on(topics, () => this.#reads.clear())',
        replace: 'wakeups.on(topics, () => {})',
      },
    ],
  },
  {
    name: 'expiry without a new attempt',
    breaks: 'P2',
    database: 'sqlite',
    run: 'kills',
    // The lost attempt is forgotten, so the next claim gets its number again.
    edits: [
      {
        file: 'src/domain/claims/expiry.ts',
        find: 'import { stepById }',
        replace: "import { and, eq } from 'drizzle-orm';\nimport { stepById }",
      },
      {
        file: 'src/domain/claims/expiry.ts',
        find: "await endAttempt(change, step, 'LOST', 'requeue', lost, { lostCount });\n    return;\n  }\n  const exhausted",
        replace:
          "await endAttempt(change, step, 'LOST', 'requeue', lost, { lostCount, attemptCount: step.attemptCount - 1 });\n" +
          '    await tx.db.delete(tx.t.attempts).where(and(eq(tx.t.attempts.stepId, step.id), eq(tx.t.attempts.number, step.attemptCount)));\n    return;\n  }\n  const exhausted',
      },
    ],
  },
  {
    name: 'a global sequence as cursor',
    breaks: 'P7',
    database: 'postgres',
    run: 'crowd',
    edits: [
      {
        file: 'src/store/postgres/dialect.ts',
        find: "sql<number>`-nextval('events_arrival')`",
        replace: "sql<number>`nextval('events_arrival')`",
      },
      {
        file: 'src/store/postgres/sequencer.ts',
        find:
          'update streams set last = placed.last from (select max(position) as last from placed) as placed\n' +
          "  where job_id = '' and kind = 'event' and placed.last is not null\n" +
          '  returning (select count(*)::int from placed) as count',
        replace:
          'update streams set last = placed.last from (select max(position) as last from events) as placed\n' +
          "  where job_id = '' and kind = 'event' and placed.last > streams.last\n" +
          '  returning 1 as count',
      },
      {
        file: 'src/store/postgres/sequencer.ts',
        find: 'where position < 0 order by position desc limit',
        replace: 'where false order by position desc limit',
      },
    ],
  },
];
