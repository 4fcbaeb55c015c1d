/**
 * Submitted models are checked first: a model that could not be averaged with the others is
 * refused, with the names of its tensors.
 */
import { expect, test } from 'vitest';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { createFragment, finishUpload } from '../../../src/domain/files/fragments.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { encodeModel, f32, f64, halves } from '../../aggregator/models.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin, type Seed } from '../../support/seed.ts';
import { nth, raiseFleet, smallModel, statusesOf } from '../fleet.ts';

const weight = f32([1, 2, 3, 4], [2, 2]);
const bias = f32([0.5]);

async function storeModel({ domain, project }: Seed, bytes: Buffer) {
  const { fragment } = await createFragment(domain, admin, { projectId: project.id, filename: 'start.safetensors', type: 'MODEL' });
  const { file, keep } = await domain.files.receive(fragment.id, [bytes], bytes.length);
  await keep();
  return finishUpload(domain, fragment.id, file);
}

describeOnGround('A submitted model', (on) => {
  async function begin(isWithStart = true) {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 2);
    const start = isWithStart ? { startModelFragmentId: (await storeModel(seed, encodeModel({ weight, bias }))).id } : {};
    const { job } = await fleet.createJob({ numDevices: 2, ...start });
    const [device, other] = await fleet.selected(job.id);
    if (!device || !other) throw new Error('Two were selected.');
    return { seed, fleet, job, device, other };
  }

  test.each([
    ['lacks a tensor', encodeModel({ weight }), ['bias']],
    ['has one more', encodeModel({ weight, bias, extra: bias }), ['extra']],
    ['has one of another shape', encodeModel({ weight: f32([1, 2, 3, 4]), bias }), ['weight']],
    ['has one of another dtype', encodeModel({ weight, bias: f64([0.5]) }), ['bias']],
    ['has several that differ', encodeModel({ weight: f32([1]), bias: halves('F16', [0]) }), ['weight', 'bias']],
    ['has one that is no number', encodeModel({ weight: f32([1, Number.NaN, 3, 4], [2, 2]), bias }), ['weight']],
    ['has one that is infinite', encodeModel({ weight, bias: f32([Number.NEGATIVE_INFINITY]) }), ['bias']],
    ['was cut short', encodeModel({ weight, bias }).subarray(0, -2), ['bias']],
    ['is a text', Buffer.from('iteration,loss\n1,0.5\n'), ['safetensors']],
  ])('is refused when it %s, and changes nothing', async (_, bytes, names) => {
    const { seed, fleet, job, device } = await begin();
    const claim = await fleet.claim(job.id, device);
    await fleet.upload(claim, device.principal, bytes);
    const before = await on().readAll();
    const input = { leaseToken: claim.lease.token, numSamples: 3, metrics: [{ name: 'loss', value: 1 }] };
    const refusal = await refusalOf(completeStep(seed.domain, device.principal, input));
    expect(refusal).toMatchObject({ code: 'INVALID_INPUT', issues: names.map(() => ({ path: ['leaseToken'] })) });
    for (const name of names) expect(String(refusal)).toContain(name);
    expect(await on().readAll()).toEqual(before);
    // A correct model after that is accepted.
    expect((await fleet.handIn(claim, device)).step.status).toBe('SUCCEEDED');
  });

  test('must have the tensors of the first one, if the round started from no model', async () => {
    const { fleet, job, device, other } = await begin(false);
    await fleet.handIn(await fleet.claim(job.id, device), device);
    const claim = await fleet.claim(job.id, other);
    expect(await refusalOf(fleet.handIn(claim, other, { bytes: encodeModel({ weight }) }))).toMatchObject({ code: 'INVALID_INPUT' });
    await fleet.handIn(claim, other);
    expect(statusesOf(await fleet.readRounds(job.id))).toEqual(['AGGREGATING']);
  });

  test('must have the tensors of the aggregate before it, and so must the aggregate', async () => {
    const { seed } = on();
    const fleet = await raiseFleet(seed, 1);
    const { job } = await fleet.createJob({ numDevices: 1, terminationCriteria: [{ maxRounds: 2 }] });
    await fleet.train(job.id, 1);
    await fleet.aggregate(job.id);
    const device = nth(fleet.devices, 0);
    const claim = await fleet.claim(job.id, device, 2);
    expect(await refusalOf(fleet.handIn(claim, device, { bytes: encodeModel({ bias }) }))).toMatchObject({ code: 'INVALID_INPUT' });
    await fleet.handIn(claim, device);
    expect(await refusalOf(fleet.aggregate(job.id, { bytes: encodeModel({ weight }) }))).toMatchObject({ code: 'INVALID_INPUT' });
    expect((await seed.readJob(job.id)).status).toBe('RUNNING');
  });

  test('is the newest of the attempt; of two uploaded at once, the one that was checked', async () => {
    const { seed, fleet, job, device } = await begin();
    const claim = await fleet.claim(job.id, device);
    await fleet.upload(claim, device.principal, Buffer.from('not yet'));
    seed.clock.advance(1);
    let meanwhile = async () => {};
    const { inspect } = seed.domain.models;
    const domain = {
      ...seed.domain,
      models: {
        inspect: async (...asked: Parameters<typeof inspect>) => {
          const found = await inspect(...asked);
          await meanwhile();
          return found;
        },
      },
    };
    await fleet.upload(claim, device.principal, smallModel);
    seed.clock.advance(1);
    meanwhile = async () => {
      await fleet.upload(claim, device.principal, smallModel);
    };
    const complete = () => completeStep(domain, device.principal, { leaseToken: claim.lease.token });
    expect(await refusalOf(complete())).toMatchObject({ issues: [{ message: expect.stringContaining('Complete the step again') }] });
    meanwhile = async () => {};
    expect((await complete()).step.status).toBe('SUCCEEDED');
  });

  test('is not checked for a principal that may not submit it', async () => {
    const { seed, fleet, job, device, other } = await begin();
    const claim = await fleet.claim(job.id, device);
    await fleet.upload(claim, device.principal);
    const domain = { ...seed.domain, models: { inspect: () => Promise.reject(new Error('It was looked at.')) } };
    const complete = (leaseToken: string, principal = device.principal) => refusalOf(completeStep(domain, principal, { leaseToken }));
    expect(await complete('lease_nothing')).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await complete(claim.lease.token, { ...admin, role: 'VIEWER' })).toMatchObject({ code: 'FORBIDDEN' });
    expect(await complete(claim.lease.token, { ...other.principal, projectId: 'proj_other' })).toMatchObject({ code: 'INVALID_INPUT' });
    seed.clock.advance(60_000);
    expect(await complete(claim.lease.token)).toMatchObject({ code: 'STALE_LEASE' });
  });

  test("that changes a tensor without a mean is refused by the tensor's name, unless the job has its own aggregation program", async () => {
    const { seed, fleet } = await begin();
    const model = (byte: number) => encodeModel({ frozen: { dtype: 'F8_E5M2', shape: [1], bytes: new Uint8Array([byte]) } });
    for (const aggregateContainer of [null, { image: 'aggregate' }]) {
      const { job } = await fleet.createJob({ numDevices: 2, aggregateContainer });
      const [first, second] = await fleet.selected(job.id);
      if (!first || !second) throw new Error('Two devices were selected.');
      await fleet.handIn(await fleet.claim(job.id, first), first, { bytes: model(1) });
      const claim = await fleet.claim(job.id, second);
      const handIn = () => fleet.handIn(claim, second, { bytes: model(2) });
      if (aggregateContainer) expect((await handIn()).step.status).toBe('SUCCEEDED');
      else
        expect(await refusalOf(handIn())).toMatchObject({
          issues: [{ message: expect.stringContaining('"frozen" of F8_E5M2 has no mean') }],
        });
      await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 0 });
    }
  });

  test('is required only for steps of rounds', async () => {
    const { seed } = on();
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job);
    const domain = { ...seed.domain, models: { inspect: () => Promise.reject(new Error('It was looked at.')) } };
    expect((await completeStep(domain, admin, { leaseToken: lease.token })).job.status).toBe('SUCCEEDED');
  });
});
