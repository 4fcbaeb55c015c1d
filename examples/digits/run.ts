/**
 * Runs the digits example on a gateway and follows it to its end.
 *
 *   npm run example                       with the settings of job.yaml
 *   npm run example -- --epochs 5 --seed 3    with others
 *
 * Ends with 0 if the job SUCCEEDED, 1 if it did not or could not run, 130 if it was interrupted.
 */
import { join } from 'node:path';
import { readSettingFlags } from '../../src/cli/input/declared.ts';
import { type JobFile, readJobFile } from '../../src/cli/input/jobfile.ts';
import { type SettingFlag, takeSettingFlags } from '../../src/cli/input/overrides.ts';
import { chart } from '../../src/cli/output/chart.ts';
import { Refused, unwrap } from '../../src/client/errors.ts';
import {
  CancelJobDocument,
  CreateJobDocument,
  type CreateJobInput,
  CreateProjectDocument,
  JobDocument,
  JobFragmentsDocument,
  ProjectsDocument,
  ViewerDocument,
} from '../../src/client/generated.ts';
import { createRequester, type Requester } from '../../src/client/request.ts';
import { type Curves, followJob } from './follow.ts';
import { openGateway } from './gateway.ts';

const home = import.meta.dirname;
type Step = NonNullable<JobFile['input']['steps']>[number];

const print = (line: string) => process.stdout.write(`${line}\n`);

async function runExample(flags: readonly SettingFlag[], signal: AbortSignal): Promise<number> {
  const gateway = await openGateway(signal);
  try {
    print(`gateway ${gateway.target.url}${gateway.isTemporary ? ' (started for this, on a temporary store)' : ''}`);
    const client = createRequester(gateway.target);
    const jobId = await submit(client, flags, signal);
    print(`job ${jobId}`);
    const curves = await followJob(client, jobId, print, signal);
    if (!signal.aborted) return await conclude(client, jobId, curves);
    if (!gateway.isTemporary) {
      print(`The job goes on. To cancel it: trainyard cancel ${jobId}`);
    } else {
      // Its agent ends with the gateway. A cancelled step ends cleanly before that.
      await client.request(CancelJobDocument, { input: { jobId, reason: 'The example was interrupted.' } }).catch(() => {});
    }
    return 130;
  } finally {
    await gateway.stop();
  }
}

async function submit(client: Requester, flags: readonly SettingFlag[], signal: AbortSignal): Promise<string> {
  const { input } = await readJobFile(join(home, 'job.yaml'));
  const settingsOverrides = readSettingFlags(flags, { schema: null, settings: input.settings ?? {} }, {}).map(({ path, value }) => ({
    path,
    value,
  }));
  const job: CreateJobInput = {
    ...input,
    steps: input.steps?.map(atHome),
    projectId: await findProject(client, signal),
    settingsOverrides,
  };
  const { createJob } = await client.request(CreateJobDocument, { input: job }, { signal });
  return unwrap(createJob).job.id;
}

/** The step, with DIGITS_HOME set to this folder. */
function atHome(step: Step): Step {
  const env = step.container?.env?.map((variable) => (variable.name === 'DIGITS_HOME' ? { ...variable, value: home } : variable));
  return { ...step, container: { ...step.container, env } };
}

/** The project of the key, or else the project named `examples`, which is created if necessary. */
async function findProject(client: Requester, signal: AbortSignal): Promise<string> {
  const { viewer } = await client.request(ViewerDocument, {}, { signal });
  if (viewer.project !== null) return viewer.project.id;
  const { projects } = await client.request(ProjectsDocument, { first: 100 }, { signal });
  const found = projects.edges.find(({ node }) => node.name === 'examples');
  if (found !== undefined) return found.node.id;
  const { createProject } = await client.request(CreateProjectDocument, { input: { name: 'examples' } }, { signal });
  return unwrap(createProject).project.id;
}

async function conclude(client: Requester, jobId: string, curves: Curves): Promise<number> {
  const series = (name: string, mark: string) => ({ name, mark, values: curves.get(name) ?? new Map<number, number>() });
  for (const line of ['', ...chart([series('accuracy', '●'), series('held_out_accuracy', '○')]), '']) print(line);

  const fragments = await client.request(JobFragmentsDocument, { jobId, first: 100 });
  for (const { node } of fragments.job?.fragments.edges.toReversed() ?? []) {
    print(
      `${node.filename.padEnd(20)} ${node.type.padEnd(10)} ${String(node.sizeBytes).padStart(9)} bytes  ${node.sha256}  by ${node.step?.name}`,
    );
  }
  const { job } = await client.request(JobDocument, { id: jobId });
  if (job === null) throw new Error('The job was deleted while it was followed.');
  print(`\njob ${job.status}  ${job.history.description}`.trimEnd());
  return job.status === 'SUCCEEDED' ? 0 : 1;
}

function describeError(error: unknown): string {
  if (error instanceof Refused)
    return [error.message, ...error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)].join('\n');
  return error instanceof Error ? error.message : String(error);
}

const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interruption.abort());
try {
  const { argv, settings } = takeSettingFlags({}, process.argv.slice(2));
  if (argv.length > 0) throw new Error(`${argv[0]} is no setting; give them like this: --epochs 5 --seed 3`);
  process.exitCode = await runExample(settings, interruption.signal);
} catch (error) {
  if (!interruption.signal.aborted) console.error(describeError(error));
  process.exitCode = interruption.signal.aborted ? 130 : 1;
}
