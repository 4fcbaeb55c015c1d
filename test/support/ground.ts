/**
 * The ground of domain tests: one database per file, and for each test a seed with its own project
 * and clock.
 */
import { beforeAll, beforeEach, expect } from 'vitest';
import type { Principal } from '../../src/domain/access/principal.ts';
import { type Claim, type ClaimNextStepsInput, claimNextSteps } from '../../src/domain/claims/claims.ts';
import type { Domain } from '../../src/domain/core/domain.ts';
import { Wakeups } from '../../src/realtime/wakeups.ts';
import { feedOfAllJobs } from '../../src/store/schema/streams.ts';
import type { Store } from '../../src/store/store.ts';
import { describeOnEachStore, type TestDatabase } from './databases.ts';
import { plantSeed, type Seed } from './seed.ts';

export interface Ground {
  readonly seed: Seed;
  readonly store: Store;
  readonly wakeups: Wakeups;
  /** Claims at once, or waits. The default is one step of the seed's project, for a minute. */
  claimNext(principal: Principal, input?: Partial<ClaimNextStepsInput>, signal?: AbortSignal): Promise<Claim[]>;
  /**
   * Every stored row, to show that a refusal changed nothing. Without feed positions, which
   * PostgreSQL assigns a moment later.
   */
  readAll(): Promise<Record<string, readonly string[]>>;
}

export function describeOnGround(
  name: string,
  define: (ground: () => Ground, database: () => TestDatabase, dialect: TestDatabase['dialect']) => void,
): void {
  describeOnEachStore(name, (_open, create, dialect) => {
    let database: TestDatabase;
    let store: Store;
    let wakeups: Wakeups;
    let ground: Ground;
    beforeAll(async () => {
      database = await create('migrated');
      store = await database.open();
      wakeups = new Wakeups(store);
    });
    beforeEach(async () => {
      const seed = await plantSeed(store, { seed: expect.getState().currentTestName ?? '' });
      ground = { seed, store, wakeups, claimNext: claimer(seed, wakeups), readAll: () => readAll(store) };
    });
    define(
      () => ground,
      () => database,
      dialect,
    );
  });
}

const claimer =
  ({ domain, project }: Seed, wakeups: Wakeups): Ground['claimNext'] =>
  async (principal, input = {}, signal) => {
    const asked = { projectId: project.id, limit: 1, leaseSeconds: 60, waitSeconds: 0, ...input };
    return (await claimNextSteps(domain, principal, asked, { wakeups, signal })).claims;
  };

async function readAll({ read, tables }: Store): Promise<Record<string, readonly string[]>> {
  const all: Record<string, readonly string[]> = {};
  for (const [name, table] of Object.entries(tables)) {
    const rows: Record<string, unknown>[] = await read.db.select().from(table);
    all[name] = rows
      .filter((row) => row.jobId !== feedOfAllJobs)
      .map((row) => JSON.stringify(withoutLateNotes(name, row)))
      .sort();
  }
  return all;
}

/**
 * The same domain, but it reports each write, so that a test can act after a waiting claim has
 * looked.
 */
export function watchWrites(domain: Domain): { readonly domain: Domain; next(): Promise<void> } {
  let waiting = Promise.withResolvers<void>();
  const { store } = domain;
  const watched: Store = {
    ...{ description: store.description, identity: store.identity, parent: store.parent, secret: store.secret, tables: store.tables },
    ...{ isFirst: store.isFirst, isElected: store.isElected, read: store.read, instruments: store.instruments, trouble: store.trouble },
    async write(work) {
      try {
        return await store.write(work);
      } finally {
        waiting.resolve();
        waiting = Promise.withResolvers();
      }
    },
    isAlone: () => store.isAlone(),
    isInPlace: () => store.isInPlace(),
    replaced: store.replaced,
    onCommit: (listener) => store.onCommit(listener),
    isUniqueViolation: (error) => store.isUniqueViolation(error),
    isUnstorableText: (error) => store.isUnstorableText(error),
    close: () => store.close(),
  };
  return { domain: { ...domain, store: watched }, next: () => waiting.promise };
}

/** The refusal that a promise rejects with. */
export async function refusalOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('It was not refused.');
    },
    (error: unknown) => error,
  );
}

/**
 * Without values that are written a moment after their change: feed positions of events, and the
 * last use of a key.
 */
function withoutLateNotes(table: string, { position, lastUsedAt, ...row }: Record<string, unknown>): Record<string, unknown> {
  if (table === 'events') return row;
  return table === 'apiKeys' ? row : { ...row, position, lastUsedAt };
}
