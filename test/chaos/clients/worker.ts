/**
 * A device. It claims one or a few steps at once, in competition with other workers, reports,
 * uploads files and ends what it holds. If an answer is lost, it sends the same again. Some
 * attempts stop renewing, as if their machine stood still, and return with a stale token. Their
 * answers are noted like all others.
 */

import { Attempt } from './attempt.ts';
import { Client } from './client.ts';

const client = new Client();
const { random, settings } = client;
const slots = Number(settings.options.slots ?? 2);
/**
 * The share of calm attempts: they write, then stay silent for longer than any row may take to
 * arrive.
 */
const calm = Number(settings.options.calm ?? 0.03);
const running = new Set<Promise<void>>();

/** A device's key is shown once. If that answer is lost, the worker registers another device. */
async function register(): Promise<string> {
  for (let tries = 1; !client.stop.aborted; tries++) {
    const input = { projectId: settings.projectId, name: `${settings.name} ${tries}`, slots };
    const result = await client.ask('registerDevice', input);
    if (result?.__typename === 'RegisterDevicePayload' && result.apiKey !== null) return result.apiKey;
    await client.pause(random.between(50, 300));
  }
  return '';
}

client.key = await register();
while (!client.stop.aborted) {
  const isCalm = random.chance(calm);
  const leaseSeconds = isCalm ? 15 : random.pick([1, 1.5, 2, 3]);
  const room = slots - running.size;
  if (room <= 0) {
    await Promise.race(running);
    continue;
  }
  const result = await client.ask('claimNextSteps', { limit: random.whole(1, room), leaseSeconds, waitSeconds: random.pick([0, 0.3, 2]) });
  const claims = result?.__typename === 'ClaimNextStepsPayload' ? result.claims : [];
  for (const { step, lease } of claims) {
    const attempt = new Attempt(client, {
      token: lease.token,
      number: lease.attempt,
      jobId: step.job.id,
      stepNumber: step.number,
      leaseSeconds,
      isCalm,
    });
    const work = attempt.run().finally(() => running.delete(work));
    running.add(work);
  }
  if (claims.length === 0) await client.pause(random.between(20, 200));
}
await Promise.all(running);
client.notebook.close();
