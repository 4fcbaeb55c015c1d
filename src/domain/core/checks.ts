/**
 * Checks of input. Collects every problem with its path in the input, and throws them as one
 * InvalidInput.
 */

import type { Optional } from '../../store/optional.ts';
import type { Domain } from './domain.ts';
import type { DomainLimits } from './limits.ts';
import { type InputIssue, InvalidInput } from './refusals.ts';
import type { Container, Label, Resources, StepSource, StepTemplate } from './vocabulary.ts';

type Path = readonly (string | number)[];
export interface ResourcesInput {
  memoryMb?: Optional<number>;
  cpu?: Optional<number>;
  gpu?: Optional<number>;
  gpuModel?: Optional<string>;
  shm?: Optional<boolean>;
}
export interface ContainerInput {
  image?: Optional<string>;
  entrypoint?: Optional<string>;
  command?: Optional<string>;
  build?: Optional<{ context: string; dockerfile?: Optional<string>; properties?: Optional<Record<string, unknown>> }>;
  env?: Optional<readonly { name: string; value: string; isSecret?: Optional<boolean> }[]>;
  volumes?: Optional<readonly { storage: string; containerPath: string; isReadOnly?: Optional<boolean> }[]>;
  http?: Optional<{ port: number; requiresAuth?: Optional<boolean> }>;
  resources?: Optional<ResourcesInput>;
  properties?: Optional<Record<string, unknown>>;
}
export interface StepInput {
  name: string;
  container?: Optional<ContainerInput>;
  resources?: Optional<ResourcesInput>;
  pinnedDeviceId?: Optional<string>;
  requiredLabels?: Optional<readonly Label[]>;
  maxAttempts?: Optional<number>;
  inputs?: Optional<readonly StepSource[]>;
}

export const noResources: Resources = { memoryMb: null, cpu: null, gpu: null, gpuModel: null, shm: false };

/** PostgreSQL's text cannot contain NUL, so no text may. */
const NUL = '\u0000';
/** Deeper JSON has no use, and is an attack on its readers. */
const DEEPEST_JSON = 32;
/** The files of other steps that one step starts with. */
const MOST_INPUTS = 50;

export class Checks {
  readonly limits: DomainLimits;
  readonly #issues: InputIssue[] = [];

  constructor({ limits }: Domain) {
    this.limits = limits;
  }

  /** The number of problems found so far. */
  get issueCount(): number {
    return this.#issues.length;
  }

  refuse(path: Path, message: string): void {
    this.#issues.push({ path: path.map(String), message });
  }

