/**
 * The right that each field of each type needs, however its object is reached. Seeing an object
 * does not mean seeing all of its fields.
 *
 * The guards (schema/core/guards.ts) check this table before a field is resolved. A gateway whose
 * schema has a field without a row does not start. Whether the object itself is visible is decided
 * where it is read (`sees`).
 */
import type { Action } from './rights.ts';

/** Names of fields by the right that they need. */
type Row = Partial<Record<Action, string>>;

/** Fields of payloads and errors: every key may read the answer to its own request. */
const answered = (names: string): Row => ({ ask: names });
const connection = (right: Action): Row => ({ [right]: 'edges nodes pageInfo totalCount' });
const edge = (right: Action): Row => ({ [right]: 'cursor node' });
const event = 'actor at cursor job';
const frame = 'cursor missed state';

const things: Readonly<Record<string, Row>> = {
  // A key of a job reads the name of its project, and through it only what belongs to the job.
  Project: {
    readProjects: 'id name',
    readSetups: 'createdAt gitRepository pipeline updatedAt',
    readJobs: 'jobs',
    readFragments: 'latestFragment',
    readDevices: 'devices',
    readExperiments: 'experiments',
    readModels: 'models',
  },
  StepTemplate: { readSetups: 'container inputs maxAttempts name requiredLabels resources', readDevices: 'pinnedDevice' },
  Application: {
    readApplications: 'createdAt description id itemDefinitions name settingsSchema supportsContinualTraining updatedAt',
    // A job has its own copy of the container. A key of one job must not read the variables of
    // others.
    readSetups: 'container',
  },
  ItemDefinition: { readApplications: 'defaultValue description isRequired label name options valueType' },

  Job: {
    readJobs:
      'billableBytes code computeTime container createdAt datasetId datasetVersionId description events federation finishedAt history httpUrl id initiator ' +
      'internalHostname isPreemptible item items labels latestTelemetry metricCurves metricNames metricSeries metrics name nativeInitiator nativeStatus output owner priority ' +
      'runTimeoutSeconds scheduleTimeoutSeconds settings settingsSources settingsWarnings sshServer startedAt status statusMessage step steps telemetry ' +
      // What the job belongs to and has produced is shown with it. Fields of those objects have
      // their own rights.
      'type updatedAt experiment model modelVersion',
    readProjects: 'project',
    readFragments: 'fragments latestFragment',
    readStartModels: 'startModel startModelVersion',
    readDevices: 'agentName device',
    readApplications: 'application',
  },
  JobCode: { readJobs: 'git sha256 sizeBytes', readFragments: 'archive' },
  GitRevision: { readJobs: 'branch commit isDirty ref' },
  JobItem: { readJobs: 'createdAt defaultValue description id job label name source typedValue updatedAt value valueType' },
  ComputeTime: { readJobs: 'cpuEndedAt cpuStartedAt gpuEndedAt gpuStartedAt' },
  JobStatusHistory: { readJobs: 'createdAt description exitCode finishedAt reason startedAt status transitions' },
  StatusTransition: { readJobs: 'actor at cursor description exitCode from reason to' },
  Step: {
    readJobs:
      'attempts container createdAt finishedAt id inputs job log logBytes logEnd logFrom logLines logSearch logTail maxAttempts metrics name nativeStatus number part queuedAt requiredLabels resources round startedAt ' +
      // Without readDevices, whyNot only says that no device has claimed the step.
      'status statusMessage transitions whyNot',
    readFragments: 'fragments',
    readDevices: 'pinnedDevice',
  },
  StepFile: { readJobs: 'filename stepNumber' },
  Attempt: {
    readJobs: 'claimedAt description exitCode finishedAt leaseExpiresAt number outcome reason step',
    readDevices: 'device',
  },
  UnmetRequirement: { readJobs: 'explanation requirement', readDevices: 'device' },

  Container: { readJobs: 'build command entrypoint env http image resources volumes', readInputs: 'properties' },
  // The address of a repository or a storage may contain a password.
  ContainerBuild: { readJobs: 'dockerfile', readInputs: 'context properties' },
  EnvironmentVariable: { readJobs: 'isSecret name', readInputs: 'value' },
  Volume: { readJobs: 'containerPath isReadOnly', readInputs: 'storage' },
  HttpPort: { readJobs: 'port requiresAuth' },
  Resources: { readJobs: 'cpu gpu gpuModel memoryMb shm' },
  Label: { readJobs: 'key value' },

  Metric: { readJobs: 'at attempt iteration name step value' },
  MetricPoint: { readJobs: 'at attempt iteration name stepNumber value' },
  MetricSeries: { readJobs: 'cursor job last max min missed name points thinnedFrom totalPoints' },
  TelemetrySample: { readJobs: 'at attempt cpu gpuDutyCycle gpuMemory memoryMb stepNumber' },
  LogChunk: { readJobs: 'at attempt cursor firstLine offset stepNumber stream text' },
  LogPage: { readJobs: 'chunks endCursor hasMore hasPrevious missed startCursor' },
  LogMatchPage: { readJobs: 'endCursor hasMore matches' },
  LogMatch: { readJobs: 'attempt cursor line text' },
  EventPage: { readJobs: 'deletions endCursor events hasMore missed' },
  LogFrame: { readJobs: `${frame} chunks` },
  MetricFrame: { readJobs: `${frame} points` },
  JobMetricFrame: { readJobs: `${frame} points` },
  JobMetricPoint: { readJobs: 'job point' },
  TelemetryFrame: { readJobs: `${frame} samples` },
  StatusFrame: { readJobs: `${frame} history transitions` },
  EventFrame: { readJobs: `${frame} deletions events` },
  JobCount: { readJobs: 'count key' },
  DeviceListFrame: { readDevices: `${frame} devices removedIds` },
  JobListFrame: { readJobs: `${frame} jobs removedIds` },
  JobDeletion: { readJobs: 'actor at cursor jobId name projectId', readProjects: 'project' },
  JobCreatedEvent: { readJobs: event },
  JobStatusChangedEvent: { readJobs: `${event} description exitCode from reason to` },
  JobUpdatedEvent: { readJobs: `${event} changed` },
  StepsAddedEvent: { readJobs: `${event} steps` },
  StepStatusChangedEvent: { readJobs: `${event} attempt description exitCode from reason step to` },
  RoundChangedEvent: { readJobs: `${event} from round to` },
  FragmentReadyEvent: { readJobs: event, readFragments: 'fragment' },

  Fragment: {
    readFragments:
      'attempt contentType createdAt downloadUrl filename id name nativeType readyAt sha256 sizeBytes stateDict status text type',
    readProjects: 'project',
    readJobs: 'job step',
    readDevices: 'device',
  },
  StateDict: { readFragments: 'metadata tensors' },
  Tensor: { readFragments: 'dtype name shape values' },

  // The devices of a federated job are shown with it, by name and status. Their other fields need
  // readDevices.
  Device: {
    readJobs: 'attempts id kind name project runningAttempts status',
    readDevices: 'capabilities createdAt labels lastSeenAt latestTelemetry resources slots telemetry updatedAt',
  },
  DeviceCapabilities: { readDevices: 'runs stepNames' },
  Federation: {
    readJobs:
      'aggregateContainer currentRound deviceSelectionStrategy devices models numBufferDevices numDevices roundDeadlineSeconds rounds selectionSeed ' +
      'terminationCriteria trainContainer',
    readFragments: 'aggregateModel',
    readStartModels: 'startModel',
  },
  Round: {
    readJobs: 'deadlineAt finishedAt isWeighted metrics models number participants quorum startedAt status submitted',
    // The start model of the first round may belong to another job, so it needs the right to read
    // start models. Those of later rounds belong to the job.
    readFragments: 'aggregateModel startModel',
  },
  Participant: { readJobs: 'device status step' },
  DeviceModel: { readJobs: 'device isLate metrics numSamples', readFragments: 'fragment' },
  DurationCriterion: { readJobs: 'isMet maxDurationSeconds type' },
  MetricCriterion: { readJobs: 'isMet metric operator threshold type' },
  RoundsCriterion: { readJobs: 'isMet maxRounds type' },

  Experiment: {
    readJobs: 'createdAt currentJob id jobs name updatedAt',
    readInputs: 'hyperparameters',
    readProjects: 'project',
    readFragments: 'currentModel startModel',
  },
  // Its times reveal when other jobs made its versions.
  Model: { readJobs: 'id name versions', readProjects: 'project', readModels: 'createdAt updatedAt' },
  ModelVersion: { readJobs: 'createdAt id job metrics model number', readFragments: 'fragment' },

  ApiKey: {
    // A key may read itself.
    ask: 'createdAt createdBy expiresAt hint id job kind lastUsedAt name project replacedBy revokedAt role rotatedFrom state',
    readDevices: 'device',
  },
  AuditEntry: { readAudit: 'action actor actorKeyId at changes id project projectId requestId subjectId subjectName subjectType' },
  Viewer: { ask: 'expiresAt job kind name project role', readDevices: 'device' },
  Gateway: { ask: 'limits startedAt store version' },
};

