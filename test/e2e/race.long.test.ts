/** Many clients at one gateway process, over HTTP, claim the same steps. */
import { describe, expect, test } from 'vitest';
import { ClaimNextStepsDocument, CompleteStepDocument, CreateJobDocument, RegisterDeviceDocument } from '../../src/client/generated.ts';
import { createRequester } from '../../src/client/request.ts';
import { openStation } from '../agent/station.ts';
import { createPostgresDatabase, createSqliteDatabase } from '../support/databases.ts';

const CLIENTS = 16;
const JOBS = 20;
const STEPS = 50;

interface AttemptsSeen {
  readonly job: {
    readonly status: string;
    readonly steps: readonly {
      id: string;
      status: string;
      attempts: readonly { number: number; outcome: string; device: { id: string } }[];
    }[];
  };
}
const attemptsQuery = 'query ($id: ID!) { job(id: $id) { status steps { id status attempts { number outcome device { id } } } } }';

describe.each([
  { dialect: 'sqlite', create: createSqliteDatabase },
  { dialect: 'postgres', create: createPostgresDatabase },
])('On $dialect', ({ create }) => {
  test(`${CLIENTS} clients race for ${JOBS * STEPS} steps: each is claimed once, and attempts are numbered without a gap (P2)`, async () => {
    const station = await openStation(await create());
    try {
      const { url, adminKey } = station.gateway;
      const admin = createRequester({ url, token: adminKey });
      const { projectId } = station;
      const jobIds: string[] = [];
      for (let i = 0; i < JOBS; i++) {
        const steps = Array.from({ length: STEPS }, (_, number) => ({ name: `Step ${number}` }));
        const { createJob } = await admin.request(CreateJobDocument, { input: { projectId, name: `Job ${i}`, steps } });
        if (createJob.__typename === 'CreateJobPayload') jobIds.push(createJob.job.id);
      }
      expect(jobIds).toHaveLength(JOBS);

      const claimed = new Map<string, { attempt: number; deviceId: string }>();
      let completed = 0;
      const race = async (racer: number) => {
        const { registerDevice } = await admin.request(RegisterDeviceDocument, { input: { projectId, name: `racer ${racer}`, slots: 4 } });
        if (registerDevice.__typename !== 'RegisterDevicePayload') throw new Error(JSON.stringify(registerDevice));
        const device = createRequester({ url, token: registerDevice.apiKey ?? '' });
        while (completed < JOBS * STEPS) {
          const { claimNextSteps } = await device.request(ClaimNextStepsDocument, {
            input: { limit: 1, leaseSeconds: 600, waitSeconds: 1 },
          });
          if (claimNextSteps.__typename !== 'ClaimNextStepsPayload') throw new Error(JSON.stringify(claimNextSteps));
          for (const { step, lease } of claimNextSteps.claims) {
            expect(claimed.has(step.id)).toBe(false);
            claimed.set(step.id, { attempt: lease.attempt, deviceId: registerDevice.device.id });
            const { completeStep } = await device.request(CompleteStepDocument, { input: { leaseToken: lease.token } });
            expect(completeStep.__typename).toBe('CompleteStepPayload');
            completed += 1;
          }
        }
      };
      await Promise.all(Array.from({ length: CLIENTS }, (_, racer) => race(racer)));

      expect(claimed.size).toBe(JOBS * STEPS);
      for (const id of jobIds) {
        const { job } = await station.ask<AttemptsSeen>(attemptsQuery, { id });
        expect(job.status).toBe('SUCCEEDED');
        for (const step of job.steps) {
          const { attempt, deviceId } = claimed.get(step.id) ?? {};
          expect(attempt).toBe(1);
          expect(step.attempts).toEqual([{ number: 1, outcome: 'SUCCEEDED', device: { id: deviceId } }]);
        }
      }
    } finally {
      await station.close();
    }
  });
});