  /** Throws the problems found, if any. */
  done(): void {
    if (this.#issues.length > 0) throw new InvalidInput(this.#issues);
  }

  /** A name: not empty, one line, not too long. */
  name(path: Path, value: Optional<string>): void {
    if (value === null || value === undefined) return;
    if (value.trim() === '') this.refuse(path, 'must not be empty.');
    else if (/\p{Cc}/u.test(value)) this.refuse(path, 'must not contain control characters.');
    else this.length(path, value, this.limits.textAtMost);
  }

  /**
   * A filename or relative path. It must be valid on every system that downloads it, and must not
   * lead outside.
   */
  filename(path: Path, value: string): void {
    this.name(path, value);
    const segments = value.split('/');
    if (value.includes('\\')) this.refuse(path, 'must not contain a backslash.');
    if (segments.some((segment) => /^[. ]*$/.test(segment)))
      this.refuse(path, 'must be a name or a relative path. No part may be empty, or consist only of dots and spaces.');
    if (segments.some((segment) => Buffer.byteLength(segment) > 255)) this.refuse(path, 'must have parts of at most 255 bytes.');
  }

  /** Free text. */
  text(path: Path, value: Optional<string>, atMost = this.limits.messageAtMost): void {
    if (value === null || value === undefined) return;
    if (value.includes(NUL)) this.refuse(path, 'must not contain the character NUL.');
    this.length(path, value, atMost);
  }

  /** A value on a command line of a device. It must not look like a flag. */
  noFlag(path: Path, value: Optional<string>): void {
    if (value?.trimStart().startsWith('-')) this.refuse(path, 'must not start with a dash, like a flag.');
  }

  length(path: Path, value: string, atMost: number): void {
    if (value.length > atMost) this.refuse(path, `must have at most ${atMost} characters; it has ${value.length}.`);
  }

  range(path: Path, value: Optional<number>, atLeast: number, atMost: number): void {
    if (value === null || value === undefined) return;
    if (!(value >= atLeast && value <= atMost)) this.refuse(path, `must be from ${atLeast} to ${atMost}; it is ${value}.`);
  }

  /** Seconds of a timeout: more than 0, at most a year. */
  seconds(path: Path, value: Optional<number>): void {
    if (value === null || value === undefined) return;
    if (!(value > 0 && value <= 31_536_000)) this.refuse(path, `must be more than 0 and at most 31536000 (a year); it is ${value}.`);
  }

  count(path: Path, list: Optional<readonly unknown[]>, atMost: number, atLeast = 0): void {
    if (!list) return;
    if (list.length < atLeast) this.refuse(path, atLeast === 1 ? 'must not be empty.' : `must have at least ${atLeast} entries.`);
    if (list.length > atMost) this.refuse(path, `must have at most ${atMost} entries; it has ${list.length}.`);
  }

  unique(path: Path, keys: readonly string[], ofWhat: string): void {
    const seen = new Set<string>();
    for (const [i, key] of keys.entries()) {
      if (seen.has(key)) this.refuse([...path, i], `${ofWhat} ${JSON.stringify(key)} comes twice.`);
      seen.add(key);
    }
  }

  json(path: Path, value: unknown): void {
    if (value === null || value === undefined) return;
    // Checked first, without recursion: JSON.stringify would run out of stack on unlimited nesting.
    if (depthOf(value) > DEEPEST_JSON) {
      this.refuse(path, `must be nested at most ${DEEPEST_JSON} deep.`);
      return;
    }
    const text = JSON.stringify(value);
    const bytes = Buffer.byteLength(text);
    if (bytes > this.limits.jsonBytesAtMost)
      this.refuse(path, `must have at most ${this.limits.jsonBytesAtMost} bytes as JSON; it has ${bytes}.`);
    else if (text.includes('\\u0000')) this.refuse(path, 'must not contain the character NUL.');
  }

  labels(path: Path, labels: Optional<readonly Label[]>): void {
    if (!labels) return;
    this.count(path, labels, this.limits.labelsAtMost);
    for (const [i, { key, value }] of labels.entries()) {
      this.name([...path, i, 'key'], key);
      this.text([...path, i, 'value'], value, this.limits.textAtMost);
    }
    this.unique(
      path,
      labels.map(({ key }) => key),
      'The label',
    );
  }

  resources(path: Path, input: Optional<ResourcesInput>): void {
    if (!input) return;
    this.range([...path, 'memoryMb'], input.memoryMb, 1, 2 ** 31 - 1);
    this.range([...path, 'cpu'], input.cpu, 0.001, 100_000);
    this.range([...path, 'gpu'], input.gpu, 0, 10_000);
    this.name([...path, 'gpuModel'], input.gpuModel);
  }

  container(path: Path, input: Optional<ContainerInput>): void {
    if (!input) return;
    this.name([...path, 'image'], input.image);
    this.noFlag([...path, 'image'], input.image);
    if (input.image && input.build) this.refuse([...path, 'build'], 'must not be given together with image. Give one of the two.');
    this.text([...path, 'entrypoint'], input.entrypoint);
    this.noFlag([...path, 'entrypoint'], input.entrypoint);
    this.text([...path, 'command'], input.command);
    // An image has a command of its own. Without an image, there must be one here.
    const given = (['command', 'entrypoint'] as const).filter((field) => input[field] != null);
    if (given[0] && !input.image && !input.build && given.every((field) => input[field]?.trim() === ''))
      this.refuse([...path, given[0]], 'must not be empty without an image.');
    if (input.build) {
      if (input.build.context.trim() === '')
        this.refuse([...path, 'build', 'context'], 'must not be empty. Give the context to build from.');
      this.text([...path, 'build', 'context'], input.build.context);
      this.noFlag([...path, 'build', 'context'], input.build.context);
      this.name([...path, 'build', 'dockerfile'], input.build.dockerfile);
      this.noFlag([...path, 'build', 'dockerfile'], input.build.dockerfile);
      this.json([...path, 'build', 'properties'], input.build.properties);
    }
    this.count([...path, 'env'], input.env, 1_000);
    for (const [i, { name, value }] of (input.env ?? []).entries()) {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
        this.refuse([...path, 'env', i, 'name'], 'must consist of letters, digits and _, and must not start with a digit.');
      this.text([...path, 'env', i, 'value'], value, 32_768);
    }
    // Every report of the step is searched for each of them.
    this.count(
      [...path, 'env'],
      (input.env ?? []).filter(({ isSecret }) => isSecret),
      32,
    );
    this.unique(
      [...path, 'env'],
      (input.env ?? []).map(({ name }) => name),
      'The variable',
    );
    this.count([...path, 'volumes'], input.volumes, 100);
    for (const [i, volume] of (input.volumes ?? []).entries()) {
      this.name([...path, 'volumes', i, 'storage'], volume.storage);
      this.noFlag([...path, 'volumes', i, 'storage'], volume.storage);
      if (!volume.containerPath.startsWith('/'))
        this.refuse([...path, 'volumes', i, 'containerPath'], 'must be an absolute path, starting with /.');
      this.text([...path, 'volumes', i, 'containerPath'], volume.containerPath, 4_096);
    }
    this.range([...path, 'http', 'port'], input.http?.port, 1, 65_535);
    this.resources([...path, 'resources'], input.resources);
    this.json([...path, 'properties'], input.properties);
  }

  /**
   * The containers of the steps that one change creates. Each step keeps a copy of its own, so one
   * large container of a job, an application or a federation is stored as often as it has steps.
   */
  copiesOfContainers(path: Path, containers: readonly Optional<ContainerInput>[]): void {
    let bytes = 0;
    for (const container of containers) {
      if (container) bytes += Buffer.byteLength(JSON.stringify(container));
      if (bytes <= this.limits.containerBytesAtMost) continue;
      this.refuse(
        path,
        `gives ${containers.length} steps containers of more than ${this.limits.containerBytesAtMost} bytes as JSON in all. Make the containers smaller, or the steps fewer.`,
      );
      return;
    }
  }

  /** `from`: the number of the first step. Null: not known yet, so `inputs` is called later. */
  steps(path: Path, steps: Optional<readonly StepInput[]>, from: number | null = 0): void {
    if (!steps) return;
    this.count(path, steps, this.limits.stepsAtMost, 1);
    for (const [i, step] of steps.entries()) {
      this.name([...path, i, 'name'], step.name);
      this.container([...path, i, 'container'], step.container);
      this.resources([...path, i, 'resources'], step.resources);
      this.labels([...path, i, 'requiredLabels'], step.requiredLabels);
      this.range([...path, i, 'maxAttempts'], step.maxAttempts, 1, this.limits.attemptsAtMost);
      this.count([...path, i, 'inputs'], step.inputs, MOST_INPUTS);
      for (const [j, { filename }] of (step.inputs ?? []).entries()) this.filename([...path, i, 'inputs', j, 'filename'], filename);
      this.unique(
        [...path, i, 'inputs'],
        (step.inputs ?? []).map(({ stepNumber, filename }) => `${stepNumber}/${filename.toLowerCase()}`),
        'The input',
      );
    }
    if (from !== null) this.inputs(path, steps, from);
  }

  /** The inputs of steps are of steps that come before them, so that they exist when it runs. */
  inputs(path: Path, steps: readonly StepInput[], from: number): void {
    for (const [i, { inputs }] of steps.entries()) {
      for (const [j, { stepNumber }] of (inputs ?? []).entries()) {
        if (stepNumber >= 0 && stepNumber < from + i) continue;
        const before = from + i === 0 ? 'There is none: it is the first' : `Those are 0 to ${from + i - 1}`;
        this.refuse([...path, i, 'inputs', j, 'stepNumber'], `must be the number of an earlier step. ${before}.`);
      }
    }
  }
}

function depthOf(value: unknown): number {
  let depth = 0;
  for (let level: unknown[] = [value]; level.length > 0 && depth <= DEEPEST_JSON; depth++) {
    level = level.flatMap((entry) => (entry !== null && typeof entry === 'object' ? Object.values(entry) : []));
  }
  return depth;
}

// ── inputs as stored: nothing undefined, every default filled in ──

export function resourcesOf(input: Optional<ResourcesInput>): Resources {
  return {
    memoryMb: input?.memoryMb ?? null,
    cpu: input?.cpu ?? null,
    gpu: input?.gpu ?? null,
    gpuModel: input?.gpuModel ?? null,
    shm: input?.shm ?? false,
  };
}

export function containerOf(input: Optional<ContainerInput>): Container | null {
  if (!input) return null;
  const { build, http } = input;
  return {
    image: input.image ?? null,
    entrypoint: input.entrypoint ?? null,
    command: input.command ?? null,
    build: build ? { context: build.context, dockerfile: build.dockerfile ?? 'Dockerfile', properties: build.properties ?? {} } : null,
    env: (input.env ?? []).map(({ name, value, isSecret }) => ({ name, value, isSecret: isSecret ?? false })),
    volumes: (input.volumes ?? []).map(({ storage, containerPath, isReadOnly }) => ({
      storage,
      containerPath,
      isReadOnly: isReadOnly ?? false,
    })),
    http: http ? { port: http.port, requiresAuth: http.requiresAuth ?? true } : null,
    resources: resourcesOf(input.resources),
    properties: input.properties ?? {},
  };
}

export function stepTemplateOf(input: StepInput): StepTemplate {
  const container = containerOf(input.container);
  return {
    name: input.name,
    container,
    // The step's own resources win. Those of its container apply if the step gives none.
    resources: input.resources ? resourcesOf(input.resources) : (container?.resources ?? noResources),
    pinnedDeviceId: input.pinnedDeviceId?.trim() || null,
    requiredLabels: labelsOf(input.requiredLabels),
    maxAttempts: input.maxAttempts ?? 1,
    inputs: (input.inputs ?? []).map(({ stepNumber, filename }) => ({ stepNumber, filename })),
  };
}

export const labelsOf = (labels: Optional<readonly Label[]>): Label[] => (labels ?? []).map(({ key, value }) => ({ key, value }));