const lists: Readonly<Record<string, Row>> = {
  ApiKeyConnection: connection('readJobKeys'),
  ApiKeyEdge: edge('readJobKeys'),
  ApplicationConnection: connection('readApplications'),
  ApplicationEdge: edge('readApplications'),
  AuditEntryConnection: connection('readAudit'),
  AuditEntryEdge: edge('readAudit'),
  DeviceAttemptConnection: connection('readJobs'),
  DeviceAttemptEdge: edge('readJobs'),
  DeviceConnection: connection('readDevices'),
  DeviceEdge: edge('readDevices'),
  ExperimentConnection: connection('readExperiments'),
  ExperimentEdge: edge('readExperiments'),
  FragmentConnection: connection('readFragments'),
  FragmentEdge: edge('readFragments'),
  JobConnection: connection('readJobs'),
  JobEdge: edge('readJobs'),
  ModelConnection: connection('readModels'),
  ModelEdge: edge('readModels'),
  ModelVersionConnection: connection('readJobs'),
  ModelVersionEdge: edge('readJobs'),
  ProjectConnection: connection('readProjects'),
  ProjectEdge: edge('readProjects'),
  StepConnection: connection('readJobs'),
  StepEdge: edge('readJobs'),
  PageInfo: answered('endCursor hasNextPage hasPreviousPage startCursor'),
};

