/**
 * Every cell of the tables of rounds, participants and fragments, allowed and refused, through SQL
 * on both databases.
 */
import { and, eq } from 'drizzle-orm';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Change, change } from '../../../src/domain/core/change.ts';
import {
  type FragmentStatus,
  fragmentLifecycle,
  fragmentStatuses,
  fragmentStatusesThatAllow,
  nextFragmentStatus,
  nextParticipantStatus,
  nextRoundStatus,
  type ParticipantStatus,
  participantLifecycle,
  participantStatuses,
  participantStatusesThatAllow,
  type RoundStatus,
  roundLifecycle,
  roundStatuses,
  roundStatusesThatAllow,
} from '../../../src/domain/core/lifecycle.ts';
import { InvalidState } from '../../../src/domain/core/refusals.ts';
import { moveFragment, moveParticipant, moveRound } from '../../../src/domain/core/transitions.ts';
import { createFragment } from '../../../src/domain/files/fragments.ts';
import type { FragmentRow, JobRow, ParticipantRow, RoundRow } from '../../../src/store/schema/tables.ts';
import type { Store } from '../../../src/store/store.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';
import { nth, raiseFleet } from '../fleet.ts';

/** Every status with every transition of a table, and the status it leads to. Null: refused. */
function cellsOf<S extends string, T extends string>(
  lifecycle: Readonly<Record<S, Readonly<Partial<Record<T, S>>>>>,
  statuses: readonly S[],
  next: (status: S, transition: T) => S | null,
) {
  const transitions = [...new Set(Object.values<object>(lifecycle).flatMap((row) => Object.keys(row)))] as T[]; // keys of a literal
  const cells = statuses.flatMap((status) => transitions.map((transition) => ({ status, transition, to: next(status, transition) })));
  return { allowed: cells.filter(({ to }) => to !== null), refused: cells.filter(({ to }) => to === null) };
}

