import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClaimedStepFieldsFragment, LeaseFieldsFragment } from '../../client/generated.ts';
import { fileOfPackage, version } from '../../installation.ts';

/** Where a step finds its files. In a container, these paths differ from the agent's. */
export interface StepPaths {
  readonly metrics: string;
  readonly fragments: string;
  readonly settings: string;
  readonly inputs: string;
}

/**
 * What a process step gets of the agent's environment: what programs need to find their
 * interpreter, libraries, certificates and proxies. An allowlist, because an agent's environment
 * holds secrets that nobody thought of.
 */
const passed = [
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|TZ|TMPDIR|TEMP|TMP|TERM|DISPLAY)$/,
  /^LC_/,
  /^(LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|LIBRARY_PATH|XDG_.*)$/,
  /^(CUDA|NVIDIA|NCCL|ROCR|HIP|OMP|MKL|OPENBLAS|GOMP|KMP)_/,
  /^(VIRTUAL_ENV|CONDA_.*|PYENV_.*|PYTHON[A-Z]+|NVM_.*|JAVA_HOME)$/,
  /^(https?|all|no|ftp)_proxy$/i,
  /^(SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|NODE_EXTRA_CA_CERTS)$/,
];

/**
 * The part of the agent's environment that a process may see. Nothing named TRAINYARD_… is in it,
 * so the agent keeps its key to itself.
 */
export function passEnvironment(own: NodeJS.ProcessEnv): Record<string, string> {
  const isPassed = ([name, value]: [string, string | undefined]): boolean =>
    value !== undefined && passed.some((pattern) => pattern.test(name));
  return Object.fromEntries(Object.entries(own).filter(isPassed)) as Record<string, string>; // undefined was filtered out
}

/**
 * What the step's definition and Trainyard add: `container.env`, then the TRAINYARD_ variables,
 * which cannot be overridden.
 */
export function describeStep(
  step: ClaimedStepFieldsFragment,
  lease: LeaseFieldsFragment,
  url: string,
  paths: StepPaths,
): Record<string, string> {
  const own = Object.fromEntries((step.container?.env ?? []).map(({ name, value }) => [name, value]));
  return {
    ...own,
    TRAINYARD_URL: url,
    TRAINYARD_TOKEN: lease.token,
    TRAINYARD_PROJECT_ID: step.job.project.id,
    TRAINYARD_JOB_ID: step.job.id,
    TRAINYARD_STEP_NUMBER: String(step.number),
    TRAINYARD_ATTEMPT: String(lease.attempt),
    TRAINYARD_METRICS: paths.metrics,
    TRAINYARD_FRAGMENTS: paths.fragments,
    TRAINYARD_SETTINGS: paths.settings,
    TRAINYARD_INPUTS: paths.inputs,
  };
}

const wheel = fileURLToPath(fileOfPackage(`dist/python/trainyard-${version}-py3-none-any.whl`));

/**
 * The environment in which `import trainyard` finds the Python package of this version. Python
 * imports from a wheel as it is, looks into it after the folders that the step names itself, and
 * ignores a path that it cannot read.
 */
export function findPythonPackage(env: Readonly<Record<string, string>>): Record<string, string> {
  const { PYTHONPATH: own } = env;
  return { ...env, PYTHONPATH: own ? `${own}${delimiter}${wheel}` : wheel };
}

/**
 * The content of the file that TRAINYARD_SETTINGS names:
 * `{"settings": {…}, "items": {name: typedValue}}`.
 */
export function formatSettings(job: ClaimedStepFieldsFragment['job']): string {
  const items = Object.fromEntries(job.items.map(({ name, typedValue }) => [name, typedValue]));
  return `${JSON.stringify({ settings: job.settings, items }, null, 2)}\n`;
}
