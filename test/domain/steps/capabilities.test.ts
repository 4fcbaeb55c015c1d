/**
 * A device gets only steps that match its declared capabilities (P16: it runs nothing that it does
 * not know how to run).
 */
import { expect, test } from 'vitest';
import { claimStep } from '../../../src/domain/claims/claims.ts';
import { registerDevice, updateDevice } from '../../../src/domain/steps/devices.ts';
import { claimableBy } from '../../../src/domain/steps/matching.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';
import { whyNot } from '../../support/why-not.ts';

const process = { name: 'process', container: { command: 'python train.py' } };
const image = { name: 'image', container: { image: 'python:3.12' } };
const build = { name: 'build', container: { build: { context: '.' }, command: 'train.py' } };
const bare = { name: 'Bootstrap' };
const blank = { name: 'Bootstrap', container: { env: [{ name: 'A', value: 'b' }] } };

const agent = { runs: ['PROCESS'], stepNames: [] } as const;
const agentWithDocker = { runs: ['PROCESS', 'CONTAINER'], stepNames: [] } as const;
const worker = { runs: [], stepNames: ['Train', 'Bootstrap'] } as const;

describeOnGround('A device', (on) => {
  test.each([
    { who: 'an agent without Docker', capabilities: agent, takes: ['process'] },
    { who: 'an agent with Docker', capabilities: agentWithDocker, takes: ['build', 'image', 'process'] },
    { who: 'a worker that knows a name', capabilities: worker, takes: ['Bootstrap', 'Bootstrap'] },
    { who: 'one that can run nothing', capabilities: { runs: [], stepNames: [] }, takes: [] },
    { who: 'one that has not said', capabilities: undefined, takes: ['Bootstrap', 'Bootstrap', 'build', 'image', 'process'] },
  ])('is given what it can run: $who', async ({ capabilities, takes }) => {
    const { seed, claimNext } = on();
    const { device, principal } = await seed.registerDevice({ capabilities, slots: 10 });
    for (const step of [process, image, build, bare, blank]) await seed.createJob([step]);
    expect(await claimableBy(seed.domain, device.id)).toHaveLength(takes.length);
    const claims = await claimNext(principal, { limit: 10 });
    expect(claims.map(({ step }) => step.name).sort()).toEqual(takes);
  });

  test.each([
    { step: image, capabilities: agent, says: /container/ },
    { step: process, capabilities: worker, says: /process/ },
    { step: bare, capabilities: agentWithDocker, says: /neither a command nor an image.*Bootstrap/ },
  ])('that cannot run $step.name is told so, by whyNot and by claimStep', async ({ step: template, capabilities, says }) => {
    const { seed } = on();
    const { device } = await seed.registerDevice({ capabilities });
    const { job, steps } = await seed.createJob([template]);
    const [step] = steps;
    if (!step) throw new Error('The job has a step.');
    const reasons = await whyNot(seed.domain, admin, step, device.id);
    expect(reasons.map(({ requirement }) => requirement)).toEqual(['capability']);
    expect(reasons[0]?.explanation).toMatch(says);
    const claim = claimStep(seed.domain, admin, { jobId: job.id, stepNumber: 0, deviceId: device.id, leaseSeconds: 60 });
    expect(await refusalOf(claim)).toMatchObject({ issues: [{ path: ['deviceId'], message: expect.stringMatching(says) }] });
  });

  test('reports changed capabilities, and gets matching steps from then on', async () => {
    const { seed, claimNext } = on();
    const { device, principal } = await seed.registerDevice({ capabilities: agent, slots: 5 });
    await seed.createJob([image]);
    expect(await claimNext(principal)).toEqual([]);
    await updateDevice(seed.domain, principal, { deviceId: device.id, capabilities: agentWithDocker });
    expect(await claimNext(principal)).toHaveLength(1);
    await updateDevice(seed.domain, principal, { deviceId: device.id, slots: 6 });
    await seed.createJob([image]);
    expect(await claimNext(principal)).toHaveLength(1);
    await registerDevice(seed.domain, admin, { projectId: seed.project.id, name: device.name, slots: 5 });
    await seed.createJob([bare]);
    expect(await claimNext(principal)).toHaveLength(1);
  });

  test('that waits for work is woken when its new capabilities fit a queued step', async () => {
    const { seed, claimNext } = on();
    const { device, principal } = await seed.registerDevice({ capabilities: agent });
    await seed.createJob([image]);
    const waiting = claimNext(principal, { waitSeconds: 20 });
    await updateDevice(seed.domain, principal, { deviceId: device.id, capabilities: agentWithDocker });
    expect((await waiting).map(({ step }) => step.name)).toEqual(['image']);
  });

  test.each([
    [{ runs: ['PROCESS', 'PROCESS'] as const, stepNames: [] }, ['capabilities', 'runs', '1']],
    [{ runs: [], stepNames: ['a', ''] }, ['capabilities', 'stepNames', '1']],
    [{ runs: [], stepNames: ['a', 'b', 'a'] }, ['capabilities', 'stepNames', '2']],
    [{ runs: [], stepNames: ['a\nb'] }, ['capabilities', 'stepNames', '0']],
    [{ runs: [], stepNames: Array.from({ length: 1_001 }, (_, i) => `n${i}`) }, ['capabilities', 'stepNames']],
  ])('is refused what makes no sense, and nothing has changed: %#', async (capabilities, path) => {
    const { seed, readAll } = on();
    const before = await readAll();
    const refusal = await refusalOf(registerDevice(seed.domain, admin, { projectId: seed.project.id, name: 'x', capabilities }));
    expect(refusal).toMatchObject({ issues: [{ path }] });
    expect(await readAll()).toEqual(before);
  });
});
