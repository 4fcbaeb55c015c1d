/**
 * Devices, applications and keys in the console: what a visitor changes there is so in the
 * gateway.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStation, type Station } from './station.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
});
afterAll(() => station.close());

interface Made {
  readonly createApplication: { readonly application: { readonly id: string } };
}

/** An application with an item of each kind that forms treat differently, and nested settings. */
async function makeApplication(name: string): Promise<string> {
  const input = {
    name,
    itemDefinitions: [
      { name: 'dataset', label: 'Dataset', valueType: 'TEXT', isRequired: true },
      { name: 'epochs', valueType: 'INT', defaultValue: '10' },
      { name: 'augment', valueType: 'BOOL', defaultValue: 'true' },
      { name: 'backbone', valueType: 'MULTI', options: ['small', 'large'], defaultValue: 'small' },
      { name: 'classes', valueType: 'STRING_ARRAY' },
    ],
    settingsSchema: {
      type: 'object',
      required: ['seed'],
      properties: {
        seed: { type: 'integer' },
        optimizer: {
          type: 'object',
          properties: { name: { enum: ['adam', 'sgd'], default: 'adam' }, momentum: { type: 'number', maximum: 1 } },
        },
        schedule: { type: 'array', items: { type: 'number' } },
      },
    },
  };
  const made = await station.worker.ask<Made>(
    'mutation ($input: CreateApplicationInput!) { createApplication(input: $input) { ... on CreateApplicationPayload { application { id } } } }',
    { input },
  );
  return made.createApplication.application.id;
}

