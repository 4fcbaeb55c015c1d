/** What a client reads of all jobs together: their counts, and the labels that they have. */
import { beforeAll, expect, test } from 'vitest';
import type { Principal } from '../../../src/domain/access/principal.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { createExperiment } from '../../../src/domain/jobs/experiments.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { deleteJob, updateJob } from '../../../src/domain/jobs/update.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed, type SeededDevice } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

describeOnEachStore('What is read of all jobs', (open) => {
  let seed: Seed;
  let ask: Ask;
  let device: SeededDevice;
  let other: string;
  const viewerOfOther = (): Principal => ({ ...admin, role: 'VIEWER', projectId: other });

  beforeAll(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
    other = (await createProject(seed.domain, admin, { name: 'Other' })).project.id;
    device = await seed.registerDevice({ projectId: null });
    for (let i = 0; i < 6; i++) {
      const labels = [{ key: 'team', value: i % 2 === 0 ? 'vision' : 'audio' }, ...(i === 5 ? [] : [{ key: 'Team', value: `v${i}` }])];
      const { job } = await seed.createJob(1, { labels, type: i === 0 ? 'VALIDATION' : 'TRAINING' });
      if (i < 2) await seed.claim(job, 0, device);
    }
    await seed.createJob(1, { projectId: other, labels: [{ key: 'tea', value: 'green' }] });
  });

  const query = `query ($filter: JobFilter, $by: JobCountBy, $labelKey: String) {
    jobCounts(filter: $filter, by: $by, labelKey: $labelKey) { key count }
  }`;
  const counts = async (variables: Record<string, unknown> = {}, as = ask) =>
    (await as<{ jobCounts: { key: string; count: number }[] }>(query, variables)).jobCounts.map(({ key, count }) => [key, count]);

  test('are its counts, by any of what jobs have, the most frequent first', async () => {
    const filter = { projectId: seed.project.id };
    expect(await counts({ filter })).toEqual([
      ['QUEUED', 4],
      ['RUNNING', 2],
    ]);
    expect(await counts({ by: 'PROJECT' })).toEqual([
      [seed.project.id, 6],
      [other, 1],
    ]);
    expect(await counts({ filter: { ...filter, search: 'vision' }, by: 'TYPE' })).toEqual([
      ['TRAINING', 2],
      ['VALIDATION', 1],
    ]);
    expect(await counts({ by: 'DEVICE' })).toEqual([[device.device.id, 2]]);
    expect(await counts({ by: 'OWNER' })).toEqual([['user:admin', 7]]);
    expect(await counts({ by: 'LABEL', labelKey: 'team' })).toEqual([
      ['audio', 3],
      ['vision', 3],
    ]);
    expect(await counts({ by: 'LABEL', labelKey: 'team', filter: { statuses: ['RUNNING'], types: ['TRAINING'] } })).toEqual([['audio', 1]]);
    expect(await counts({ by: 'EXPERIMENT' })).toEqual([]);
    expect(await counts({ filter: { statuses: [] } })).toEqual([]);
    await expect(counts({ by: 'LABEL' })).rejects.toThrow('BAD_REQUEST: labelKey is needed with LABEL.');
    await expect(counts({ labelKey: 'team' })).rejects.toThrow('BAD_REQUEST: labelKey is for LABEL alone.');
    await expect(counts({ filter: { search: '' } })).rejects.toThrow('BAD_REQUEST: filter.search must not be empty.');
  });

  test('is only what a key sees', async () => {
    const ofOther = askAs(seed.domain, viewerOfOther());
    expect(await counts({}, ofOther)).toEqual([['QUEUED', 1]]);
    expect(await counts({ filter: { projectId: seed.project.id } }, ofOther)).toEqual([]);
    const { job, token } = await seed.createJob(1, { labels: [{ key: 'mine', value: 'm' }] });
    const { job: foreign } = await seed.createJob(1, { projectId: other });
    await seed.claim(foreign, 0, device);
    // The device serves all projects, which this key may not see.
    expect(await counts({ by: 'DEVICE' }, ofOther)).toEqual([]);
    const ofJob = askAs(seed.domain, await seed.principalOf(token));
    expect(await counts({}, ofJob)).toEqual([['QUEUED', 1]]);
    expect(await ofJob('{ labelKeys }')).toEqual({ labelKeys: ['mine'] });
    await expect(counts({ by: 'DEVICE' }, ofJob)).rejects.toThrow('FORBIDDEN');
    for (const { id } of [job, foreign]) {
      await cancelJob(seed.domain, admin, { jobId: id, cancelTimeoutSeconds: 0 });
      await deleteJob(seed.domain, admin, { jobId: id });
    }
  });

  test('are the keys and values of labels that begin with a text, each once, of what a key sees', async () => {
    const complete = (args: string, as = ask) => as<Record<string, string[]>>(`{ all: ${args} }`).then(({ all = [] }) => all.toSorted());
    expect(await complete('labelKeys')).toEqual(['Team', 'tea', 'team']);
    expect(await complete('labelKeys(prefix: "tea")')).toEqual(['tea', 'team']);
    expect(await complete(`labelKeys(projectId: "${seed.project.id}", prefix: "te")`)).toEqual(['team']);
    expect(await complete('labelKeys(prefix: "x")')).toEqual([]);
    expect(await complete('labelValues(key: "team")')).toEqual(['audio', 'vision']);
    expect(await complete('labelValues(key: "Team", prefix: "v", first: 2)')).toEqual(['v0', 'v1']);
    expect(await complete('labelKeys', askAs(seed.domain, viewerOfOther()))).toEqual(['tea']);
    expect(await complete(`labelKeys(projectId: "${seed.project.id}")`, askAs(seed.domain, viewerOfOther()))).toEqual([]);
    await expect(complete('labelKeys(first: 0)')).rejects.toThrow('BAD_REQUEST: first must be at least 1; got 0.');
    const { job } = await seed.createJob(1, { labels: [{ key: 'zoo', value: '1' }] });
    await updateJob(seed.domain, admin, { jobId: job.id, labels: [{ key: 'zulu', value: '1' }] });
    expect(await complete(`labelKeys(projectId: "${seed.project.id}", prefix: "z")`)).toEqual(['zulu']);
    await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
    await deleteJob(seed.domain, admin, { jobId: job.id });
    expect(await complete('labelKeys(prefix: "z")')).toEqual([]);
  });

  test('are experiments of all projects or of one, as far as a key sees them', async () => {
    const made = [];
    for (const projectId of [seed.project.id, other])
      made.unshift((await createExperiment(seed.domain, admin, { projectId, name: 'E' })).experiment.id);
    const [ofOther, own] = made;
    const read = async (projectId: string | null, as = ask) => {
      const page = `query ($projectId: ID) { experiments(projectId: $projectId) { totalCount nodes { id } } models(projectId: $projectId) { totalCount } }`;
      const { experiments } = await as<{ experiments: { totalCount: number; nodes: { id: string }[] } }>(page, { projectId });
      expect(experiments.totalCount).toBe(experiments.nodes.length);
      return experiments.nodes.map(({ id }) => id);
    };
    expect(await read(null)).toEqual([ofOther, own]);
    expect(await read(seed.project.id)).toEqual([own]);
    expect(await read(null, askAs(seed.domain, viewerOfOther()))).toEqual([ofOther]);
    expect(await read(seed.project.id, askAs(seed.domain, viewerOfOther()))).toEqual([]);
  });

  test('are the attempts that a device runs now', async () => {
    const running = '{ devices { nodes { runningAttempts { number outcome step { job { status } } } } } }';
    const { devices } = await ask<{ devices: { nodes: { runningAttempts: unknown[] }[] } }>(running);
    const attempt = { number: 1, outcome: 'RUNNING', step: { job: { status: 'RUNNING' } } };
    expect(devices.nodes).toEqual([{ runningAttempts: [attempt, attempt] }]);
  });
});
