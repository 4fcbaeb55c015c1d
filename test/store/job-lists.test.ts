/** Lists and counts of more jobs than one step of a walk looks at. */
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { createIds } from '../../src/domain/core/ids.ts';
import { countJobs, countJobsBy } from '../../src/store/queries/job-counts.ts';
import { type JobFilter, jobCondition } from '../../src/store/queries/job-filter.ts';
import { listJobs } from '../../src/store/queries/job-lists.ts';
import { type JobOrder, jobPosition, type ListedJob } from '../../src/store/queries/job-orders.ts';
import type { JobRow } from '../../src/store/schema/tables.ts';
import type { Position } from '../../src/store/statements/keyset.ts';
import type { Store } from '../../src/store/store.ts';
import { describeOnEachStore } from '../support/databases.ts';
import { plantSeed } from '../support/seed.ts';

const JOBS = 2_300;
const AT_ONCE = 100;
const everything = { projectId: null, jobId: null };

const start = Date.UTC(2026, 0, 1);
const within = (at: Date) => at.getTime() > start + 700_000 && at.getTime() < start + 1_500_000;
/** The parity of its priority is a label of each job. */
const isEven = (priority: number) => priority % 2 === 0;
const isRare = (i: number) => i % 600 === 11;
const statusOf = (i: number) => (i % 500 === 7 ? 'RUNNING' : i % 40 === 1 ? 'FAILED' : 'SUCCEEDED');
const idAt = (i: number) => createIds(() => new Date(start + i * 1_000), randomBytes).next('Job');
const ofIndex = (i: number) =>
  ({
    id: idAt(i),
    status: statusOf(i),
    type: i % 900 === 5 ? 'CONVERSION' : i % 4 === 0 ? 'VALIDATION' : 'TRAINING',
    initiator: i % 1_000 === 9 ? 'GIT' : 'MANUAL',
    // Those that have reported a metric, by two steps each.
    exitCode: i % 3 === 1 ? 3 : null,
    owner: i % 700 === 3 ? 'user:rare' : `user:${i % 2}`,
    description: isRare(i) ? 'A Needle' : null,
    priority: i % 5,
    createdAt: new Date(start + i * 1_000),
    updatedAt: new Date(start + ((i * 7_919) % JOBS) * 1_000),
    startedAt: i % 3 === 0 ? null : new Date(start + ((i * 31) % 97) * 1_000),
    finishedAt: null,
  }) as const satisfies Partial<JobRow>;

