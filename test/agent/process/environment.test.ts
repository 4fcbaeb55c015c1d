import { expect, test } from 'vitest';
import { describeStep, findPythonPackage, formatSettings, passEnvironment } from '../../../src/agent/process/environment.ts';
import { claimedStep, lease } from '../claims.ts';

test('a step gets what programs need from the agent’s environment, and none of its secrets', () => {
  const own = {
    PATH: '/bin',
    LC_ALL: 'C',
    CUDA_VISIBLE_DEVICES: '0',
    TRAINYARD_TOKEN: 'tyk_secret',
    AWS_SECRET_ACCESS_KEY: 'x',
    NODE_OPTIONS: '--inspect',
  };
  expect(passEnvironment(own)).toEqual({ PATH: '/bin', LC_ALL: 'C', CUDA_VISIBLE_DEVICES: '0' });
});

test('a step learns where its gateway and files are, which its own variables cannot change', () => {
  const step = claimedStep({
    env: [
      { name: 'SEED', value: '7' },
      { name: 'TRAINYARD_TOKEN', value: 'mine' },
    ],
  });
  const paths = { metrics: '/w/m', fragments: '/w/f', settings: '/w/s', inputs: '/w/i' };
  expect(describeStep(step, lease, 'http://127.0.0.1:4000', paths)).toEqual({
    SEED: '7',
    TRAINYARD_URL: 'http://127.0.0.1:4000',
    TRAINYARD_TOKEN: 'lease_secret',
    TRAINYARD_PROJECT_ID: 'proj_1',
    TRAINYARD_JOB_ID: 'job_1',
    TRAINYARD_STEP_NUMBER: '2',
    TRAINYARD_ATTEMPT: '3',
    TRAINYARD_METRICS: '/w/m',
    TRAINYARD_FRAGMENTS: '/w/f',
    TRAINYARD_SETTINGS: '/w/s',
    TRAINYARD_INPUTS: '/w/i',
  });
});

test('a step finds the Python package of this version behind the folders that it names itself', () => {
  const wheel = expect.stringMatching(/^\/.*\/dist\/python\/trainyard-[0-9.]+-py3-none-any\.whl$/);
  expect(findPythonPackage({ SEED: '7' })).toEqual({ SEED: '7', PYTHONPATH: wheel });
  expect(findPythonPackage({ PYTHONPATH: '/mine:/other' }).PYTHONPATH).toMatch(/^\/mine:\/other:\/.*\.whl$/);
});

test('the settings file has the settings, and the items with their types', () => {
  expect(JSON.parse(formatSettings(claimedStep().job))).toEqual({ settings: { lr: 0.1 }, items: { epochs: 3 } });
});
