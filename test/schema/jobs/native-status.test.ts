/** The status of a federated job in the terms of other systems, from creation to end. */
import { expect, test } from 'vitest';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { createExperiment } from '../../../src/domain/jobs/experiments.ts';
import { nth, raiseFleet } from '../../domain/fleet.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed } from '../../support/seed.ts';
import { askAs } from '../ask.ts';

describeOnEachStore('the native status of a federated job', (open) => {
  test('is IN_PROGRESS, AGGREGATION_IN_PROGRESS and done in the terms of vergeai', async () => {
    const seed = await plantSeed(await open());
    const fleet = await raiseFleet(seed, 1);
    const ask = askAs(seed.domain, admin);
    const statusOf = async (id: string) => {
      const query = 'query ($id: ID!) { job(id: $id) { vergeai: nativeStatus(dialect: VERGEAI) mlcycle: nativeStatus(dialect: MLCYCLE) } }';
      const { job } = await ask<{ job: { vergeai: string; mlcycle: string } }>(query, { id });
      return [job.vergeai, job.mlcycle];
    };
    const { experiment } = await createExperiment(seed.domain, admin, { projectId: seed.project.id, name: 'Rounds' });
    const { job } = await fleet.createJob({ numDevices: 1, terminationCriteria: [{ maxRounds: 1 }] }, { experimentId: experiment.id });
    const next = await fleet.createJob({ numDevices: 1, terminationCriteria: [{ maxRounds: 1 }] }, { experimentId: experiment.id });
    expect(await statusOf(job.id)).toEqual(['IN_PROGRESS', '21']);
    expect(await statusOf(next.job.id)).toEqual(['INITIALIZED', '0']);

    const device = nth(fleet.devices, 0);
    const training = await fleet.claim(job.id, device);
    expect(await statusOf(job.id)).toEqual(['IN_PROGRESS', '1']);
    await fleet.handIn(training, device);
    // The aggregation waits for a claim.
    expect(await statusOf(job.id)).toEqual(['IN_PROGRESS', '1']);

    const step = (await seed.readSteps(job.id)).find(({ part }) => part === 'AGGREGATE');
    const aggregation = await seed.claim(await seed.readJob(job.id), step?.number);
    expect(await statusOf(job.id)).toEqual(['AGGREGATION_IN_PROGRESS', '1']);
    await fleet.upload(aggregation, admin);
    await completeStep(seed.domain, admin, { leaseToken: aggregation.lease.token });
    expect(await statusOf(job.id)).toEqual(['COMPLETED', '2']);
    expect(await statusOf(next.job.id)).toEqual(['IN_PROGRESS', '21']);
  });
});