describe('The form of an application', () => {
  test('shows each refusal at the field that it names and keeps what was typed, then creates the job', async () => {
    const id = await makeApplication('classifier');
    const { page, faults } = await station.open(`/applications/${id}`);
    const field = (name: string) => page.locator('.field', { has: page.locator(`[name="${name}"]`) });
    const control = (name: string) => page.locator(`[name="${name}"]`);
    await control('name').fill('from-a-form');
    await control('items.epochs').fill('many');
    await control('items.backbone').selectOption('large');
    await control('items.classes').fill('cat\ndog\n');
    await control('settings.optimizer.momentum').fill('1.5');
    await control('settings.schedule').fill('[0.1, 0.01]');
    await control('labels').fill('team=vision');
    await page.getByRole('button', { name: 'Create the job' }).click();

    await field('items.dataset').getByRole('alert').filter({ hasText: 'required' }).waitFor();
    expect(await field('items.epochs').getByRole('alert').textContent()).toMatch(/whole number/);
    expect(await field('settings.optimizer.momentum').getByRole('alert').textContent()).toMatch(/1/);
    expect(await field('settings.seed').getByRole('alert').textContent()).toBe('is needed.');
    expect(await page.getByRole('alert').count()).toBe(4);
    expect(await control('items.epochs').inputValue()).toBe('many');

    await control('items.dataset').fill('s3://digits');
    await control('items.epochs').fill('3');
    await control('settings.optimizer.momentum').fill('0.5');
    await control('settings.seed').fill('7');
    await page.getByRole('button', { name: 'Create the job' }).click();
    await page.getByRole('heading', { name: 'from-a-form' }).waitFor();

    const jobId = /\/jobs\/(job_\w+)/.exec(page.url())?.[1];
    const { job } = await station.worker.ask<{ job: unknown }>(
      'query ($id: ID!) { job(id: $id) { application { id } settings items { name typedValue } labels { key value } } }',
      { id: jobId },
    );
    expect(job).toEqual({
      application: { id },
      settings: { seed: 7, optimizer: { name: 'adam', momentum: 0.5 }, schedule: [0.1, 0.01] },
      items: [
        { name: 'dataset', typedValue: 's3://digits' },
        { name: 'epochs', typedValue: 3 },
        { name: 'augment', typedValue: true },
        { name: 'backbone', typedValue: 'large' },
        { name: 'classes', typedValue: ['cat', 'dog'] },
      ],
      labels: [{ key: 'team', value: 'vision' }],
    });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('cannot be sent by a VIEWER, who is told which role it takes', async () => {
    const id = await makeApplication('read-only');
    const { createApiKey } = await station.worker.ask<{ createApiKey: { secret: string } }>(
      'mutation { createApiKey(input: { name: "viewer", role: VIEWER }) { ... on CreateApiKeyPayload { secret } } }',
    );
    const { page } = await station.open(`/applications/${id}`, { key: createApiKey.secret });
    const button = page.getByRole('button', { name: 'Create the job' });
    await button.waitFor();
    await page.getByText('It takes the role EDITOR.').first().waitFor();
    expect(await button.isDisabled()).toBe(true);
    await page.goto(`${station.gateway.url}/settings/audit`);
    await page.getByText('takes the role ADMIN').waitFor();
    await page.context().close();
  });
});

describe('The page of devices', () => {
  test('adds a device with a key that works, drains it, and deletes it by its name', async () => {
    const { page, faults } = await station.open('/devices');
    await page.getByRole('button', { name: 'Add a device' }).click();
    const dialog = page.getByRole('dialog', { name: 'Add a device' });
    await dialog.locator('[name=name]').fill('box');
    await dialog.getByRole('button', { name: 'Make its key' }).click();
    await dialog.getByRole('alert').filter({ hasText: 'There is a device box already' }).waitFor();
    await dialog.locator('[name=name]').fill('gpu-1');
    await dialog.locator('[name=labels]').fill('zone=lab');
    await dialog.locator('[name=slots]').fill('2');
    await dialog.getByRole('button', { name: 'Make its key' }).click();
    const command = (await dialog.locator('.cmd code').textContent()) ?? '';
    expect(command).toMatch(/^TRAINYARD_TOKEN=tyk_\S+ npx trainyard agent --url http:\S+ --name gpu-1 --slots 2 --label zone=lab$/);
    const key = /tyk_[\w-]+/.exec(command)?.[0];
    const response = await fetch(`${station.gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ query: '{ viewer { kind device { name slots labels { key value } } } }' }),
    });
    expect(await response.json()).toEqual({
      data: { viewer: { kind: 'DEVICE', device: { name: 'gpu-1', slots: 2, labels: [{ key: 'zone', value: 'lab' }] } } },
    });
    await page.keyboard.press('Escape');

    const row = page.locator('tbody tr', { has: page.getByText('gpu-1', { exact: true }) });
    await row.getByRole('button', { name: 'Drain' }).click();
    await row.getByRole('button', { name: 'Resume' }).waitFor();
    const { devices } = await station.worker.ask<{ devices: { nodes: { name: string; status: string }[] } }>(
      '{ devices { nodes { name status } } }',
    );
    expect(devices.nodes).toContainEqual({ name: 'gpu-1', status: 'DRAINING' });
    await row.getByRole('button', { name: 'Delete' }).click();
    await row.getByText('Delete gpu-1?').waitFor();
    await row.getByRole('button', { name: 'Delete it' }).click();
    await row.waitFor({ state: 'detached' });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('shows a device that another registers, and that it was drained, without a reload', async () => {
    const { worker } = station;
    const { page } = await station.open('/devices');
    await page.locator('tbody tr').first().waitFor();
    const { registerDevice } = await worker.ask<{ registerDevice: { device: { id: string } } }>(
      'mutation { registerDevice(input: { name: "late-comer" }) { ... on RegisterDevicePayload { device { id } } } }',
    );
    const row = page.locator('tbody tr', { has: page.getByText('late-comer', { exact: true }) });
    await row.getByRole('button', { name: 'Drain' }).waitFor();
    const input = { deviceId: registerDevice.device.id, isDraining: true };
    await worker.ask('mutation ($input: UpdateDeviceInput!) { updateDevice(input: $input) { __typename } }', { input });
    await row.getByRole('button', { name: 'Resume' }).waitFor();
    await page.context().close();
  });

  test('shows what a device runs as soon as it claims it, and why it cannot claim what waits', async () => {
    const { worker } = station;
    const { page } = await station.open(`/devices/${worker.deviceId}`);
    await page.getByText('It has run nothing yet.').waitFor();
    await worker.runJob('claimed-now');
    await page.getByRole('list', { name: 'Attempts over time, newest first' }).getByText('claimed-now').waitFor();
    const input = { projectId: worker.projectId, name: 'needs-a-gpu', steps: [{ name: 'train', resources: { gpu: 8 } }] };
    await worker.ask('mutation ($input: CreateJobInput!) { createJob(input: $input) { __typename } }', { input });
    await page.locator('tr', { hasText: 'needs-a-gpu' }).getByText('It needs 8 GPUs').waitFor();
    await page.context().close();
  });
});

describe('The page of settings', () => {
  test('creates a key that works and shows it once, revokes it by its name, and both are in the audit trail', async () => {
    const { page, faults } = await station.open('/settings');
    await page.getByRole('button', { name: 'New key' }).click();
    const dialog = page.getByRole('dialog', { name: 'New key' });
    await dialog.getByRole('button', { name: 'Create the key' }).click();
    await dialog
      .locator('.field', { has: page.locator('[name=name]') })
      .getByRole('alert')
      .waitFor();
    await dialog.locator('[name=name]').fill('notebook');
    await dialog.locator('[name=role]').selectOption('EDITOR');
    await dialog.getByRole('button', { name: 'Create the key' }).click();
    const secret = await dialog.locator('.cmd code').textContent();
    const ask = () =>
      fetch(`${station.gateway.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
        body: JSON.stringify({ query: '{ viewer { name role } }' }),
      });
    expect(await (await ask()).json()).toEqual({ data: { viewer: { name: 'user:notebook', role: 'EDITOR' } } });
    await page.keyboard.press('Escape');
    expect(await page.content()).not.toContain(`${secret}`);

    const row = page.locator('tbody tr', { has: page.getByText('notebook', { exact: true }) });
    await row.getByRole('button', { name: 'Revoke' }).click();
    await row.getByText('Revoke notebook?').waitFor();
    await row.getByRole('button', { name: 'Revoke it' }).click();
    await row.waitFor({ state: 'detached' });
    expect((await ask()).status).toBe(401);

    await page.getByRole('link', { name: 'Audit trail' }).click();
    await page.getByLabel('Action').selectOption('KEY_REVOKED');
    await page.waitForURL(/action=KEY_REVOKED/);
    await page.locator('tbody tr', { hasText: 'notebook' }).waitFor();
    expect(await page.locator('tbody th').allTextContents()).toEqual(['Key revoked']);
    await page.goBack();
    await page.locator('tbody tr', { hasText: 'notebook' }).filter({ hasText: 'Key created' }).waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });
});
