/** Code that travels: a folder, submitted anywhere, runs on an agent elsewhere. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tarEnd, tarHeader, tarPadding } from '../../src/cli/code/tar.ts';
import { logOf, openStation, type Station } from '../agent/station.ts';
import { runCommand } from '../cli/processes.ts';
import { createFolder } from '../support/folders.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
  station.startAgent({ slots: 2, gitProtocols: ['file'] });
});
afterAll(() => station.close());

const git = (folder: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
    cwd: folder,
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();

/** A training program of two modules and a data file, in shell so that it runs on any machine. */
function trainingFolder(): string {
  const folder = createFolder('training');
  mkdirSync(join(folder, 'lib'));
  writeFileSync(join(folder, 'train.sh'), '. lib/model.sh\nfit data.csv\n', { mode: 0o755 });
  writeFileSync(join(folder, 'lib', 'model.sh'), 'fit() { echo "rows: $(wc -l < "$1" | tr -d " ")"; }\n');
  writeFileSync(join(folder, 'data.csv'), '1,2\n3,4\n5,6\n');
  writeFileSync(join(folder, '.gitignore'), 'secret.env\n');
  writeFileSync(join(folder, 'secret.env'), 'KEY=1\n');
  git(folder, 'init', '--quiet', '--initial-branch', 'main');
  git(folder, 'add', '.');
  git(folder, 'commit', '--quiet', '--message', 'first');
  return folder;
}

interface CodeSeen {
  readonly sha256: string | null;
  readonly sizeBytes: number | null;
  readonly archive: { readonly id: string; readonly filename: string } | null;
  readonly git: { readonly commit: string; readonly branch: string | null; readonly isDirty: boolean } | null;
}

async function codeOf(jobId: string): Promise<CodeSeen | null> {
  const query = 'query ($id: ID!) { job(id: $id) { code { sha256 sizeBytes archive { id filename } git { commit branch isDirty } } } }';
  return (await station.ask<{ job: { code: CodeSeen | null } }>(query, { id: jobId })).job.code;
}

/** Submits from a folder that has nothing to do with the code. */
async function submit(...args: string[]) {
  const settings = { TRAINYARD_URL: station.gateway.url, TRAINYARD_TOKEN: station.gateway.adminKey };
  const ended = await runCommand(createFolder('elsewhere'), ['submit', '--project', station.projectId, ...args], settings);
  expect(ended.code, ended.stderr).toBe(0);
  return { jobId: ended.stdout.trim(), stderr: ended.stderr };
}

const bytesReceived = async (): Promise<number> => {
  const text = await (
    await fetch(`${station.gateway.url}/metrics`, { headers: { authorization: `Bearer ${station.gateway.adminKey}` } })
  ).text();
  return Number(/^trainyard_fragment_bytes_total\{direction="in"\} (\d+)/m.exec(text)?.[1] ?? 0);
};

describe('A training folder with two modules and a data file', () => {
  test('runs elsewhere, is not sent again unchanged, and changed shows its new hash and the state of git', async () => {
    const folder = trainingFolder();
    const ran = async (jobId: string) => {
      const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
      return job.steps.map((step) => logOf(step)).join('');
    };
    const before = await bytesReceived();
    const first = await submit('--code', folder, '--', './train.sh');
    expect(first.stderr).toMatch(/^-- code: 4 files, [\d.]+ kB, [0-9a-f]{12}, git [0-9a-f]{12} on main --\n$/);
    expect(await ran(first.jobId)).toBe('rows: 3\n');
    const code = await codeOf(first.jobId);
    const commit = git(folder, 'rev-parse', 'HEAD');
    expect(code).toMatchObject({ archive: { filename: `code/${code?.sha256}.tar` }, git: { commit, branch: 'main', isDirty: false } });
    const sent = (await bytesReceived()) - before;
    expect(sent).toBe(code?.sizeBytes);

    const second = await submit('--code', folder, '--', './train.sh', 'again');
    expect(second.stderr).toContain('; not sent, the project has it --');
    expect(await ran(second.jobId)).toBe('rows: 3\n');
    expect(await codeOf(second.jobId)).toEqual(code);
    expect((await bytesReceived()) - before).toBe(sent);

    writeFileSync(join(folder, 'data.csv'), '1,2\n');
    const third = await submit('--code', folder, '--', './train.sh');
    expect(await ran(third.jobId)).toBe('rows: 1\n');
    const changed = await codeOf(third.jobId);
    expect(changed?.sha256).not.toBe(code?.sha256);
    expect(changed?.git).toEqual({ commit, branch: 'main', isDirty: true });
    const settings = { TRAINYARD_URL: station.gateway.url, TRAINYARD_TOKEN: station.gateway.adminKey };
    const shown = await runCommand(folder, ['job', third.jobId], settings);
    expect(shown.stdout).toContain(`${changed?.sha256?.slice(0, 12)} (`);
    expect(shown.stdout).toContain(`git ${commit.slice(0, 12)} on main, with changes`);
  });
});

