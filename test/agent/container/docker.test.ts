import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildArguments, formatEnvironment, type RunOptions, runArguments } from '../../../src/agent/container/docker.ts';
import { engineEnvironment } from '../../../src/agent/machine/engine.ts';
import type { ContainerFieldsFragment } from '../../../src/client/generated.ts';
import { createFolder } from '../../support/folders.ts';
import { claimedStep, lease } from '../claims.ts';

const options: RunOptions = {
  image: 'python:3.12',
  envFile: '/w/environment',
  work: '/w/work',
  network: 'OWN',
  gpus: [],
  machineMemoryMb: 8_000,
};

/** The command line without its constant beginning. */
function argumentsOf(container: Partial<ContainerFieldsFragment>, more: Partial<RunOptions> = {}) {
  return runArguments(claimedStep(container), lease, { ...options, ...more }).slice(common.length);
}

const common = [
  'run',
  '--init',
  '--name=trainyard-step_1-3',
  ...['--label=trainyard.job=job_1', '--label=trainyard.step=2', '--label=trainyard.attempt=3'],
  '--mount=type=bind,source=/w/work,target=/trainyard',
  '--env-file=/w/environment',
];

const resources = { memoryMb: null, cpu: null, gpu: null, gpuModel: null, shm: false };

describe('docker run', () => {
  test('names and labels the container, mounts the work folder, and runs the image’s command', () => {
    expect(runArguments(claimedStep(), lease, options)).toEqual([...common, '--', 'python:3.12']);
  });

  test('splits command and entrypoint into words', () => {
    expect(argumentsOf({ entrypoint: 'python3 -u', command: `train.py --name "a b"` })).toEqual([
      ...['--entrypoint=python3', '--', 'python:3.12'],
      ...['-u', 'train.py', '--name', 'a b'],
    ]);
    expect(argumentsOf({ command: `sh -c 'echo $HOME'` })).toEqual(['--', 'python:3.12', 'sh', '-c', 'echo $HOME']);
  });

  test('mounts folders of the host and volumes of the engine', () => {
    const volumes = [
      { storage: '/data/a,b', containerPath: '/data', isReadOnly: true },
      { storage: 'cache', containerPath: '/cache', isReadOnly: false },
    ];
    expect(argumentsOf({ volumes })).toEqual([
      '--mount=type=bind,"source=/data/a,b",target=/data,readonly',
      '--mount=type=volume,source=cache,target=/cache',
      ...['--', 'python:3.12'],
    ]);
  });

  test('publishes a port that needs authentication on the loopback only', () => {
    expect(argumentsOf({ http: { port: 8080, requiresAuth: true } })).toEqual(['--publish=127.0.0.1::8080', '--', 'python:3.12']);
    expect(argumentsOf({ http: { port: 8080, requiresAuth: false } })).toEqual(['--publish=0.0.0.0::8080', '--', 'python:3.12']);
    expect(argumentsOf({ http: { port: 8080, requiresAuth: false } }, { network: 'HOST' })).toEqual([
      ...['--network=host', '--', 'python:3.12'],
    ]);
  });

  test('limits the container’s resources', () => {
    expect(argumentsOf({ resources: { memoryMb: 2048, cpu: 1.5, gpu: 2, gpuModel: 'A100', shm: true } })).toEqual([
      ...['--cpus=1.5', '--memory=2048m', '--shm-size=2048m', '--', 'python:3.12'],
    ]);
    expect(argumentsOf({ resources: { ...resources, shm: true } })).toEqual(['--shm-size=4000m', '--', 'python:3.12']);
  });

  test('gives the container its GPUs, by UUID', () => {
    expect(argumentsOf({}, { gpus: ['GPU-a', 'GPU-b'] })).toEqual(['--gpus="device=GPU-a,GPU-b"', '--', 'python:3.12']);
  });

  test('uses the step’s resources where the container sets none', () => {
    const step = { ...claimedStep({ resources: { ...resources, cpu: 1 } }), resources: { ...resources, cpu: 8, memoryMb: 512 } };
    expect(runArguments(step, lease, options).slice(common.length)).toEqual(['--cpus=1', '--memory=512m', '--', 'python:3.12']);
  });

  test('never takes a job’s text for a flag (P16)', () => {
    const hostile = {
      ...{ entrypoint: '--privileged', command: '--volume=/:/host' },
      volumes: [{ storage: '--privileged', containerPath: '/--privileged', isReadOnly: false }],
    };
    const args = argumentsOf(hostile, { image: '--privileged' });
    const flags = args.slice(0, args.indexOf('--'));
    expect(flags).toEqual(['--mount=type=volume,source=--privileged,target=/--privileged', '--entrypoint=--privileged']);
  });
});

