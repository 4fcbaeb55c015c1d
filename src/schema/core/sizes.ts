/**
 * How many nodes the lists of the schema hold, as far as that can be said before anything is read: what an operation costs is worked out from
 * it (server/cost.ts).
 *
 * Lists in pages hold what `first` or `last` ask for. The others have an estimate in the table below: what there usually is, not what there
 * can be at most, since an estimate that is never reached refuses what would have been no trouble.
 */
import { type GraphQLField, type GraphQLSchema, getNamedType, isCompositeType, isListType, isNonNullType, isObjectType } from 'graphql';
import { USUAL_TEXT_BYTES } from '../files/fragments.ts';
import { MOST_POINTS } from '../streams/metrics.ts';
import { DEFAULT_SIZE } from './connections.ts';
import { DEFAULT_SIZE as DEFAULT_STREAM_SIZE } from './pages.ts';

/** The arguments that say how much of something is asked for, in whatever field. */
export const sizeArguments = ['first', 'last', 'ids', 'maxPoints', 'maxBytes', 'lines'] as const;
export type SizeArgument = (typeof sizeArguments)[number];

export interface Size {
  /** The arguments that say it, the first that is given. Of a list: how many entries it has. */
  readonly by: readonly SizeArgument[];
  /** Where none of them is given. */
  readonly usually: number;
  /** How many entries count as one node. */
  readonly perNode: number;
  /** Whether the arguments ask for a page, of which the size is limited. */
  readonly isPage: boolean;
}

const estimated = (usually: number): Size => ({ by: [], usually, perNode: 1, isPage: false });

/** Rows that belong to one thing, such as the attempts of a step. */
const FEW = estimated(3);
/** Rows of their own that are many for some: the steps of a job, the participants of a round. */
const SOME = estimated(10);
/** Read with the thing that they belong to, in one row, like labels: together they count as one. */
const IN_ITS_ROW = estimated(1);
/** What a frame holds for who keeps up. A replay's frames hold some hundred, read in one go. */
const A_FRAME = estimated(20);
/** Points of a curve are two numbers each, read in one go: a hundred count as one node. */
const CURVE: Size = { by: ['maxPoints'], usually: MOST_POINTS, perNode: 100, isPage: false };

/** A text of which 8 KB, more than most objects have, count as one node: all of it is read, and in memory at once. */
const TEXT: Size = { by: ['maxBytes'], usually: USUAL_TEXT_BYTES, perNode: 8_192, isPage: false };

/** The end of a log: of lines of a usual length, as many as make up those 8 KB. */
const TAIL: Size = { by: ['lines'], usually: 100, perNode: 100, isPage: false };

/** Every list of objects that is not in pages, and every text that may be long. */
const sizes: Readonly<Record<string, Size>> = {
  'AddStepsPayload.steps': SOME,
  'Application.itemDefinitions': IN_ITS_ROW,
  'Claim.secretEnv': IN_ITS_ROW,
  'ClaimNextStepsPayload.claims': FEW,
  'ClaimStepPayload.secretEnv': IN_ITS_ROW,
  'ReportMetricsPayload.ignored': FEW,
  'ReportProgressPayload.ignoredMetrics': FEW,
  'Container.env': IN_ITS_ROW,
  'Container.volumes': IN_ITS_ROW,
  'Device.labels': IN_ITS_ROW,
  'EventFrame.events': A_FRAME,
  'Federation.devices': SOME,
  'Federation.models': SOME,
  'Federation.rounds': SOME,
  'Federation.terminationCriteria': IN_ITS_ROW,
  'Fragment.text': TEXT,
  'InvalidInputError.issues': IN_ITS_ROW,
  'Job.items': IN_ITS_ROW,
  'Job.labels': IN_ITS_ROW,
  'Job.metricSeries': CURVE,
  'Job.metrics': SOME,
  'Job.steps': SOME,
  'Job.telemetry': CURVE,
  'JobStatusHistory.transitions': FEW,
  'LogFrame.chunks': A_FRAME,
  'MetricFrame.points': IN_ITS_ROW,
  'ModelVersion.metrics': SOME,
  'Project.pipeline': IN_ITS_ROW,
  'Query.nodes': { by: ['ids'], usually: 0, perNode: 1, isPage: true },
  'Round.models': SOME,
  'Round.participants': SOME,
  'StateDict.tensors': SOME,
  'StatusFrame.transitions': A_FRAME,
  'Step.attempts': FEW,
  'Step.logTail': TAIL,
  'Step.metrics': SOME,
  'Step.requiredLabels': IN_ITS_ROW,
  'Step.transitions': FEW,
  'Step.whyNot': IN_ITS_ROW,
  'StepTemplate.requiredLabels': IN_ITS_ROW,
  'StepsAddedEvent.steps': SOME,
  'TelemetryFrame.samples': IN_ITS_ROW,
};

/** Says of every list in the schema how many nodes it holds, in `extensions.size` of its field; of a page, in that of the field that answers the page. */
export function declareSizes(schema: GraphQLSchema): GraphQLSchema {
  const declared = new Set<string>();
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      const coordinate = `${type.name}.${field.name}`;
      const size = sizes[coordinate] ?? sizeOfPage(field);
      if (size) field.extensions = { ...field.extensions, size };
      else if (isListOfObjects(field) && !/(Connection|Page)$|^MetricSeries$/.test(type.name))
        throw new Error(`${coordinate} is a list: src/schema/core/sizes.ts has to say how long.`);
      if (coordinate in sizes) declared.add(coordinate);
    }
  }
  const unknown = Object.keys(sizes).filter((coordinate) => !declared.has(coordinate));
  if (unknown.length > 0) throw new Error(`src/schema/core/sizes.ts names fields that are not there: ${unknown.join(', ')}.`);
  return schema;
}

function sizeOfPage({ args, type }: GraphQLField<unknown, unknown>): Size | null {
  const by = (['first', 'last'] as const).filter((name) => args.some((arg) => arg.name === name));
  if (by.length === 0) return null;
  const isStream = getNamedType(type).name.endsWith('Page');
  return { by, usually: isStream ? DEFAULT_STREAM_SIZE : DEFAULT_SIZE, perNode: 1, isPage: true };
}

function isListOfObjects({ type }: GraphQLField<unknown, unknown>): boolean {
  return isCompositeType(getNamedType(type)) && isListType(isNonNullType(type) ? type.ofType : type);
}
