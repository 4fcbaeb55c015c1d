import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { buildArguments, type RunOptions, runCommand } from '../../src/agent/docker.ts';
import type { ContainerFieldsFragment } from '../../src/client/generated.ts';
import { claimedStep, lease } from './claims.ts';

const options: RunOptions = { image: 'python:3.12', env: {}, work: '/w/work', usesHostNetwork: false, machineMemoryMb: 8_000 };

/** The command line, without what every one of them begins with. */
function argumentsOf(container: Partial<ContainerFieldsFragment>, more: Partial<RunOptions> = {}) {
  const { args } = runCommand(claimedStep(container), lease, { ...options, ...more });
  return args.slice(common.length);
}

const common = [
  'run',
  '--init',
  ...['--name', 'trainyard-step_1-3'],
  ...['--label', 'trainyard.job=job_1', '--label', 'trainyard.step=2', '--label', 'trainyard.attempt=3'],
  ...['--mount', 'type=bind,source=/w/work,target=/trainyard'],
];

const resources = { memoryMb: null, cpu: null, gpu: null, gpuModel: null, shm: false };

describe('docker run', () => {
  test('names and labels the container, mounts the work folder, and runs what the image runs', () => {
    expect(runCommand(claimedStep(), lease, options)).toEqual({ args: [...common, 'python:3.12'], environment: {} });
  });

  test('splits command and entrypoint into words', () => {
    expect(argumentsOf({ entrypoint: 'python3 -u', command: `train.py --name "a b"` })).toEqual([
      ...['--entrypoint', 'python3', 'python:3.12'],
      ...['-u', 'train.py', '--name', 'a b'],
    ]);
    expect(argumentsOf({ command: `sh -c 'echo $HOME'` })).toEqual(['python:3.12', 'sh', '-c', 'echo $HOME']);
  });

  test('keeps the values of variables off the command line, except of those that docker itself reads', () => {
    const env = { SEED: '7', TRAINYARD_TOKEN: 'lease_secret', PATH: '/opt/bin', HTTP_PROXY: 'http://proxy:1' };
    const command = runCommand(claimedStep(), lease, { ...options, env });
    expect(command.args.slice(common.length)).toEqual([
      ...['--env', 'SEED', '--env', 'TRAINYARD_TOKEN', '--env', 'PATH=/opt/bin', '--env', 'HTTP_PROXY=http://proxy:1'],
      'python:3.12',
    ]);
    expect(command.environment).toEqual({ SEED: '7', TRAINYARD_TOKEN: 'lease_secret' });
  });

  test('mounts folders of the host and volumes of the engine', () => {
    const volumes = [
      { storage: '/data/a,b', containerPath: '/data', isReadOnly: true },
      { storage: 'cache', containerPath: '/cache', isReadOnly: false },
    ];
    expect(argumentsOf({ volumes })).toEqual([
      ...['--mount', 'type=bind,"source=/data/a,b",target=/data,readonly'],
      ...['--mount', 'type=volume,source=cache,target=/cache'],
      'python:3.12',
    ]);
  });

  test('publishes a port that needs authentication on the loopback only', () => {
    expect(argumentsOf({ http: { port: 8080, requiresAuth: true } })).toEqual(['--publish', '127.0.0.1::8080', 'python:3.12']);
    expect(argumentsOf({ http: { port: 8080, requiresAuth: false } })).toEqual(['--publish', '0.0.0.0::8080', 'python:3.12']);
    expect(argumentsOf({ http: { port: 8080, requiresAuth: true } }, { usesHostNetwork: true })).toEqual([
      '--network',
      'host',
      'python:3.12',
    ]);
  });

  test('limits what the container may take', () => {
    expect(argumentsOf({ resources: { memoryMb: 2048, cpu: 1.5, gpu: 2, gpuModel: 'A100', shm: true } })).toEqual([
      ...['--cpus', '1.5', '--memory', '2048m', '--gpus', '2', '--shm-size', '2048m'],
      'python:3.12',
    ]);
    expect(argumentsOf({ resources: { ...resources, gpu: 0, shm: true } })).toEqual(['--shm-size', '4000m', 'python:3.12']);
  });

  test('takes what the step asks of its device where the container says nothing', () => {
    const step = { ...claimedStep({ resources: { ...resources, cpu: 1 } }), resources: { ...resources, cpu: 8, memoryMb: 512 } };
    const { args } = runCommand(step, lease, options);
    expect(args.slice(common.length)).toEqual(['--cpus', '1', '--memory', '512m', 'python:3.12']);
  });
});

describe('docker build', () => {
  test('looks for the Dockerfile below a folder, and hands on the properties', () => {
    const build = { context: './app/', dockerfile: 'docker/Train', properties: { VERSION: '3', LAYERS: 2, TAGS: ['a'] } };
    expect(buildArguments(build, 'tag:latest')).toEqual([
      ...['build', '--tag', 'tag:latest', '--file', './app/docker/Train'],
      ...['--build-arg', 'VERSION=3', '--build-arg', 'LAYERS=2', '--build-arg', 'TAGS=["a"]', './app/'],
    ]);
  });

  test('leaves a repository to the engine', () => {
    const build = { context: 'https://github.com/a/b.git#main', dockerfile: 'Dockerfile', properties: {} };
    expect(buildArguments(build, 't')).toEqual(['build', '--tag', 't', '--file', 'Dockerfile', 'https://github.com/a/b.git#main']);
  });
});

const hasDockerProgram = spawnSync('docker', ['--version']).status === 0;

test.skipIf(!hasDockerProgram)('the docker program knows every flag that it is given', () => {
  const step = claimedStep({
    entrypoint: 'python3 -u',
    command: 'train.py',
    volumes: [{ storage: '/data/a,b', containerPath: '/data', isReadOnly: true }],
    http: { port: 8080, requiresAuth: true },
    resources: { memoryMb: 2048, cpu: 1.5, gpu: 2, gpuModel: null, shm: true },
  });
  const { args } = runCommand(step, lease, { ...options, env: { SEED: '7' } });
  // An engine that cannot be there: flags are read before it is asked for.
  const { stderr } = spawnSync('docker', ['--host', 'tcp://127.0.0.1:1', ...args], { encoding: 'utf8' });
  expect(stderr).toMatch(/connect/i);
  expect(stderr).not.toMatch(/unknown|invalid|flag/i);
});
