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
import { choiceAhead } from '../../../src/schema/core/reading-ahead.ts';
import { schema } from '../../../src/schema/index.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { pickNumber, seedRandom } from '../../support/random.ts';
import { admin, plantSeed } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';
import { trainingOn } from '../training.ts';

/** A field that is selected twice reads all columns. */
const ALL = 'all';

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

test.each(['Job', 'Step', 'Project'])('every field of a %s says which columns it reads', (name) => {
  const silent = Object.values(typeNamed(name).getFields()).filter(({ extensions }) => !extensions.pothosExposedField && !extensions.reads);
  expect(silent.map((field) => field.name)).toEqual([]);
});

test('a selection of fields reads their columns alone, and one that comes twice reads all', () => {
  const chosenBy = (...selections: string[]) => {
    const [operation] = parse(`{ ${selections.map((selection) => `jobs { ${selection} }`).join(' ')} }`).definitions;
    const fieldNodes = operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet.selections : [];
    const returnType = schema.getQueryType()?.getFields().jobs?.type;
    if (!returnType) throw new Error('No such field.');
    // Cast: no more of it is looked at.
    return chosenColumns({ schema, fragments: {}, fieldNodes, returnType } as unknown as GraphQLResolveInfo).columns;
  };
  expect(chosenBy('nodes { name device { id } steps { id } }')).toEqual(new Set(['deviceId', 'id', 'name']));
  expect(chosenBy('edges { node { status } cursor } totalCount')).toEqual(new Set(['status']));
  expect(chosenBy('nodes { name }', 'nodes { id }')).toBeNull();
});

test('the columns of a field of a page are known before its rows, unless the field is conditional or comes twice', () => {
  const chosenAhead = (path: readonly string[], selection: string) => {
    const [operation] = parse(`{ jobs { nodes ${selection} } }`).definitions;
    const [jobs] = operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet.selections : [];
    const [nodes] = jobs?.kind === Kind.FIELD ? (jobs.selectionSet?.selections ?? []) : [];
    const returnType = typeNamed('JobConnection').getFields().nodes?.type;
    // Cast: no more of it is looked at.
    const info = { schema, fragments: {}, fieldNodes: [nodes], returnType } as unknown as GraphQLResolveInfo;
    return choiceAhead(info, path)?.columns;
  };
  expect(chosenAhead(['steps'], '{ id steps { name status } }')).toEqual(new Set(['name', 'status']));
  expect(chosenAhead(['project'], '{ id steps { name status } project { name } }')).toEqual(new Set(['name']));
  expect(chosenAhead(['steps'], '{ id }')).toBeUndefined();
  expect(chosenAhead(['steps'], '{ steps @include(if: true) { name } }')).toBeUndefined();
  expect(chosenAhead(['steps'], '{ steps { name } other: steps { id } }')).toBeUndefined();
});

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
    { way: 'nodes', ask: (job: string, more = '') => `{ jobs { nodes { ${job} } } ${more && 'jobs { __typename }'} }` },
    {
      way: 'edges',
      ask: (job: string, more = '') => {
        const jobs = 'jobs(orderBy: { field: UPDATED_AT, direction: ASC })';
        return `{ ${jobs} { edges { cursor node { ${job} } } pageInfo { endCursor } totalCount } ${more && `${jobs} { __typename }`} }`;
      },
    },
    {
      way: 'a fragment',
      ask: (job: string, more = '') =>
        `{ jobs { ...Page } ${more && 'jobs { __typename }'} } fragment Page on JobConnection { nodes { ... on Node { id } ...Shown } } fragment Shown on Job { ${job} }`,
    },
    {
      way: 'its id',
      ask: (job: string, more = '') => {
        const one = `job(id: "${anyId}")`;
        return `{ ${one} { ${job} ... @include(if: true) { __typename } } ${more && `${one} { __typename }`} }`;
      },
    },
  ] as const;

  test.each(ways)('shows each field, reached by $way, as it does beside all others', async ({ ask: way }) => {
    for (const field of selectionsOf(typeNamed('Job'))) {
      expect(without(await ask(way(field)), '__typename'), field).toEqual(without(await ask(way(field, ALL)), '__typename'));
    }
    for (const field of selectionsOf(typeNamed('Step'))) {
      const alone = without(await ask(way(`steps { ${field} }`)), '__typename');
      expect(alone, field).toEqual(without(await ask(way(`steps { ${field} } steps { __typename }`, ALL)), '__typename'));
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
        expect(without(await ask(way(some)), '__typename'), some).toEqual(without(await ask(way(some, ALL)), '__typename'));
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
