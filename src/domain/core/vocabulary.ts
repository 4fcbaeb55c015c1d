/**
 * The closed sets of words that are stored. Each is also a GraphQL enum and a CHECK in the
 * database. Statuses are in lifecycle.ts.
 */
export const jobTypes = ['TRAINING', 'VALIDATION', 'CONVERSION'] as const;
export type JobType = (typeof jobTypes)[number];

export const jobInitiators = ['MANUAL', 'GIT', 'DATA'] as const;
export type JobInitiator = (typeof jobInitiators)[number];

export const itemValueTypes = ['INT', 'FLOAT', 'NUMBER', 'TEXT', 'MULTI', 'BOOL', 'STRING_ARRAY'] as const;
export type ItemValueType = (typeof itemValueTypes)[number];

export const fragmentTypes = ['METRICS', 'BUILD_LOGS', 'MODEL', 'DATA', 'OUTPUT'] as const;
export type FragmentType = (typeof fragmentTypes)[number];

export const ifExistsWords = ['REFUSE', 'REPLACE', 'REUSE'] as const;
export type IfExists = (typeof ifExistsWords)[number];

export const logStreams = ['STDOUT', 'STDERR', 'SYSTEM'] as const;
export type LogStream = (typeof logStreams)[number];

export const deviceKinds = ['WORKER', 'EDGE'] as const;
export type DeviceKind = (typeof deviceKinds)[number];

/** How a step runs. */
export const runKinds = ['PROCESS', 'CONTAINER'] as const;
export type RunKind = (typeof runKinds)[number];

export const principalKinds = ['USER', 'DEVICE', 'JOB', 'WATCH'] as const;
export const roles = ['VIEWER', 'EDITOR', 'ADMIN'] as const;

/** The actions in the audit trail. */
export const auditActions = [
  'KEY_CREATED',
  'KEY_CHANGED',
  'KEY_ROTATED',
  'KEY_REVOKED',
  'PROJECT_CREATED',
  'PROJECT_CHANGED',
  'PROJECT_DELETED',
  'DEVICE_REGISTERED',
  'DEVICE_CHANGED',
  'DEVICE_DELETED',
  'APPLICATION_CREATED',
  'APPLICATION_CHANGED',
  'APPLICATION_DELETED',
  'JOB_DELETED',
  'FRAGMENT_DELETED',
  'HTTP_OPENED',
  'COMMAND_RUN',
  'PORT_FORWARDED',
] as const;
export type AuditAction = (typeof auditActions)[number];

/** The types of their subjects. */
export const auditSubjectTypes = ['API_KEY', 'PROJECT', 'DEVICE', 'APPLICATION', 'JOB', 'FRAGMENT'] as const;
export type AuditSubjectType = (typeof auditSubjectTypes)[number];

export const eventTypes = [
  'JOB_CREATED',
  'JOB_STATUS_CHANGED',
  'STEPS_ADDED',
  'STEP_STATUS_CHANGED',
  'FRAGMENT_READY',
  'JOB_UPDATED',
  'ROUND_CHANGED',
  'JOB_DELETED',
] as const;
export type EventType = (typeof eventTypes)[number];

/**
 * The four kinds of stored rows that a job's streams read, each numbered 1, 2, 3 … within the job.
 */
export const streamKinds = ['event', 'metric', 'telemetry', 'log'] as const;
export type StreamKind = (typeof streamKinds)[number];

/**
 * The origin of an effective setting or item: the application's default, the input, or an override.
 */
export const settingSources = ['DEFAULT', 'GIVEN', 'OVERRIDE'] as const;
export type SettingSource = (typeof settingSources)[number];

export const deviceSelectionStrategies = ['RANDOM'] as const;
export type DeviceSelectionStrategy = (typeof deviceSelectionStrategies)[number];

/** The part of a step in its round. */
export const stepParts = ['TRAIN', 'AGGREGATE'] as const;
export type StepPart = (typeof stepParts)[number];

export const comparisonOperators = ['LT', 'LTE', 'GT', 'GTE'] as const;
export type ComparisonOperator = (typeof comparisonOperators)[number];

// ── shapes that are stored as JSON ──

/**
 * The changed fields of an audit entry: the value before and after. Neither is there if the value
 * itself is not recorded.
 */
