/** A device that does as a test says: it claims a step, writes its log and reports its metrics. */
import { createRequester } from '../../src/client/request.ts';

interface Target {
  readonly url: string;
  readonly adminKey: string;
}

export interface RunningJob {
  readonly jobId: string;
  readonly stepId: string;
  /** Writes to the log of the step that runs. */
  write(text: string, stream?: 'STDOUT' | 'STDERR'): Promise<void>;
  report(metrics: readonly { name: string; value: number; iteration: number }[]): Promise<void>;
  complete(): Promise<void>;
  fail(description: string): Promise<void>;
}

export interface Worker {
  readonly projectId: string;
  readonly deviceId: string;
  /** The data, in the shape that the caller asked for. */
  ask<Data>(query: string, variables?: Readonly<Record<string, unknown>>): Promise<Data>;
  createJob(name: string, steps?: readonly string[]): Promise<string>;
  claimStep(jobId: string, stepNumber: number): Promise<RunningJob>;
  /** Creates a job and claims its first step. */
  runJob(name: string, steps?: readonly string[]): Promise<RunningJob>;
}

export async function createWorker({ url, adminKey }: Target): Promise<Worker> {
  const requester = createRequester({ url, token: adminKey });
  const ask = <Data>(query: string, variables: Readonly<Record<string, unknown>> = {}) =>
    requester.request<Data, Readonly<Record<string, unknown>>>(query, variables, { timeoutSeconds: 60 });
  const change = async <Payload>(name: string, input: Readonly<Record<string, unknown>>, fields: string): Promise<Payload> => {
    const type = name.charAt(0).toUpperCase() + name.slice(1);
    const query = `mutation ($input: ${type}Input!) { ${name}(input: $input) { ... on ${type}Payload { ${fields} } ... on Error { message } } }`;
    const { [name]: answer } = await ask<Record<string, (Payload & { message?: undefined }) | { message: string }>>(query, { input });
    if (answer === undefined || answer.message !== undefined) throw new Error(`${name}: ${answer?.message}`);
    return answer;
  };
  const { projects } = await ask<{ projects: { nodes: readonly { id: string }[] } }>('{ projects(first: 1) { nodes { id } } }');
  const projectId = projects.nodes[0]?.id ?? '';
  const { device } = await change<{ device: { id: string } }>('registerDevice', { name: 'box', slots: 1_000 }, 'device { id }');
  const deviceId = device.id;

  const createJob = async (name: string, steps: readonly string[] = ['train']) => {
    const { job } = await change<{ job: { id: string } }>(
      'createJob',
      { projectId, name, steps: steps.map((step) => ({ name: step })) },
      'job { id }',
    );
    return job.id;
  };

  const claimStep = async (jobId: string, stepNumber: number): Promise<RunningJob> => {
    const { step, lease } = await change<{ step: { id: string }; lease: { token: string } }>(
      'claimStep',
      { jobId, stepNumber, deviceId, leaseSeconds: 3_600 },
      'step { id } lease { token }',
    );
    const leaseToken = lease.token;
    let offset = 0;
    return {
      jobId,
      stepId: step.id,
      async write(text, stream = 'STDOUT') {
        // As large as a piece may be.
        for (const part of text.match(/[\s\S]{1,60000}/g) ?? []) {
          await change('appendLog', { leaseToken, chunks: [{ offset, stream, text: part }] }, 'nextLogOffset');
          offset += Buffer.byteLength(part);
        }
      },
      report: async (metrics) => void (await change('reportMetrics', { leaseToken, metrics }, 'accepted')),
      complete: async () => void (await change('completeStep', { leaseToken }, 'step { id }')),
      fail: async (description) => void (await change('failStep', { leaseToken, description, exitCode: 1 }, 'step { id }')),
    };
  };

  return {
    projectId,
    deviceId,
    ask,
    createJob,
    claimStep,
    runJob: async (name, steps) => claimStep(await createJob(name, steps), 0),
  };
}
