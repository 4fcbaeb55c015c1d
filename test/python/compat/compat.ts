/** The documents of the five systems, run by their compat modules. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CreateProjectDocument } from '../../../src/client/generated.ts';
import { createRequester } from '../../../src/client/request.ts';
import { startCommand } from '../../cli/processes.ts';
import type { TestDatabase } from '../../support/databases.ts';
import { createFolder, removeFolder } from '../../support/folders.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { placeDocker } from '../../systems/docker.ts';
import { done } from '../../systems/system.ts';
import { environment, hasPython, unlessPython } from '../interpreters.ts';
import { runPython } from '../running.ts';

const program = (name: string) => fileURLToPath(new URL(`${name}.py`, import.meta.url));

/** The blocks of each document: those that run, those that are compared, and others. */
const counts = {
  vergeai: [5, 5, 0],
  seeme: [5, 2, 0],
  neuromation: [0, 8, 0],
  mlcycle: [28, 6, 1],
  brevettiai: [8, 7, 0],
} as const;

/** Runs the documents against one gateway, with one agent, on this database. */
export function runDocuments(create: () => Promise<TestDatabase>, dialect: TestDatabase['dialect']): void {
  let database: TestDatabase;
  let gateway: Gateway;
  let agent: ReturnType<typeof startCommand>;
  let folder: string;
  let projectId: string;
  beforeAll(async () => {
    if (!hasPython) return;
    database = await create();
    gateway = await startGateway({ database });
    folder = createFolder('compat');
    const admin = createRequester({ url: gateway.url, token: gateway.adminKey });
    const { createProject } = await admin.request(CreateProjectDocument, { input: { name: 'By agents' } });
    projectId = done(createProject).project.id;
    const flags = ['--name', 'agent', '--project', projectId, '--work-dir', folder, '--grace-seconds', '1'];
    agent = startCommand(folder, ['agent', ...flags], {
      TRAINYARD_URL: gateway.url,
      TRAINYARD_TOKEN: gateway.adminKey,
      // Containers run in it, in name.
      PATH: placeDocker().path,
      // The steps that it runs import the package.
      PYTHONPATH: environment.PYTHONPATH ?? '',
    });
  });
  afterAll(async () => {
    agent?.kill('SIGTERM');
    await agent?.ended;
    await gateway?.stop();
    await database?.remove();
    if (folder) removeFolder(folder);
  });

  describe.skipIf(!hasPython)(`The compat modules (${dialect})${unlessPython}`, () => {
    test.each(Object.entries(counts))('run the document of %s as it stands', async (system, [ran, compared, others]) => {
      const env = {
        TRAINYARD_URL: gateway.url,
        TRAINYARD_TOKEN: gateway.adminKey,
        TRAINYARD_STATE_DIR: `${folder}/state`,
        AGENT_PROJECT: projectId,
      };
      const place = createFolder(system);
      try {
        const result = await runPython(['-W', 'error', '-m', 'trainyard.compat', system, program(system)], { cwd: place, env });
        expect(result.exitCode, result.output).toBe(0);
        const said = `${system}: ${ran} blocks run, ${compared} outputs and declarations compared, ${others} left`;
        expect(result.output.split('\n')).toContain(said);
      } finally {
        removeFolder(place);
      }
    });
  });
}