describeOnEachStore('Many jobs', (open) => {
  let store: Store;
  let jobs: JobRow[];

  beforeAll(async () => {
    store = await open();
    const seed = await plantSeed(store);
    const { job } = await seed.createJob();
    const one = await seed.readJob(job.id);
    const copies = Array.from({ length: JOBS }, (_, i): JobRow => ({ ...one, ...ofIndex(i) }));
    const parity = String(one.priority % 2);
    await store.write((tx) =>
      tx.db.insert(tx.t.jobLabels).values({ jobId: one.id, projectId: one.projectId, key: 'parity', value: parity }),
    );
    for (let i = 0; i < JOBS; i += AT_ONCE) {
      const some = copies.slice(i, i + AT_ONCE);
      const labels = some
        .filter(({ description }) => description !== null)
        .map(({ id: jobId, projectId }) => ({ jobId, projectId, key: 'k', value: 'v' }));
      for (const { id: jobId, projectId, priority } of some) labels.push({ jobId, projectId, key: 'parity', value: String(priority % 2) });
      const metrics = some
        .filter(({ exitCode }) => exitCode === 3)
        .flatMap(({ id: jobId, createdAt: at }) =>
          [1, 2].map((stepNumber) => ({ jobId, stepNumber, name: 'loss', attempt: 1, value: 0.5, iteration: 1, at, seq: stepNumber })),
        );
      await store.write(async (tx) => {
        await tx.db.insert(tx.t.jobs).values(some);
        await tx.db.insert(tx.t.jobLabels).values(labels);
        await tx.db.insert(tx.t.latestMetrics).values(metrics);
      });
    }
    jobs = [...copies, one];
  });

  const filters: [string, JobFilter, (job: JobRow) => boolean][] = [
    ['all', {}, () => true],
    ['some statuses', { statuses: ['RUNNING', 'FAILED'] }, ({ status }) => status === 'RUNNING' || status === 'FAILED'],
    ['all but one status', { notStatuses: ['SUCCEEDED'] }, ({ status }) => status !== 'SUCCEEDED'],
    ['a word that few have', { search: 'needle' }, ({ description }) => description !== null],
    ['a word that none has', { search: 'nothing' }, () => false],
    ['a label that few have', { labelFilters: [{ key: 'k' }] }, ({ description }) => description !== null],
    ['no label', { labelFilters: [{ key: 'k', isAbsent: true }] }, ({ description }) => description === null],
    [
      'a status and an owner',
      { statuses: ['SUCCEEDED'], owner: 'user:rare' },
      ({ status, owner }) => status === 'SUCCEEDED' && owner === 'user:rare',
    ],
    [
      'a type and some statuses',
      { statuses: ['RUNNING', 'FAILED'], types: ['TRAINING'] },
      ({ status, type }) => status !== 'SUCCEEDED' && status !== 'QUEUED' && type === 'TRAINING',
    ],
    ['an owner of few', { owner: 'user:rare' }, ({ owner }) => owner === 'user:rare'],
    [
      'times',
      { createdAfter: new Date(start + 700_000), createdBefore: new Date(start + 1_500_000) },
      ({ createdAt }) => within(createdAt),
    ],
    ['a time before all', { createdBefore: new Date(start) }, () => false],
    ['a rare type', { types: ['CONVERSION'] }, ({ type }) => type === 'CONVERSION'],
    ['two types', { types: ['CONVERSION', 'VALIDATION'] }, ({ type }) => type !== 'TRAINING'],
    ['a usual type and an owner', { types: ['TRAINING'], owner: 'user:1' }, ({ type, owner }) => type === 'TRAINING' && owner === 'user:1'],
    ['an initiator of few', { initiators: ['GIT'] }, ({ initiator }) => initiator === 'GIT'],
    [
      'a label, and a status',
      { labels: [{ key: 'k', value: 'v' }], statuses: ['SUCCEEDED'] },
      ({ description, status }) => description !== null && status === 'SUCCEEDED',
    ],
    ['a frequent label', { labels: [{ key: 'parity', value: '0' }] }, ({ priority }) => isEven(priority)],
    [
      'a frequent label and a rare one',
      {
        labels: [
          { key: 'parity', value: '0' },
          { key: 'k', value: 'v' },
        ],
      },
      ({ priority, description }) => isEven(priority) && description !== null,
    ],
    ['a metric', { hasMetric: 'loss' }, ({ exitCode }) => exitCode === 3],
    ['a metric of none, and a status', { hasMetric: 'none', statuses: ['SUCCEEDED'] }, () => false],
    [
      'an owner and rare statuses',
      { owner: 'user:1', statuses: ['CANCELLING', 'RUNNING'] },
      ({ owner, status }) => owner === 'user:1' && status === 'RUNNING',
    ],
    ['a time', { createdBefore: new Date(start + 1_500_000) }, ({ createdAt }) => createdAt.getTime() < start + 1_500_000],
  ];
  const keys: [JobOrder['field'], (job: JobRow) => number | null][] = [
    ['CREATED_AT', () => 0],
    ['UPDATED_AT', ({ updatedAt }) => updatedAt.getTime()],
    ['PRIORITY', ({ priority }) => priority],
    ['STARTED_AT', ({ startedAt }) => startedAt?.getTime() ?? null],
  ];

  async function readAll(filter: JobFilter, order: JobOrder, isBackward: boolean): Promise<string[]> {
    const found: ListedJob[] = [];
    for (let last: Position | null = null; ; ) {
      const slice = { limit: 101, isBackward, after: isBackward ? null : last, before: isBackward ? last : null };
      const page = await listJobs(store.read, jobCondition(filter, everything), order, slice);
      found.push(...page);
      const end = page.at(-1);
      if (!end || page.length < 101) return found.map(({ id }) => id);
      last = jobPosition(order, end);
    }
  }

  describe.each(keys)('in the order of %s', (field, keyOf) => {
    test.each(filters)('with %s are listed each once, in either direction', async (_, filter, takes) => {
      for (const direction of ['ASC', 'DESC'] as const) {
        const sign = direction === 'ASC' ? 1 : -1;
        const expected = jobs
          .filter(takes)
          .toSorted((a, b) => {
            const [x, y] = [keyOf(a), keyOf(b)];
            if ((x === null) !== (y === null)) return x === null ? 1 : -1;
            return sign * ((x ?? 0) - (y ?? 0) || (a.id < b.id ? -1 : 1));
          })
          .map(({ id }) => id);
        expect(await readAll(filter, { field, direction }, false)).toEqual(expected);
        expect(await readAll(filter, { field, direction }, true)).toEqual(expected.toReversed());
      }
    });
  });

  test.each(filters)('with %s are counted, together and by what they have', async (_, filter, takes) => {
    const where = jobCondition(filter, everything);
    const expected = jobs.filter(takes);
    expect(await countJobs(store.read, where)).toBe(expected.length);
    for (const [by, keyOf] of [
      ['STATUS', ({ status }: JobRow) => status],
      ['OWNER', ({ owner }: JobRow) => owner],
      ['TYPE', ({ type }: JobRow) => type],
      ['PROJECT', ({ projectId }: JobRow) => projectId],
    ] as const) {
      const counts = Object.entries(Object.groupBy(expected, keyOf)).map(([key, of = []]) => [key, of.length]);
      expect(Object.fromEntries(await countJobsBy(store.read, where, { by }))).toEqual(Object.fromEntries(counts));
    }
    const labelled = expected.filter(({ description }) => description !== null).length;
    expect([...(await countJobsBy(store.read, where, { by: 'LABEL', labelKey: 'k' }))]).toEqual(labelled > 0 ? [['v', labelled]] : []);
  });
});