/** Stores an archive and creates a job with it. Resolves with the job's id. */
async function createJob(archive: Buffer, commands: readonly string[]): Promise<string> {
  const sha256 = createHash('sha256').update(archive).digest('hex');
  const { createFragment } = await station.ask<{ createFragment: { fragment: { id: string }; uploadUrl: string | null } }>(
    'mutation ($input: CreateFragmentInput!) { createFragment(input: $input) { ... on CreateFragmentPayload { fragment { id } uploadUrl } ... on Error { message } } }',
    {
      input: {
        projectId: station.projectId,
        filename: `code/${sha256}.tar`,
        type: 'DATA',
        ifExists: 'REUSE',
        sha256,
        sizeBytes: archive.length,
      },
    },
  );
  const { fragment, uploadUrl } = createFragment;
  if (uploadUrl !== null)
    expect((await fetch(`${station.gateway.url}${uploadUrl}`, { method: 'PUT', body: new Uint8Array(archive) })).status).toBe(200);
  const steps = commands.map((command, i) => ({ name: `step ${i}`, container: { command } }));
  const { createJob } = await station.ask<{ createJob: { job: { id: string } } }>(
    'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } ... on Error { message } } }',
    { input: { projectId: station.projectId, name: 'code', steps, code: { archive: { fragmentId: fragment.id } } } },
  );
  return createJob.job.id;
}

function archiveOf(path: string, content: string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([tarHeader({ path, sizeBytes: bytes.length, isExecutable: true }), bytes, tarPadding(bytes.length), tarEnd]);
}

describe('The code of a job', () => {
  test('is in the working folder of each step, fresh', async () => {
    const jobId = await createJob(archiveOf('a.txt', 'original'), ['cat a.txt; echo changed > a.txt; ls', 'cat a.txt']);
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    expect(job.steps.map((step) => logOf(step))).toEqual(['originala.txt\nfragments\n', 'original']);
  });

  test('fails its step with the reason if its archive is refused, and nothing of it runs', async () => {
    const outside = join(createFolder('outside'), 'ran');
    const jobId = await createJob(archiveOf('../escaped', 'x'), [`touch ${outside}`]);
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('FAILED'));
    expect(job.steps[0]?.attempts[0]).toMatchObject({
      reason: 'DEVICE_REPORTED',
      description: 'The code of the job could not be unpacked: the archive is refused. The file "../escaped" leads out of the folder.',
    });
    expect(() => readFileSync(outside)).toThrow('ENOENT');
  });
});

async function createSteps(input: object, projectId = station.projectId): Promise<string> {
  const { createJob } = await station.ask<{ createJob: { job?: { id: string }; message?: string } }>(
    'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } ... on Error { message } } }',
    { input: { projectId, name: 'steps', ...input } },
  );
  expect(createJob.message).toBeUndefined();
  return createJob.job?.id ?? '';
}

