/** Shortcuts to training jobs, in an experiment or alone, with the model that each submits. */
import type { Claim } from '../../src/domain/claims/claims.ts';
import { completeStep } from '../../src/domain/claims/outcomes.ts';
import { createFragment } from '../../src/domain/files/fragments.ts';
import { createExperiment } from '../../src/domain/jobs/experiments.ts';
import type { CreateJobInput } from '../../src/domain/jobs/input.ts';
import type { JobRow } from '../../src/store/schema/tables.ts';
import { admin, type Seed } from '../support/seed.ts';

let files = 0;

export function trainingOn({ domain, project, claim, createJob }: Seed) {
  /** Submits a model as the attempt would, and returns its id. */
  async function handIn({ lease }: Claim, job: JobRow, text: string): Promise<string> {
    const input = { jobId: job.id, leaseToken: lease.token, filename: 'model.safetensors', type: 'MODEL', text } as const;
    return (await createFragment(domain, admin, input)).fragment.id;
  }
  return {
    handIn,
    /** A model file that belongs to no job. */
    async modelOfProject(text = 'start'): Promise<string> {
      const filename = `start ${files++}.safetensors`;
      return (await createFragment(domain, admin, { projectId: project.id, filename, type: 'MODEL', text })).fragment.id;
    },
    async makeExperiment(startModelFragmentId: string | null = null): Promise<string> {
      const { experiment } = await createExperiment(domain, admin, { projectId: project.id, name: 'Queue', startModelFragmentId });
      return experiment.id;
    },
    queue: async (experimentId: string, input: Partial<CreateJobInput> = {}) =>
      (await createJob(1, { experimentId, name: 'Train', ...input })).job,
    /** Runs a job whose turn it is to its end, and returns its model. */
    async train(job: JobRow, text: string): Promise<string> {
      const claimed = await claim(job);
      const id = await handIn(claimed, job, text);
      await completeStep(domain, admin, { leaseToken: claimed.lease.token });
      return id;
    },
  };
}
export type Training = ReturnType<typeof trainingOn>;
