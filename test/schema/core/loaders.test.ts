import { beforeAll, expect, test } from 'vitest';
import type { Domain } from '../../../src/domain/core/domain.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import type { Queries, Store } from '../../../src/store/store.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

/** The same domain, and the names of the statements that it runs. */
function listen(domain: Domain): { domain: Domain; statements: string[] } {
  const statements: string[] = [];
  const { store } = domain;
  const read: Queries = {
    db: store.read.db,
    t: store.read.t,
    dialect: store.read.dialect,
    run(query, values) {
      // Without the hash that distinguishes the variants of a list.
      statements.push(query.name.replace(/ [0-9a-f]{16}$/, ''));
      return store.read.run(query, values);
    },
    runUnnamed: (build) => store.read.runUnnamed(build),
  };
  const heard: Store = {
    description: store.description,
    identity: store.identity,
    parent: store.parent,
    secret: store.secret,
    tables: store.tables,
    isFirst: store.isFirst,
    isAlone: () => store.isAlone(),
    isInPlace: () => store.isInPlace(),
    replaced: store.replaced,
    instruments: store.instruments,
    trouble: store.trouble,
    read,
    write: (work) => store.write(work),
    onCommit: (listener) => store.onCommit(listener),
    isUniqueViolation: (error) => store.isUniqueViolation(error),
    isUnstorableText: (error) => store.isUnstorableText(error),
    close: () => store.close(),
  };
  return { domain: { ...domain, store: heard }, statements };
}

describeOnEachStore('reading', (open) => {
  let seed: Seed;
  let ask: Ask;
  let statements: string[];

  beforeAll(async () => {
    seed = await plantSeed(await open());
    for (let i = 0; i < 50; i++) await seed.createJob(4);
    const heard = listen(seed.domain);
    statements = heard.statements;
    ask = askAs(heard.domain, admin);
  });

  test('fifty jobs with their steps and projects takes one statement per kind of row', async () => {
    statements.length = 0;
    const { jobs } = await ask<{ jobs: { nodes: { steps: { number: number }[] }[] } }>(
      '{ jobs(first: 50) { nodes { id name status project { name } steps { id number name status } } } }',
    );
    expect(jobs.nodes.map(({ steps }) => steps.map(({ number }) => number))).toEqual(Array.from({ length: 50 }, () => [0, 1, 2, 3]));
    expect(statements).toHaveLength(3);
    expect(statements.filter((name) => name.endsWith(' x64'))).toHaveLength(1);
  });

  test('one job with its steps takes two prepared statements', async () => {
    const { job } = await seed.createJob(4);
    statements.length = 0;
    await ask('query ($id: ID!) { job(id: $id) { id name status steps { id number name status } } }', { id: job.id });
    expect(statements).toHaveLength(2);
  });

  test('only a total reads no rows, and only rows counts nothing', async () => {
    statements.length = 0;
    await ask('{ jobs { totalCount } }');
    expect(statements).toEqual(['count jobs']);
    statements.length = 0;
    await ask('{ jobs { nodes { id } pageInfo { hasNextPage } } }');
    expect(statements).toEqual(['list jobs']);
  });

  test('after a change within one request shows what the change left', async () => {
    const { job } = await seed.createJob(1);
    const answer = await askAs(seed.domain, admin)<Record<string, object>>(
      `mutation ($id: ID!) {
        one: updateJob(input: { jobId: $id, name: "First" }) { ... on UpdateJobPayload { job { name project { jobs(filter: { name: "First" }) { totalCount } } } } }
        two: updateJob(input: { jobId: $id, name: "Second" }) { ... on UpdateJobPayload { job { name project { jobs(filter: { name: "First" }) { totalCount } } } } }
        three: cancelJob(input: { jobId: $id }) { ... on CancelJobPayload { job { status steps { status job { name status } } } } }
      }`,
      { id: job.id },
    );
    expect(answer).toMatchObject({
      one: { job: { name: 'First', project: { jobs: { totalCount: 1 } } } },
      two: { job: { name: 'Second', project: { jobs: { totalCount: 0 } } } },
      three: { job: { status: 'CANCELLED', steps: [{ status: 'SKIPPED', job: { name: 'Second', status: 'CANCELLED' } }] } },
    });
  });

  test('by invalid ids finds nothing', async () => {
    const fields = ['project', 'job', 'step', 'device', 'fragment', 'node'];
    for (const id of ['', 'x', '\0', `job_${'z'.repeat(26)}`, 'é'.repeat(300)]) {
      const answer = await ask(`query ($id: ID!) { ${fields.map((field) => `${field}(id: $id) { id }`).join(' ')} }`, { id });
      expect(answer).toEqual(Object.fromEntries(fields.map((field) => [field, null])));
    }
  });

  test('why steps are not claimed takes as many statements for a hundred steps and sixty devices as for one of each', async () => {
    const { project } = await createProject(seed.domain, admin, { name: 'Waiting' });
    const projectId = project.id;
    await seed.createJob([{ name: 'large', resources: { gpu: 8 } }], { projectId });
    const query = `{ jobs(first: 100, filter: { projectId: "${projectId}", statuses: [QUEUED] }) {
      nodes { steps { whyNot { requirement } again: whyNot { device { name } } } } } }`;
    await seed.registerDevice({ projectId });
    statements.length = 0;
    await ask(query);
    const kinds = new Set(statements.map((name) => name.replace(/ x\d+$/, '')));
    for (let i = 0; i < 59; i++) await seed.registerDevice({ projectId });
    for (let i = 0; i < 99; i++) await seed.createJob([{ name: 'large', resources: { gpu: 8 + (i % 30) } }], { projectId });
    statements.length = 0;
    const { jobs } = await ask<{ jobs: { nodes: { steps: { whyNot: unknown[] }[] }[] } }>(query);
    expect(jobs.nodes.flatMap(({ steps }) => steps.flatMap(({ whyNot }) => whyNot)).length).toBe(6_000);
    expect(new Set(statements.map((name) => name.replace(/ x\d+$/, '')))).toEqual(kinds);
    // Statements for many keys take 64 at a time.
    expect(statements.length).toBeLessThanOrEqual(2 * kinds.size);
  });
});