const answers: Readonly<Record<string, Row>> = {
  AddStepsPayload: answered('job steps'),
  AppendLogPayload: answered('nextLogOffset'),
  CancelJobPayload: answered('job'),
  Claim: answered('lease secretEnv step'),
  ClaimNextStepsPayload: answered('claims'),
  ClaimStepPayload: answered('lease secretEnv step'),
  CompleteStepPayload: answered('job step'),
  CompleteStepsPayload: answered('results'),
  CreateApiKeyPayload: answered('apiKey secret'),
  CreateApplicationPayload: answered('application'),
  CreateExperimentPayload: answered('experiment'),
  CreateFragmentPayload: answered('fragment uploadExpiresAt uploadUrl'),
  CreateJobPayload: answered('isReplay job token'),
  CreateModelPayload: answered('model'),
  CreateModelVersionPayload: answered('version'),
  CreateProjectPayload: answered('project'),
  DeleteApplicationPayload: answered('deletedApplicationId'),
  DeleteDevicePayload: answered('deletedDeviceId'),
  DeleteFragmentPayload: answered('deletedFragmentId'),
  DeleteJobPayload: answered('deletedJobId'),
  DeleteProjectPayload: answered('deletedProjectId'),
  ExecInStepPayload: answered('session'),
  FailStepPayload: answered('job step'),
  ForwardPortPayload: answered('session'),
  IgnoredMetric: answered('iteration name storedValue value'),
  InviteDevicePayload: answered('apiKey secret'),
  JoinDevicePayload: answered('deviceId secret'),
  Lease: answered('attempt expiresAt token'),
  OpenHttpPayload: answered('expiresAt url'),
  RegisterDevicePayload: answered('apiKey device'),
  ReleaseStepPayload: answered('step'),
  RenewLeasePayload: answered('cancelReason isCancelRequested isDraining isPreempted lease'),
  ReportMetricsPayload: answered('accepted ignored step'),
  ReportProgressPayload: answered('ignoredMetrics isCancelRequested isDraining isPreempted lease nextLogOffset'),
  ReportDeviceTelemetryPayload: answered('accepted'),
  ReportTelemetryPayload: answered('accepted'),
  RetryJobPayload: answered('isReplay job token'),
  RevokeApiKeyPayload: answered('apiKey'),
  RotateApiKeyPayload: answered('apiKey replaced secret'),
  SecretVariable: answered('name value'),
  SetJobOutputPayload: answered('fragment job'),
  TriggerJobPayload: answered('isReplay job token'),
  StepSession: answered('expiresAt token url'),
  UpdateApiKeyPayload: answered('apiKey'),
  UpdateApplicationPayload: answered('application'),
  UpdateDevicePayload: answered('device'),
  UpdateJobPayload: answered('job'),
  UpdateProjectPayload: answered('project'),
  AlreadyExistsError: answered('code existingId message'),
  IdempotencyConflictError: answered('code differingPaths message'),
  InputIssue: answered('message path'),
  InvalidInputError: answered('code issues message'),
  InvalidStateError: answered('allowed code message status'),
  NotFoundError: answered('code id message'),
  StaleLeaseError: answered('code message step'),
};

/** The right that each field needs, by `Type.field`. */
export const rightsToFields: ReadonlyMap<string, Action> = new Map(
  Object.entries({ ...things, ...lists, ...answers }).flatMap(([type, row]) =>
    (Object.entries(row) as [Action, string][]) // a Row's keys and values
      .flatMap(([right, names]) => names.split(' ').map((name): [string, Action] => [`${type}.${name}`, right])),
  ),
);
