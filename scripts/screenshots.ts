/**
 * Takes pictures of the console from a running gateway, with jobs that run on it.
 *
 *     node scripts/screenshots.ts                 the pictures of the docs
 *     node scripts/screenshots.ts --all FOLDER    every page, in light and dark, wide and narrow
 *
 * It needs the development packages and a free port.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright-core';
import { createRequester } from '../src/client/request.ts';
import { openBrowser } from '../test/support/browser.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { all: { type: 'string' } } });
const folder = mkdtempSync(join(tmpdir(), 'trainyard-pictures-'));
const gateway = spawn(process.execPath, ['bin/trainyard.js', 'up', '--data-dir', folder, '--port', '0', '--slots', '4'], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
});

const link = await new Promise<URL>((resolve, reject) => {
  let text = '';
  gateway.stdout.on('data', (bytes) => {
    text += String(bytes);
    const found = /signed in: (\S+\/#key=\S+)\n/.exec(text)?.[1];
    if (found !== undefined) resolve(new URL(found));
  });
  gateway.once('exit', () => reject(new Error(`The gateway ended: ${text}`)));
});
const { request } = createRequester({ url: link.origin, token: link.hash.slice('#key='.length) });

const train = (name: string, rate: number, epochs: number, ending = '') => `
  for i in $(seq 1 ${epochs}); do
    loss=$(awk "BEGIN { print 2.3 * exp(-${rate} * $i) + 0.05 + 0.02 * sin($i) }")
    acc=$(awk "BEGIN { print 1 - 0.9 * exp(-${rate} * $i) }")
    printf 'epoch %d of ${epochs}  ${name}  loss \\033[32m%s\\033[0m  acc \\033[32m%s\\033[0m\\n' $i $loss $acc
    echo "{\\"iteration\\": $i, \\"train/loss\\": $loss, \\"train/acc\\": $acc}" >> "$TRAINYARD_METRICS"
    sleep 0.1
  done
  ${ending}`;

interface Step {
  readonly name: string;
  readonly command: string;
}

async function createJob(
  projectId: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  steps: readonly Step[],
): Promise<string> {
  const { createJob: made } = await request<{ createJob: { job: { id: string } } }, object>(
    'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } } }',
    {
      input: {
        projectId,
        name,
        labels: Object.entries(labels).map(([key, value]) => ({ key, value })),
        settings: { lr: 0.1, batch: 64, model: { depth: 18, dropout: 0.1 } },
        steps: steps.map((step) => ({ name: step.name, container: { command: step.command } })),
      },
    },
  );
  return made.job.id;
}

const statusOf = async (id: string) =>
  (await request<{ job: { status: string } }, object>('query ($id: ID!) { job(id: $id) { status } }', { id })).job.status;

async function waitFor(id: string, status: string): Promise<void> {
  while ((await statusOf(id)) !== status) await pause(200);
}

const prepare = { name: 'prepare', command: 'for i in $(seq 1 200); do echo "shard $i of 200 checked"; done' };
const evaluate = { name: 'evaluate', command: 'echo "accuracy 0.9412"; echo "{\\"accuracy\\": 0.9412}" > fragments/result.json' };

try {
  const { projects } = await request<{ projects: { nodes: readonly { id: string }[] } }, object>(
    '{ projects(first: 1) { nodes { id } } }',
    {},
  );
  const projectId = projects.nodes[0]?.id ?? '';
  const done = await createJob(projectId, 'mnist-resnet-baseline', { team: 'vision', sweep: '7' }, [
    prepare,
    { name: 'train', command: train('baseline', 0.05, 60) },
    evaluate,
  ]);
  const failed = await createJob(projectId, 'cifar-augment', { team: 'vision' }, [
    prepare,
    {
      name: 'train',
      command: train('augment', 0.02, 20, 'echo "RuntimeError: CUDA out of memory. Tried to allocate 1.50 GiB" >&2; exit 1'),
    },
  ]);
  await waitFor(done, 'SUCCEEDED');
  await waitFor(failed, 'FAILED');
  const running = await createJob(projectId, 'mnist-resnet', { team: 'vision' }, [
    prepare,
    { name: 'train', command: train('resnet', 0.03, 900) },
    evaluate,
  ]);
  await createJob(projectId, 'mnist-resnet-lr3e-4', { team: 'vision', sweep: '7' }, [
    { name: 'train', command: train('lr3e-4', 0.01, 900) },
  ]);
  await waitFor(running, 'RUNNING');
  await pause(12_000); // some epochs

  const browser = await openBrowser();
  const take = async (page: Page, path: string, file: string) => {
    await page.goto(link.origin + path);
    await page.waitForFunction(() => document.querySelector('main')?.textContent !== '' && document.querySelector('.skeleton') === null);
    await pause(1_500); // curves are drawn at most four times a second
    await page.screenshot({ path: file });
    console.log(file);
  };
  const open = async (width: number, height: number, colorScheme: 'light' | 'dark') => {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme });
    const page = await context.newPage();
    await page.goto(link.href);
    await page.locator('header.bar').waitFor();
    return page;
  };
  if (values.all === undefined) {
    const page = await open(1_120, 700, 'light');
    mkdirSync(join(root, 'docs/images'), { recursive: true });
    await take(page, `/jobs/${running}`, join(root, 'docs/images/job.png'));
    await take(page, '/jobs', join(root, 'docs/images/jobs.png'));
  } else {
    mkdirSync(values.all, { recursive: true });
    const paths: Readonly<Record<string, string>> = {
      home: '/',
      jobs: '/jobs',
      log: `/jobs/${running}`,
      failed: `/jobs/${failed}`,
      metrics: `/jobs/${running}/metrics`,
      machine: `/jobs/${running}/machine`,
      files: `/jobs/${done}/files`,
      events: `/jobs/${done}/events`,
      settings: `/jobs/${done}/settings`,
      compare: `/compare?jobs=${running},${done},${failed}`,
      devices: '/devices',
      experiments: '/experiments',
      models: '/models',
      applications: '/applications',
      keys: '/settings/keys',
      audit: '/settings/audit',
      limits: '/settings/limits',
    };
    for (const scheme of ['light', 'dark'] as const)
      for (const width of [1_280, 390]) {
        const page = await open(width, 800, scheme);
        for (const [name, path] of Object.entries(paths)) await take(page, path, join(values.all, `${name}-${width}-${scheme}.png`));
        await page.context().close();
      }
  }
  await browser.close();
} finally {
  gateway.kill('SIGTERM');
  await new Promise((resolve) => gateway.once('exit', resolve));
  rmSync(folder, { recursive: true, force: true });
}
