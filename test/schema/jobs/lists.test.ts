import { beforeAll, describe, expect, test } from 'vitest';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { reportMetrics } from '../../../src/domain/claims/progress.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { updateJob } from '../../../src/domain/jobs/update.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { pickNumber, pickOne, seedRandom } from '../../support/random.ts';
import { admin, plantSeed, type Seed, type SeededDevice } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

interface Page {
  nodes: { id: string }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
  totalCount: number;
}
type Job = Awaited<ReturnType<Seed['readJob']>>;

const query = `query ($filter: JobFilter, $orderBy: JobOrder, $first: Int, $after: String, $last: Int, $before: String) {
  jobs(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
    nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount
  }
}`;

const names = ['Train Digits', 'train DIGITS again', 'Évaluer', 'évaluer 100%', 'under_score', 'x'] as const;

describeOnEachStore('a list of jobs', (open) => {
  let seed: Seed;
  let ask: Ask;
  let jobs: Job[];
  let projects: string[];
  let device: SeededDevice;
  /** The newest value of the metric `loss` of the jobs that have reported it. */
  const losses = new Map<string, number>();
  /** Runs a job: some report a metric, in one or both of their steps, and some end. */
  async function run(job: Job, i: number): Promise<void> {
    const { domain, clock } = seed;
    for (const stepNumber of i % 2 === 0 ? [0] : [0, 1]) {
      const { lease } = await seed.claim(job, stepNumber, device);
      clock.advance(1_000 * (i % 3));
      if (i % 5 > 0) {
        const value = (i + stepNumber) % 3;
        await reportMetrics(domain, device.principal, { leaseToken: lease.token, metrics: [{ name: 'loss', value }] });
        losses.set(job.id, value);
      }
      if (stepNumber === 0 || i % 3 > 0) await completeStep(domain, device.principal, { leaseToken: lease.token });
    }
  }
  const list = async (variables: Record<string, unknown> = {}) => (await ask<{ jobs: Page }>(query, { first: 100, ...variables })).jobs;
  const idsOf = (page: Page) => page.nodes.map(({ id }) => id);
  const idsWhere = (takes: (job: Job) => boolean) =>
    jobs
      .filter(takes)
      .map(({ id }) => id)
      .reverse();

  beforeAll(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
    const { project } = await createProject(seed.domain, admin, { name: 'Other' });
    projects = [seed.project.id, project.id];
    device = await seed.registerDevice({ projectId: null });
    const random = seedRandom('jobs');
    const ids: string[] = [];
    for (let i = 0; i < 40; i++) {
      if (i % 3 === 0) seed.clock.advance(1_000);
      const { job } = await seed.createJob(i % 2 === 0 ? 1 : 2, {
        projectId: projects[i % 2] ?? '',
        name: pickOne(random, names),
        type: pickOne(random, ['TRAINING', 'VALIDATION', 'CONVERSION']),
        initiator: pickOne(random, ['MANUAL', 'GIT', 'DATA']),
        // A small range, so that there are ties.
        priority: pickNumber(random, 3) - 1,
        labels: [
          { key: 'team', value: pickOne(random, ['a', 'b']) },
          { key: 'size', value: pickOne(random, ['s', 'm', 'l']) },
          ...(i % 9 === 0 ? [{ key: 'Rare', value: '100%' }] : []),
        ],
        ...(i % 6 === 0 ? { description: 'Of the SIXTH' } : {}),
      });
      ids.push(job.id);
      if (i % 7 === 1) await run(job, i);
      if (i % 4 === 0 && i % 7 !== 1) await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
      if (i % 5 === 0) await updateJob(seed.domain, admin, { jobId: ids[pickNumber(random, ids.length)] ?? '', description: 'changed' });
    }
    jobs = await Promise.all(ids.map((id) => seed.readJob(id)));
  });

  test('is newest first by default', async () => {
    const page = await list();
    expect(idsOf(page)).toEqual(idsWhere(() => true));
    expect(page.totalCount).toBe(40);
  });

  describe('takes the jobs', () => {
    const filters: Record<string, [() => Record<string, unknown>, (job: Job) => boolean]> = {
      'of a project': [() => ({ projectId: projects[1] }), (job) => job.projectId === projects[1]],
      'in a status': [() => ({ statuses: ['CANCELLED'] }), (job) => job.status === 'CANCELLED'],
      'in one of several statuses': [
        () => ({ statuses: ['CANCELLED', 'RUNNING', 'CANCELLED'] }),
        (job) => ['CANCELLED', 'RUNNING'].includes(job.status),
      ],
      'in none of some statuses': [
        () => ({ notStatuses: ['CANCELLED', 'QUEUED'] }),
        (job) => ['RUNNING', 'SUCCEEDED', 'SUSPENDED'].includes(job.status),
      ],
      'in some statuses and not in others': [
        () => ({ statuses: ['CANCELLED', 'RUNNING'], notStatuses: ['CANCELLED'] }),
        (job) => job.status === 'RUNNING',
      ],
      'in no status that is left': [() => ({ statuses: ['RUNNING'], notStatuses: ['RUNNING'] }), () => false],
      'of a device': [() => ({ deviceId: device.device.id }), (job) => job.deviceId === device.device.id],
      'of no device': [() => ({ deviceId: 'dev_none' }), () => false],
      'that reported a metric': [() => ({ hasMetric: 'loss' }), (job) => losses.has(job.id)],
      'with a label of any value': [() => ({ labelFilters: [{ key: 'Rare' }] }), (job) => job.labels.some(({ key }) => key === 'Rare')],
      'without a label, and with one of a value': [
        () => ({
          labelFilters: [
            { key: 'Rare', isAbsent: true },
            { key: 'size', value: 's' },
          ],
        }),
        (job) => job.labels.every(({ key }) => key !== 'Rare') && job.labels.some(({ value }) => value === 's'),
      ],
      'with a word in their name or description, whatever the case of its letters': [
        () => ({ search: ' sixth ' }),
        (job) => job.description === 'Of the SIXTH',
      ],
      'with all words, each somewhere': [
        () => ({ search: 'digits team=a USER:' }),
        (job) => /digits/i.test(job.name) && job.labels.some(({ value }) => value === 'a'),
      ],
      'with a word in a label that looks like a pattern': [
        () => ({ search: 'rare=100%' }),
        (job) => job.labels.some(({ key }) => key === 'Rare'),
      ],
      'with a word that is no pattern of LIKE': [() => ({ search: 'R_SC' }), (job) => job.name === 'under_score'],
      'with no word that a pattern of LIKE would match': [() => ({ search: 'n_er' }), () => false],
      'with a backslash in a word, of which there are none': [() => ({ search: '\\' }), () => false],
      'with a word beyond ASCII, as it is': [() => ({ search: 'Évaluer' }), (job) => job.name.startsWith('É')],
      'with a word that is longer than any text': [() => ({ search: 'a'.repeat(100_000) }), () => false],
      'that meet as many conditions on labels as there can be': [
        () => ({ labelFilters: Array.from({ length: 20 }, (_, i) => (i === 0 ? { key: 'Rare' } : { key: `other ${i}`, isAbsent: true })) }),
        (job) => job.labels.some(({ key }) => key === 'Rare'),
      ],
      'with a word that is their id': [() => ({ search: jobs[7]?.id.toUpperCase() }), (job) => job.id === jobs[7]?.id],
      'with a NUL in a word, of which there are none': [() => ({ search: 'a\0' }), () => false],
      'in no status at all': [() => ({ statuses: [] }), () => false],
      'of some types': [() => ({ types: ['VALIDATION', 'CONVERSION'] }), (job) => job.type !== 'TRAINING'],
      'of an initiator': [() => ({ initiators: ['GIT'] }), (job) => job.initiator === 'GIT'],
      'of just this name': [() => ({ name: 'Train Digits' }), (job) => job.name === 'Train Digits'],
      'with a part in their name, whatever the case of its ASCII letters': [
        () => ({ nameContains: 'N DIGITS' }),
        (job) => job.name.toLowerCase().includes('n digits'),
      ],
      'with a part in their name, other letters as they are': [() => ({ nameContains: 'É' }), (job) => job.name.includes('É')],
      'with a part in their name that looks like a pattern': [() => ({ nameContains: '%' }), (job) => job.name.includes('%')],
      'with another part that looks like a pattern': [() => ({ nameContains: '_' }), (job) => job.name.includes('_')],
      'of an owner': [() => ({ owner: 'user:nobody' }), () => false],
      'with a label': [() => ({ labels: [{ key: 'team', value: 'a' }] }), (job) => job.labels.some(({ value }) => value === 'a')],
      'with all of several labels': [
        () => ({
          labels: [
            { key: 'team', value: 'a' },
            { key: 'size', value: 's' },
          ],
        }),
        (job) => ['a', 's'].every((wanted) => job.labels.some(({ value }) => value === wanted)),
      ],
      'made after a moment': [() => ({ createdAfter: jobs[20]?.createdAt }), (job) => job.createdAt > (jobs[20]?.createdAt ?? 0)],
      'made before a moment': [() => ({ createdBefore: jobs[20]?.createdAt }), (job) => job.createdAt < (jobs[20]?.createdAt ?? 0)],
      'made in the ages that a moment can say': [
        () => ({ createdAfter: '0001-01-01T00:00:00Z', createdBefore: '9999-12-31T23:59:59Z' }),
        () => true,
      ],
      'that all of the filter takes': [
        () => ({
          projectId: projects[0],
          statuses: ['QUEUED'],
          types: ['TRAINING', 'VALIDATION'],
          initiators: ['GIT', 'DATA'],
          nameContains: 'e',
          owner: 'user:admin',
          labels: [{ key: 'team', value: 'b' }],
          createdAfter: jobs[2]?.createdAt,
          createdBefore: jobs[38]?.createdAt,
        }),
        (job) =>
          job.projectId === projects[0] &&
          job.status === 'QUEUED' &&
          job.type !== 'CONVERSION' &&
          job.initiator !== 'MANUAL' &&
          job.name.toLowerCase().includes('e') &&
          job.labels.some(({ value }) => value === 'b') &&
          job.createdAt > (jobs[2]?.createdAt ?? 0) &&
          job.createdAt < (jobs[38]?.createdAt ?? 0),
      ],
      'with a NUL in their name, of which there are none': [() => ({ name: 'a\0b' }), () => false],
    };
    test.each(Object.entries(filters))('%s', async (_, [filter, takes]) => {
      const page = await list({ filter: JSON.parse(JSON.stringify(filter())) });
      expect(idsOf(page)).toEqual(idsWhere(takes));
      expect(page.totalCount).toBe(idsWhere(takes).length);
    });
  });

  describe('in an order', () => {
    const keys: Record<string, (job: Job) => number | string | null> = {
      CREATED_AT: () => 0,
      STARTED_AT: ({ startedAt }) => startedAt?.getTime() ?? null,
      FINISHED_AT: ({ finishedAt }) => finishedAt?.getTime() ?? null,
      DURATION: ({ startedAt, finishedAt }) => (startedAt && finishedAt ? finishedAt.getTime() - startedAt.getTime() : null),
      METRIC: ({ id }) => losses.get(id) ?? null,
      UPDATED_AT: ({ updatedAt }) => updatedAt.getTime(),
      PRIORITY: ({ priority }) => priority,
    };
    const orders = Object.keys(keys).flatMap((field) => [
      { field, direction: 'ASC', metric: field === 'METRIC' ? 'loss' : null },
      { field, direction: 'DESC', metric: field === 'METRIC' ? 'loss' : null },
    ]);
    const compare = (a: number | string, b: number | string) => (a === b ? 0 : a < b ? -1 : 1);

    test.each(orders)(
      'by $field $direction is paged both ways without gap or repetition, with ties sorted by age and jobs without a value last',
      async (orderBy) => {
        const keyOf = keys[orderBy.field] ?? (() => 0);
        const sign = orderBy.direction === 'ASC' ? 1 : -1;
        const filter = { types: ['TRAINING', 'VALIDATION'] };
        const expected = jobs
          .filter(({ type }) => type !== 'CONVERSION')
          .sort((a, b) => {
            const [x, y] = [keyOf(a), keyOf(b)];
            if ((x === null) !== (y === null)) return x === null ? 1 : -1;
            return sign * (compare(x ?? 0, y ?? 0) || compare(a.id, b.id));
          })
          .map(({ id }) => id);

        const forward: string[] = [];
        for (let page = await list({ filter, orderBy, first: 7 }); ; ) {
          forward.push(...idsOf(page));
          if (!page.pageInfo.hasNextPage) break;
          page = await list({ filter, orderBy, first: 7, after: page.pageInfo.endCursor });
        }
        expect(forward).toEqual(expected);

        const backward: string[] = [];
        for (let page = await list({ filter, orderBy, first: null, last: 7 }); ; ) {
          backward.unshift(...idsOf(page));
          if (!page.pageInfo.hasPreviousPage) break;
          page = await list({ filter, orderBy, first: null, last: 7, before: page.pageInfo.startCursor });
        }
        expect(backward).toEqual(expected);
      },
    );
  });

  test('by name is sorted as the database sorts texts, and paged both ways', async () => {
    const orderBy = { field: 'NAME', direction: 'ASC' };
    const { db, t } = seed.domain.store.read;
    const expected = (await db.select({ id: t.jobs.id }).from(t.jobs).orderBy(t.jobs.name, t.jobs.id)).map(({ id }) => id);
    const page = await list({ orderBy, first: 15 });
    const rest = await list({ orderBy, first: 100, after: page.pageInfo.endCursor });
    expect([...idsOf(page), ...idsOf(rest)]).toEqual(expected);
    const before = await list({ orderBy, first: null, last: 15, before: rest.pageInfo.startCursor });
    expect(idsOf(before)).toEqual(idsOf(page));
    expect(idsOf(await list({ orderBy: { ...orderBy, direction: 'DESC' } }))).toEqual(expected.toReversed());
  });

  test('is right for more variants than are kept prepared', async () => {
    const random = seedRandom('shapes');
    const maybe = () => pickNumber(random, 2) === 0;
    const labels = [
      { key: 'team', value: 'a' },
      { key: 'size', value: 's' },
    ];
    const parts: [Record<string, unknown>, (job: Job) => boolean][] = [
      [{ projectId: projects[0] }, (job) => job.projectId === projects[0]],
      [{ statuses: ['QUEUED'] }, (job) => job.status === 'QUEUED'],
      [{ types: ['TRAINING', 'CONVERSION'] }, (job) => job.type !== 'VALIDATION'],
      [{ initiators: ['GIT', 'DATA'] }, (job) => job.initiator !== 'MANUAL'],
      [{ nameContains: 'd' }, (job) => job.name.toLowerCase().includes('d')],
      [{ owner: 'user:admin' }, () => true],
      [{ labels }, (job) => job.labels.some(({ value }) => value === 'a') && job.labels.some(({ value }) => value === 's')],
      [{ createdAfter: jobs[1]?.createdAt.toISOString() }, (job) => job.createdAt > (jobs[1]?.createdAt ?? 0)],
      [{ createdBefore: jobs[39]?.createdAt.toISOString() }, (job) => job.createdAt < (jobs[39]?.createdAt ?? 0)],
    ];
    for (let i = 0; i < 400; i++) {
      const chosen = parts.filter(maybe);
      const orderBy = { field: pickOne(random, ['CREATED_AT', 'PRIORITY']), direction: pickOne(random, ['ASC', 'DESC']) };
      const page = await list({ filter: Object.assign({}, ...chosen.map(([filter]) => filter)), orderBy });
      const expected = jobs.filter((job) => chosen.every(([, takes]) => takes(job))).map(({ id }) => id);
      expect(idsOf(page).sort()).toEqual(expected.sort());
      expect(page.totalCount).toBe(expected.length);
    }
  });

  test('through a project shows its jobs, and nothing if the filter names another project', async () => {
    const ofProject = `query ($id: ID!, $filter: JobFilter) { project(id: $id) { jobs(first: 100, filter: $filter) { nodes { id } } } }`;
    const read = async (filter: unknown) =>
      (await ask<{ project: { jobs: Page } }>(ofProject, { id: projects[0], filter })).project.jobs.nodes.map(({ id }) => id);
    expect(await read({ types: ['TRAINING'] })).toEqual(idsWhere((job) => job.projectId === projects[0] && job.type === 'TRAINING'));
    expect(await read({ projectId: projects[1] })).toEqual([]);
  });

  test('shows a key of one project only that project’s jobs, and a job’s own key only that job', async () => {
    const ofProject = askAs(seed.domain, { ...admin, role: 'VIEWER', projectId: projects[1] ?? null });
    const count = `query ($filter: JobFilter) { jobs(filter: $filter) { totalCount } }`;
    expect(await ofProject(count)).toEqual({ jobs: { totalCount: 20 } });
    expect(await ofProject(count, { filter: { projectId: projects[0] } })).toEqual({ jobs: { totalCount: 0 } });
    const { job, token } = await seed.createJob(1, { projectId: projects[1] ?? '' });
    const ofJob = askAs(seed.domain, await seed.principalOf(token));
    expect(await ofJob('{ jobs { nodes { id } totalCount } }')).toEqual({ jobs: { nodes: [{ id: job.id }], totalCount: 1 } });
    expect(await ofJob('query ($id: ID!) { job(id: $id) { id } }', { id: jobs[1]?.id })).toEqual({ job: null });
    await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
  });

  test('refuses cursors of another order, and cursors with values that no database can store', async () => {
    const refused = /^BAD_REQUEST/;
    const { pageInfo } = await list({ first: 1 });
    const order = { field: 'PRIORITY', direction: 'DESC' };
    await expect(list({ orderBy: order, after: pageInfo.endCursor })).rejects.toThrow();
    for (const position of [['\0'], [1], ['a', 'b']]) {
      const after = Buffer.from(JSON.stringify(position)).toString('base64url');
      await expect(list({ after })).rejects.toThrowError(expect.objectContaining({ message: expect.stringMatching(refused) }));
    }
    for (const priority of [1e300, 0.5, 2 ** 40]) {
      const after = Buffer.from(JSON.stringify([priority, 'x'])).toString('base64url');
      await expect(list({ orderBy: order, after })).rejects.toThrow(/BAD_REQUEST/);
    }
  });
});