describeOnEachStore('The lifecycle in the database', (open) => {
  let store: Store;
  let seed: Seed;
  let job: JobRow;
  let fragmentId: string;
  beforeAll(async () => {
    store = await open();
    seed = await plantSeed(store);
    const fleet = await raiseFleet(seed, 1);
    ({ job } = await fleet.createJob({ numDevices: 1 }));
    const { fragment } = await createFragment(seed.domain, admin, { jobId: job.id, filename: 'a.bin', type: 'DATA' });
    fragmentId = fragment.id;
  });

  const inChange = <T>(work: (change: Change) => Promise<T>) => change(seed.domain, null, work);

  async function placeRound(status: RoundStatus): Promise<RoundRow> {
    await store.write(({ db, t }) =>
      db
        .update(t.rounds)
        .set({ status, isWeighted: null })
        .where(and(eq(t.rounds.jobId, job.id), eq(t.rounds.number, 1))),
    );
    return readRound();
  }
  const readRound = async () => nth(await store.read.db.select().from(store.tables.rounds), 0);

  async function placeParticipant(status: ParticipantStatus): Promise<ParticipantRow> {
    await store.write(({ db, t }) => db.update(t.participants).set({ status, numSamples: null }).where(eq(t.participants.jobId, job.id)));
    return readParticipant();
  }
  const readParticipant = async () => nth(await store.read.db.select().from(store.tables.participants), 0);

  async function placeFragment(status: FragmentStatus): Promise<FragmentRow> {
    await store.write(({ db, t }) => db.update(t.fragments).set({ status, sizeBytes: null }).where(eq(t.fragments.id, fragmentId)));
    return readFragment();
  }
  const readFragment = async () => nth(await store.read.db.select().from(store.tables.fragments), 0);

  describe('of a round', () => {
    const { allowed, refused } = cellsOf(roundLifecycle, roundStatuses, nextRoundStatus);

    test('has 20 cells, 6 of them allowed', () => {
      expect([allowed.length, refused.length]).toEqual([6, 14]);
    });

    test.each(allowed)('$transition moves a $status round and stores the event', async ({ status, transition, to }) => {
      const round = await placeRound(status);
      const before = await seed.readEvents(job.id);
      const moved = await inChange((change) => moveRound(change, job, round, transition, { isWeighted: true }));
      expect(moved).toEqual({ ...round, status: to, isWeighted: true });
      expect(await readRound()).toEqual(moved);
      const added = (await seed.readEvents(job.id)).slice(before.length);
      expect(added).toMatchObject([{ type: 'ROUND_CHANGED', from: status, to, details: ['1'], seq: before.length + 1 }]);
    });

    test.each(refused)('$transition is refused to a $status round and changes nothing', async ({ status, transition }) => {
      const round = await placeRound(status);
      const events = await seed.readEvents(job.id);
      const refusal = await inChange((change) => moveRound(change, job, round, transition, { isWeighted: true })).catch((error) => error);
      expect(refusal).toBeInstanceOf(InvalidState);
      expect(refusal).toMatchObject({ status, allowed: roundStatusesThatAllow(transition) });
      expect(await readRound()).toEqual(round);
      expect(await seed.readEvents(job.id)).toEqual(events);
    });

    test('is not moved by a change that read it before another moved it', async () => {
      const round = await placeRound('TRAINING');
      const moved = await inChange((change) => moveRound(change, job, round, 'aggregate'));
      const events = await seed.readEvents(job.id);
      await expect(inChange((change) => moveRound(change, job, round, 'fail'))).rejects.toThrow(InvalidState);
      expect(await readRound()).toEqual(moved);
      expect(await seed.readEvents(job.id)).toEqual(events);
    });
  });

  describe('of a participant', () => {
    const { allowed, refused } = cellsOf(participantLifecycle, participantStatuses, nextParticipantStatus);

    test('has 25 cells, 6 of them allowed', () => {
      expect([allowed.length, refused.length]).toEqual([6, 19]);
    });

    test.each(allowed)('$transition moves a $status participant', async ({ status, transition, to }) => {
      const participant = await placeParticipant(status);
      await inChange((change) => moveParticipant(change, participant.stepId, transition, { numSamples: 7 }));
      expect(await readParticipant()).toEqual({ ...participant, status: to, numSamples: 7 });
    });

    test.each(refused)('$transition is refused to a $status participant and changes nothing', async ({ status, transition }) => {
      const participant = await placeParticipant(status);
      const moving = inChange((change) => moveParticipant(change, participant.stepId, transition, { numSamples: 7 }));
      const refusal = await moving.catch((error) => error);
      expect(refusal).toBeInstanceOf(InvalidState);
      expect(refusal).toMatchObject({ status, allowed: participantStatusesThatAllow(transition) });
      expect(await readParticipant()).toEqual(participant);
    });
  });

  describe('of a fragment', () => {
    const { allowed, refused } = cellsOf(fragmentLifecycle, fragmentStatuses, nextFragmentStatus);

    test('has 2 cells, 1 of them allowed', () => {
      expect([allowed.length, refused.length]).toEqual([1, 1]);
    });

    test.each(allowed)('$transition moves a $status fragment', async ({ status, transition, to }) => {
      const fragment = await placeFragment(status);
      const moved = await inChange((change) => moveFragment(change, fragment, transition, { sizeBytes: 7 }));
      expect(moved).toEqual({ ...fragment, status: to, sizeBytes: 7 });
      expect(await readFragment()).toEqual(moved);
    });

    test.each(refused)('$transition is refused to a $status fragment and changes nothing', async ({ status, transition }) => {
      const fragment = await placeFragment(status);
      const refusal = await inChange((change) => moveFragment(change, fragment, transition, { sizeBytes: 7 })).catch((error) => error);
      expect(refusal).toBeInstanceOf(InvalidState);
      expect(refusal).toMatchObject({ status, allowed: fragmentStatusesThatAllow(transition) });
      expect(await readFragment()).toEqual(fragment);
    });

    test('is not moved by a change that read it before another moved it', async () => {
      const fragment = await placeFragment('PENDING');
      const moved = await inChange((change) => moveFragment(change, fragment, 'store', { sizeBytes: 7 }));
      await expect(inChange((change) => moveFragment(change, fragment, 'store', { sizeBytes: 8 }))).rejects.toThrow(InvalidState);
      expect(await readFragment()).toEqual(moved);
    });
  });
});
