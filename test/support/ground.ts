/** What tests of the domain stand on: one database for a file, and for each test a seed of its own in it, with its own project and clock. */
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
  /** Claims at once, or waiting. By default one step of the seed's project, for a minute. */
  claimNext(principal: Principal, input?: Partial<ClaimNextStepsInput>, signal?: AbortSignal): Promise<Claim[]>;
  /** Every row that is stored, to see that a refusal changed nothing. Without places in the feed, which PostgreSQL gives a moment later. */
  readAll(): Promise<Record<string, readonly unknown[]>>;
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

async function readAll({ read, tables }: Store): Promise<Record<string, readonly unknown[]>> {
  const all: Record<string, readonly unknown[]> = {};
  for (const [name, table] of Object.entries(tables)) {
    const rows: Record<string, unknown>[] = await read.db.select().from(table);
    all[name] = rows
      .filter((row) => row.jobId !== feedOfAllJobs)
      .map((row) => withoutLateNotes(name, row))
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  return all;
}

/** The same domain, telling of each write that was done: to act when a wait has looked, and not before. */
export function watchWrites(domain: Domain): { readonly domain: Domain; next(): Promise<void> } {
  let waiting = Promise.withResolvers<void>();
  const { store } = domain;
  const watched: Store = {
    ...{ description: store.description, identity: store.identity, parent: store.parent, secret: store.secret, tables: store.tables },
    ...{ isFirst: store.isFirst, read: store.read, instruments: store.instruments, trouble: store.trouble },
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

/** What a promise was refused with. */
export async function refusalOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('It was not refused.');
    },
    (error: unknown) => error,
  );
}

/** Without what is written a moment after the change that it belongs to: an event's place in the feed, and that a key was used. */
function withoutLateNotes(table: string, { position, lastUsedAt, ...row }: Record<string, unknown>): Record<string, unknown> {
  if (table === 'events') return row;
  return table === 'apiKeys' ? row : { ...row, position, lastUsedAt };
}