describe('A step that asks for files of earlier steps', () => {
  test('finds each in its folder of inputs, also if two steps left a file of one name', async () => {
    const left = (text: string) => ({
      name: text,
      container: { command: `mkdir -p fragments/out; printf ${text} > fragments/out/model.bin` },
    });
    const inputs = [0, 1].map((stepNumber) => ({ stepNumber, filename: 'out/model.bin' }));
    const command = 'cd "$TRAINYARD_INPUTS" && cat 0/out/model.bin 1/out/model.bin';
    const jobId = await createSteps({ steps: [left('first'), left('second'), { name: 'read', inputs, container: { command } }] });
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    expect(logOf(job.steps[2])).toBe('firstsecond');
  });

  test('fails with the name of the file if that step has not left it', async () => {
    const inputs = [{ stepNumber: 0, filename: 'model.bin' }];
    const steps = [
      { name: 'train', container: { command: 'true' } },
      { name: 'evaluate', inputs, container: { command: 'echo ran' } },
    ];
    const jobId = await createSteps({ steps });
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('FAILED'));
    const description = 'The input "model.bin" of step 0 is missing: that step has left no such file.';
    expect(job.steps[1]?.attempts[0]).toMatchObject({ reason: 'DEVICE_REPORTED', description });
  });
});

describe('A job whose code is cloned', () => {
  const projectOf = async (gitRepository: string): Promise<string> => {
    const { createProject } = await station.ask<{ createProject: { project: { id: string } } }>(
      'mutation ($input: CreateProjectInput!) { createProject(input: $input) { ... on CreateProjectPayload { project { id } } } }',
      { input: { name: 'cloned', gitRepository } },
    );
    return createProject.project.id;
  };
  const agentOf = (projectId: string, gitProtocols?: readonly string[]) => station.startAgent({ projectId, gitProtocols });

  test('runs one commit in all its steps, and records it', async () => {
    const folder = trainingFolder();
    const commit = git(folder, 'rev-parse', 'HEAD');
    const projectId = await projectOf(`file://${folder}`);
    agentOf(projectId, ['file']);
    // The branch moves on while the job runs.
    const move = `git -C ${folder} -c user.name=t -c user.email=t@example.org commit --quiet --allow-empty --message next`;
    const commands = [`./train.sh; ls -A; ${move}`, './train.sh'];
    const steps = commands.map((command, i) => ({ name: `step ${i}`, container: { command } }));
    const jobId = await createSteps({ steps, code: { git: { ref: 'main' } } }, projectId);
    const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('SUCCEEDED'));
    expect(job.steps.map((step) => logOf(step).split('\n')[0])).toEqual(['rows: 3', 'rows: 3']);
    expect(logOf(job.steps[0]).split('\n')).not.toContain('.git');
    expect(git(folder, 'rev-parse', 'HEAD')).not.toBe(commit);
    expect(await codeOf(jobId)).toEqual({ sha256: null, sizeBytes: null, archive: null, git: { commit, branch: null, isDirty: false } });
  });

  test('fails with what git says, without the password in the address', async () => {
    const jobOf = async (repository: string, ref: string) => {
      const projectId = await projectOf(repository);
      agentOf(projectId);
      return createSteps({ container: { command: 'echo ran' }, code: { git: { ref } } }, projectId);
    };
    const reasonOf = async (jobId: string) => {
      const job = await station.waitForJob(jobId, ({ status }) => expect(status).toBe('FAILED'));
      return job.steps[0]?.attempts[0]?.description;
    };
    expect(await reasonOf(await jobOf(`file://${trainingFolder()}`, 'main'))).toContain("transport 'file' not allowed");
    expect(await reasonOf(await jobOf('--upload-pack=touch /tmp/x', 'main'))).toContain('The code of the job could not be cloned: ');
    const refused = await reasonOf(await jobOf('http://user:hunter2@127.0.0.1:9/x.git', 'main'));
    expect(refused).toContain('The code of the job could not be cloned: ');
    expect(refused).not.toContain('hunter2');
  });
});