export type AuditChanges = Readonly<Record<string, { readonly from?: unknown; readonly to?: unknown }>>;

export interface Label {
  readonly key: string;
  readonly value: string;
}

/** What a step has logged, also if retention has removed it. */
export interface LogCounts {
  /** Over all attempts. A line counts from its first character on. */
  readonly bytes: number;
  readonly lines: number;
  /** The newest attempt that has logged, its line breaks, and whether text follows the last one. */
  readonly attempt: number;
  readonly breaks: number;
  readonly isOpen: boolean;
}

/**
 * What a step needs of its device, or what a device has. `cpu` is in cores. Null asks for nothing.
 */
export interface Resources {
  readonly memoryMb: number | null;
  readonly cpu: number | null;
  readonly gpu: number | null;
  readonly gpuModel: string | null;
  readonly shm: boolean;
}

/** What a device can run. */
export interface Capabilities {
  /** Steps that declare a command or an image. */
  readonly runs: readonly RunKind[];
  /** Steps that declare neither and have one of these names. */
  readonly stepNames: readonly string[];
}

/**
 * What a device must be able to do to run a step: run its command or its image, or know its name.
 */
export type Need = { readonly runs: RunKind } | { readonly stepName: string };

export interface EnvironmentVariable {
  readonly name: string;
  readonly value: string;
  /**
   * Sent only to the claim that runs it, and masked in its reports. Rows from before this field
   * existed do not have it.
   */
  readonly isSecret?: boolean;
}

export interface Container {
  readonly image: string | null;
  readonly entrypoint: string | null;
  readonly command: string | null;
  readonly build: { readonly context: string; readonly dockerfile: string; readonly properties: Record<string, unknown> } | null;
  readonly env: readonly EnvironmentVariable[];
  readonly volumes: readonly { readonly storage: string; readonly containerPath: string; readonly isReadOnly: boolean }[];
  readonly http: { readonly port: number; readonly requiresAuth: boolean } | null;
  readonly resources: Resources;
  readonly properties: Record<string, unknown>;
}

/** The code that travels with a job: an archive of the project, or a clone of its repository. */
export interface JobCode {
  /** Kept here, because the file can be deleted when the job has ended. Null: it is cloned. */
  readonly archive: { readonly sha256: string; readonly sizeBytes: number } | null;
  /** Null: the archive is not from a repository. */
  readonly git: GitRevision | null;
}

export interface GitRevision {
  /** What to clone: a branch, a tag or a commit. Null: the default branch, or nothing is cloned. */
  readonly ref: string | null;
  /** Null: nothing is cloned yet, or the repository has no commit. */
  readonly commit: string | null;
  readonly branch: string | null;
  readonly isDirty: boolean;
}

/** A file of an earlier step of the same job. */
export interface StepSource {
  readonly stepNumber: number;
  readonly filename: string;
}

/** A step as given in a project's pipeline, in createJob or in addSteps. */
export interface StepTemplate {
  readonly name: string;
  readonly container: Container | null;
  readonly resources: Resources;
  readonly pinnedDeviceId: string | null;
  readonly requiredLabels: readonly Label[];
  readonly maxAttempts: number;
  /** Pipelines from before this field existed do not have it. */
  readonly inputs?: readonly StepSource[];
}

/** An item that jobs of an application may have. */
export interface ItemDefinition {
  readonly name: string;
  readonly label: string | null;
  readonly description: string | null;
  readonly valueType: ItemValueType;
  readonly defaultValue: string | null;
  /** The values that MULTI allows. */
  readonly options: readonly string[];
  readonly isRequired: boolean;
}

/** A condition that ends a federated job as SUCCEEDED. Exactly one of the three is set. */
export type TerminationCriterion =
  | { readonly maxDurationSeconds: number }
  | { readonly maxRounds: number }
  | { readonly metric: { readonly metric: string; readonly operator: ComparisonOperator; readonly threshold: number } };

/**
 * Points of a curve. All but the value are differences to the point before, which are short. An
 * iteration is null where the point has none, and else the difference to the last that had one.
 */
export type PackedPoints = readonly (readonly [
  seq: number,
  value: number,
  iteration: number | null,
  at: number,
  stepNumber: number,
  attempt: number,
])[];