describe('the variables of a container', () => {
  test('take one line each, with unchanged values', () => {
    expect(formatEnvironment({ SEED: '7', EMPTY: '', QUOTED: `"a" 'b' #c =d \\n`, SPACES: '  x  ' })).toBe(
      `SEED=7\nEMPTY=\nQUOTED="a" 'b' #c =d \\n\nSPACES=  x  \n`,
    );
  });

  test.each([
    ['a line break', 'a\nLD_PRELOAD=/x.so'],
    ['a carriage return', 'a\r'],
    ['bytes', 'ü'.repeat(32_768)],
  ])('are refused where a value has more than a line can carry: %s (P16)', (what, value) => {
    expect(() => formatEnvironment({ KEY: value })).toThrow(new RegExp(`The variable KEY cannot be passed to a container.*${what}`));
  });
});

describe('the environment of the docker program', () => {
  test('says where its engine and logins are, and holds nothing else of the agent (P16)', () => {
    const env = {
      ...{ PATH: '/bin', HOME: '/root', DOCKER_HOST: 'unix:///s', DOCKER_CONFIG: '/c', CONTAINERS_CONF: '/d', HTTPS_PROXY: 'http://p' },
      ...{ TRAINYARD_TOKEN: 'secret', LD_PRELOAD: '/x.so', GIT_SSH_COMMAND: 'x', BASH_ENV: '/x', NODE_OPTIONS: '--require=/x' },
      ...{ DOCKER_AUTH_CONFIG: 'secret', AWS_SECRET_ACCESS_KEY: 'secret', GODEBUG: 'x', LD_LIBRARY_PATH: '/x', PYTHONPATH: '/x' },
    };
    expect(Object.keys(engineEnvironment(env)).sort()).toEqual([
      ...['CONTAINERS_CONF', 'DOCKER_CONFIG', 'DOCKER_HOST', 'HOME', 'HTTPS_PROXY', 'PATH'],
    ]);
  });
});

describe('docker build', () => {
  test('finds the Dockerfile below the context folder, and passes the properties', () => {
    const build = { context: './app/', dockerfile: 'docker/Train', properties: { VERSION: '3', LAYERS: 2, TAGS: ['a'] } };
    expect(buildArguments(build, 'tag:latest')).toEqual([
      ...['build', '--tag=tag:latest', '--file=./app/docker/Train'],
      ...['--build-arg=VERSION=3', '--build-arg=LAYERS=2', '--build-arg=TAGS=["a"]', '--', './app/'],
    ]);
  });

  test('leaves fetching a repository to the engine', () => {
    const build = { context: 'https://github.com/a/b.git#main', dockerfile: 'Dockerfile', properties: {} };
    expect(buildArguments(build, 't')).toEqual([...['build', '--tag=t', '--file=Dockerfile', '--', 'https://github.com/a/b.git#main']]);
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
  const envFile = join(createFolder('environment'), 'environment');
  writeFileSync(envFile, formatEnvironment({ SEED: '7' }));
  const args = runArguments(step, lease, { ...options, envFile, gpus: ['GPU-a', 'GPU-b'] });
  // No engine can be there. The program parses flags before it connects.
  const { stderr } = spawnSync('docker', ['--host', 'tcp://127.0.0.1:1', ...args], { encoding: 'utf8' });
  expect(stderr).toMatch(/connect/i);
  expect(stderr).not.toMatch(/unknown|invalid|flag/i);
});
