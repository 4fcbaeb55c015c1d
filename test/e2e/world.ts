/** Two projects with at least one object of each type, and a key of every kind in one of them. */
import { type Asked, ask } from './asking.ts';

export interface World {
  readonly project: string;
  /** Runs on `device`. The keys `job`, `lease` and `watch` are for it. */
  readonly own: string;
  readonly step: string;
  readonly leaseToken: string;
  /** Another job of the project, queued. */
  readonly sibling: string;
  readonly device: string;
  readonly experiment: string;
  /** Of a deleted job. */
  readonly model: string;
  /** Belongs to no project. */
  readonly application: string;
  readonly file: string;
  readonly siblingFile: string;
  readonly projectFile: string;
  /** Created, and not uploaded. */
  readonly pendingFile: string;
  readonly pendingProjectFile: string;
  readonly foreign: Foreign;
  readonly adminKeyId: string;
  readonly keys: Record<'viewer' | 'editor' | 'stranger' | 'device' | 'job' | 'lease' | 'watch', string>;
  makeKey(input: string): Promise<{ secret: string; apiKeyId: string }>;
}

interface Foreign {
  readonly project: string;
  readonly job: string;
  readonly step: string;
  readonly leaseToken: string;
  /** Until a test asks for it. At first it is cancelled. */
  readonly queued: string;
  readonly device: string;
  readonly idleDevice: string;
  readonly experiment: string;
  readonly model: string;
  readonly file: string;
}

interface Target {
  readonly url: string;
  readonly adminKey: string;
}

/** The payload of a mutation. Its fields are given where it is sent. */
type Payload = Record<string, { readonly id: string }> & {
  readonly token: string;
  readonly secret: string;
  readonly uploadUrl: string | null;
};

export async function buildWorld(gateway: Target): Promise<World> {
  const make = async (name: string, input: string, fields: string): Promise<Payload> => {
    const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Payload`;
    const answer: Asked = await ask(gateway, gateway.adminKey, `mutation { ${name}(input: {${input}}) { ... on ${type} { ${fields} } } }`);
    const payload = answer.data?.[name];
    if (!payload || Object.keys(payload).length === 0) throw new Error(`${name}: ${JSON.stringify(answer)}`);
    return payload as Payload; // see Payload
  };
  const idOf = (payload: Payload, name: string) => payload[name]?.id ?? '';
  const makeProject = async (name: string) => idOf(await make('createProject', `name: "${name}"`, 'project { id }'), 'project');
  const makeDevice = async (project: string, name: string) => {
    const made = await make('registerDevice', `projectId: "${project}", name: "${name}"`, 'device { id } apiKey');
    return { id: idOf(made, 'device'), key: String(made.apiKey) };
  };
  const makeJob = async (project: string, name: string, resources = '') => {
    const made = await make('createJob', `projectId: "${project}", name: "${name}", steps: [{name: "s" ${resources}}]`, 'job { id } token');
    return { id: idOf(made, 'job'), token: made.token };
  };
  const claim = async (jobId: string) => {
    const made = await make('claimStep', `jobId: "${jobId}", stepNumber: 0`, 'step { id } lease { token }');
    return { step: idOf(made, 'step'), token: (made.lease as unknown as { token: string }).token }; // as asked for
  };
  const makeFile = async (scope: string, text: string | null, type = 'DATA') =>
    idOf(
      await make(
        'createFragment',
        `${scope}, filename: "f${text === null ? '.part' : ''}", type: ${type} ${text === null ? '' : `, text: "${text}"`}`,
        'fragment { id }',
      ),
      'fragment',
    );
  const makeKey = async (input: string) => {
    const made = await make('createApiKey', `name: "k", ${input}`, 'apiKey { id } secret');
    return { secret: made.secret, apiKeyId: idOf(made, 'apiKey') };
  };
  const makeExperiment = async (project: string) =>
    idOf(await make('createExperiment', `projectId: "${project}", name: "e"`, 'experiment { id }'), 'experiment');

  const makeModel = async (project: string) => {
    const { id } = await makeJob(project, 'trains');
    const { token } = await claim(id);
    await make('createFragment', `jobId: "${id}", leaseToken: "${token}", filename: "m", type: MODEL, text: "m"`, 'fragment { id }');
    const done = await make('completeStep', `leaseToken: "${token}"`, 'job { model { id } }');
    await make('deleteJob', `jobId: "${id}"`, 'deletedJobId');
    return (done.job as unknown as { model: { id: string } }).model.id; // as asked for
  };

  const project = await makeProject('home');
  const device = await makeDevice(project, 'd');
  const own = await makeJob(project, 'own');
  const sibling = await makeJob(project, 'sibling', 'resources: {cpu: 1}');
  const deviceClaim = await ask(
    gateway,
    device.key,
    `mutation { claimStep(input: {jobId: "${own.id}", stepNumber: 0}) { ... on ClaimStepPayload { step { id } lease { token } } ... on Error { message } } }`,
  );
  const held = deviceClaim.data?.claimStep as { step: { id: string }; lease: { token: string } }; // as asked for
  const foreignProject = await makeProject('abroad');
  const foreignJob = await makeJob(foreignProject, 'foreign');
  const foreignClaim = await claim(foreignJob.id);
  const application = await make('createApplication', `name: "Digits of ${project}"`, 'application { id }');
  const admin = await makeKey('role: ADMIN');
  return {
    project,
    own: own.id,
    step: held.step.id,
    leaseToken: held.lease.token,
    sibling: sibling.id,
    device: device.id,
    experiment: await makeExperiment(project),
    model: await makeModel(project),
    application: idOf(application, 'application'),
    file: await makeFile(`jobId: "${own.id}"`, 'x', 'MODEL'),
    siblingFile: await makeFile(`jobId: "${sibling.id}"`, 'x'),
    projectFile: await makeFile(`projectId: "${project}"`, 'x'),
    pendingFile: await makeFile(`jobId: "${own.id}"`, null),
    pendingProjectFile: await makeFile(`projectId: "${project}"`, null),
    foreign: {
      project: foreignProject,
      job: foreignJob.id,
      step: foreignClaim.step,
      leaseToken: foreignClaim.token,
      queued: (await makeJob(foreignProject, 'queued')).id,
      device: (await makeDevice(foreignProject, 'd')).id,
      idleDevice: (await makeDevice(foreignProject, 'idle')).id,
      experiment: await makeExperiment(foreignProject),
      model: await makeModel(foreignProject),
      file: await makeFile(`jobId: "${foreignJob.id}"`, 'x', 'MODEL'),
    },
    adminKeyId: admin.apiKeyId,
    keys: {
      viewer: (await makeKey(`role: VIEWER, projectId: "${project}"`)).secret,
      editor: (await makeKey(`role: EDITOR, projectId: "${project}"`)).secret,
      stranger: (await makeKey(`role: EDITOR, projectId: "${foreignProject}"`)).secret,
      device: device.key,
      job: own.token,
      lease: held.lease.token,
      watch: (await makeKey(`kind: WATCH, jobId: "${own.id}"`)).secret,
    },
    makeKey,
  };
}
