/**
 * A query reads only the columns of selected fields. On every path, a field shows the same as when
 * all columns are read.
 */
import {
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  getNamedType,
  isInputObjectType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
  Kind,
  parse,
} from 'graphql';
import { beforeAll, expect, test } from 'vitest';
import { reportMetrics } from '../../../src/domain/claims/progress.ts';
import { createApplication } from '../../../src/domain/jobs/applications.ts';
import { chosenColumns } from '../../../src/schema/core/chosen-columns.ts';
import { schema } from '../../../src/schema/index.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { pickNumber, seedRandom } from '../../support/random.ts';
import { admin, plantSeed } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';
import { trainingOn } from '../training.ts';

/** These fields declare no columns, so all are read. */
const EVERYTHING = { Job: 'computeTime { cpuStartedAt }', Step: 'whyNot { requirement }' } as const;

const typeNamed = (name: string): GraphQLObjectType => {
  const type = schema.getType(name);
  if (!isObjectType(type)) throw new Error(`${name} is no object type.`);
  return type;
};

/** Every field of a type without required arguments, with the leaves below it. */
function selectionsOf(type: GraphQLObjectType, depth = 2): string[] {
  return Object.values(type.getFields()).flatMap((field) => {
    if (field.args.some(isRequiredArgument)) return [];
    const inner = getNamedType(field.type);
    if (isLeafType(inner)) return [field.name];
    if (!isObjectType(inner) || isInputObjectType(inner) || depth === 0) return [];
    const below = selectionsOf(inner, depth - 1);
    return below.length > 0 ? [`${field.name} { ${below.join(' ')} }`] : [];
  });
}

describeOnEachStore('a list of jobs with their steps', (open) => {
  let ask: Ask;
  let anyId: string;

  beforeAll(async () => {
    const seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
    const { application } = await createApplication(seed.domain, admin, {
      name: 'Trainer',
      itemDefinitions: [{ name: 'rate', valueType: 'FLOAT', defaultValue: '0.5' }],
    });
    const training = trainingOn(seed);
    const experimentId = await training.makeExperiment();
    await training.train(await training.queue(experimentId, { description: 'First', labels: [{ key: 'a', value: 'b' }] }), 'model');
    await training.queue(experimentId);
    const device = await seed.registerDevice();
    const job = await seed.createJob([{ name: 'Fit', container: { image: 'python:3' } }, { name: 'Score' }], {
      applicationId: application.id,
      settings: { depth: 3 },
      datasetId: 'mnist',
    });
    const { lease } = await seed.claim(job, 0, device);
    await reportMetrics(seed.domain, device.principal, { leaseToken: lease.token, metrics: [{ name: 'loss', iteration: 1, value: 0.5 }] });
    anyId = job.job.id;
  });

  const ways = [
    { way: 'nodes', ask: (job: string) => `{ jobs { nodes { ${job} } } }` },
    {
      way: 'edges',
      ask: (job: string) =>
        `{ jobs(orderBy: { field: UPDATED_AT, direction: ASC }) { edges { cursor node { ${job} } } pageInfo { endCursor } totalCount } }`,
    },
    {
      way: 'a fragment',
      ask: (job: string) =>
        `{ jobs { ...Page } } fragment Page on JobConnection { nodes { ... on Node { id } ...Shown } } fragment Shown on Job { ${job} }`,
    },
    { way: 'its id', ask: (job: string) => `{ job(id: "${anyId}") { ${job} ... @include(if: true) { __typename } } }` },
  ] as const;

  test.each(ways)('shows each field, reached by $way, as it does beside all others', async ({ ask: way }) => {
    for (const field of selectionsOf(typeNamed('Job'))) {
      expect(await ask(way(field)), field).toEqual(without(await ask(way(`${field} computed: ${EVERYTHING.Job}`)), 'computed'));
    }
    for (const field of selectionsOf(typeNamed('Step'))) {
      const alone = await ask(way(`steps { ${field} }`));
      expect(alone, field).toEqual(without(await ask(way(`steps { ${field} why: ${EVERYTHING.Step} }`)), 'why'));
    }
  });

  test('shows any set of fields as it does beside all others', async () => {
    const random = seedRandom('columns');
    const fields = selectionsOf(typeNamed('Job'), 1);
    for (let round = 0; round < 40; round++) {
      const some = fields
        .filter(() => pickNumber(random, 6) === 0)
        .concat('id')
        .join(' ');
      for (const { ask: way } of ways) {
        expect(await ask(way(some)), some).toEqual(without(await ask(way(`${some} computed: ${EVERYTHING.Job}`)), 'computed'));
      }
    }
  });
});

/** A copy without the properties of this name. */
function without(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map((each) => without(each, name));
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== name)
      .map(([key, each]) => [key, without(each, name)]),
  );
}

test('a selection of fields that expose columns reads only these, and a field that declares no columns reads all', () => {
  const chosenBy = (selection: string) => {
    const [operation] = parse(`{ jobs { ${selection} } }`).definitions;
    const field = operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet.selections[0] : undefined;
    const returnType = schema.getQueryType()?.getFields().jobs?.type;
    if (field?.kind !== Kind.FIELD || !returnType) throw new Error('No such field.');
    // Cast: only these properties are read.
    return chosenColumns({ schema, fragments: {}, fieldNodes: [field], returnType } as unknown as GraphQLResolveInfo).columns;
  };
  expect(chosenBy('nodes { name device { id } steps { id } }')).toEqual(new Set(['deviceId', 'id', 'name']));
  expect(chosenBy('edges { node { status } cursor } totalCount')).toEqual(new Set(['status']));
  expect(chosenBy('nodes { name computeTime { cpuStartedAt } }')).toBeNull();
});
