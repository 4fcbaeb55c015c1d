/**
 * Every kind of key against every operation, over HTTP, WebSocket and server-sent events: the
 * result is the one in the table of operations (P15).
 *
 * A key without the right is refused before anything is looked up. A key with the right reaches
 * what belongs to it. For objects that it may not see, the answer is byte for byte that for objects
 * that do not exist.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Operation, operationOf, operations } from '../../src/domain/access/operations.ts';
import type { Principal } from '../../src/domain/access/principal.ts';
import { may } from '../../src/domain/access/rights.ts';
import { createPostgresDatabase, createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { admin } from '../support/seed.ts';
import { type Asked, ask, connectSocket, firstFrame } from './asking.ts';
import { type Aim, aimsOf, mutations, queries, subscriptions } from './probes.ts';
import { buildWorld, type World } from './world.ts';

type Root = keyof typeof operations;
type Row = readonly [name: string, document: (aim: Aim) => string];
const probes: Readonly<Record<Root, readonly Row[]>> = {
  Query: Object.entries(queries),
  Mutation: Object.entries(mutations),
  Subscription: Object.entries(subscriptions),
};

/**
 * A key of each kind in the table. `abroad`: an editor of the other project, to whom this one is
 * foreign.
 */
const holders = {
  viewer: { ...admin, role: 'VIEWER', projectId: 'home' },
  editor: { ...admin, role: 'EDITOR', projectId: 'home' },
  abroad: { ...admin, role: 'EDITOR', projectId: 'abroad' },
  'admin of the project': { ...admin, projectId: 'home' },
  admin,
  device: { ...admin, kind: 'DEVICE', role: null, projectId: 'home', deviceId: 'own' },
  job: { ...admin, kind: 'JOB', role: null, projectId: 'home', jobId: 'own' },
  lease: { ...admin, kind: 'JOB', role: null, projectId: 'home', jobId: 'own', stepId: 'own', attempt: 1 },
  watch: { ...admin, kind: 'WATCH', role: null, projectId: 'home', jobId: 'own' },
} as const satisfies Record<string, Principal>;
type Holder = keyof typeof holders;

async function keyOf(holder: Holder, world: World): Promise<string> {
  if (holder === 'abroad') return world.keys.stranger;
  if (holder === 'admin of the project') return (await world.makeKey(`role: ADMIN, projectId: "${world.project}"`)).secret;
  if (holder === 'admin') return (await world.makeKey('role: ADMIN')).secret;
  return world.keys[holder];
}

/** A refusal that describes an object reveals that it exists. */
const isReachedBy = /^(done|INVALID_STATE)$/;

/** The result in the table, for the key's own objects. */
function expectedOf(root: Root, name: string, holder: Holder): 'reached' | 'FORBIDDEN' | 'hidden' {
  const { needs, without, forAllProjects }: Operation = operationOf(root, name) ?? { needs: 'ask' };
  const principal = holders[holder];
  if (!may(principal, needs)) return without === 'null' ? 'hidden' : 'FORBIDDEN';
  return forAllProjects && principal.projectId !== null ? 'FORBIDDEN' : 'reached';
}

function outcomeOf(name: string, { data, errors }: Omit<Asked, 'status'>): string {
  const [error] = errors ?? [];
  if (error) return error.extensions.code;
  const value = data?.[name];
  if (value === null || value === undefined) return 'hidden';
  if (Array.isArray(value) && value.includes(null)) return 'hidden';
  const code = typeof value === 'object' && 'code' in value ? String(value.code) : 'done';
  return isReachedBy.test(code) ? 'reached' : code;
}

/** The answer without the requested ids. */
const withoutIds = (answer: object, aim: Aim) => Object.values(aim).reduce((text, id) => text.replaceAll(id, 'ID'), JSON.stringify(answer));

describe.each([
  { dialect: 'sqlite', create: createSqliteDatabase, tried: Object.keys(holders) as Holder[] },
  // The databases differ in how rows are read, not in who may read them. So three kinds of keys are
  // enough: of a project, of another one, of a job.
  { dialect: 'postgres', create: createPostgresDatabase, tried: ['abroad', 'device', 'lease', 'watch'] as const },
])('Every operation on $dialect', ({ create, tried }) => {
  let database: TestDatabase;
  let gateway: Gateway;
  beforeAll(async () => {
    database = await create();
    // The test sends hundreds of requests without a key in a second.
    gateway = await startGateway({ database, flags: ['--stranger-rate', 'off'] });
  });
  afterAll(async () => {
    await gateway.stop();
    await database.remove();
  });

  test.each<Holder>(tried)('does for a key of kind %s what the table of operations says (P15)', async (holder) => {
    const world = await buildWorld(gateway);
    const aims = await aimsOf(world);
    const { home, foreign, missing } = holder === 'abroad' ? { ...aims, home: aims.foreign, foreign: aims.home } : aims;
    const key = await keyOf(holder, world);
    const socket = await connectSocket(gateway, key);
    const overHttp = (root: Root, document: string) => (root === 'Subscription' ? firstFrame : ask)(gateway, key, document);
    const found: Record<string, string> = {};
    const expected: Record<string, string> = {};
    const note = (name: string, outcome: string, wanted: string) => {
      found[name] = outcome;
      expected[name] = wanted;
    };
    for (const [root, rows] of Object.entries(probes) as [Root, readonly Row[]][]) {
      if (root === 'Mutation') continue;
      for (const [name, document] of rows) {
        const wanted = expectedOf(root, name, holder);
        const [first, second] = [await overHttp(root, document(home)), await socket.ask(document(home))];
        note(`${root} ${name}`, outcomeOf(name, first), wanted);
        note(`${root} ${name} over a socket`, outcomeOf(name, second), wanted);
      }
    }
    const isHidden = ([name, document]: Row) => holder !== 'admin' && name !== 'jobsUpdated' && document(foreign) !== document(home);
    for (const [root, rows] of Object.entries(probes) as [Root, readonly Row[]][]) {
      for (const row of rows.filter(isHidden)) {
        const [name, document] = row;
        const [there, nowhere] = [await overHttp(root, document(foreign)), await overHttp(root, document(missing))];
        note(`${root} ${name} of another`, withoutIds(there, foreign), withoutIds(nowhere, missing));
        if (root === 'Mutation') continue;
        const { status: _, ...answer } = there;
        note(
          `${root} ${name} of another, over a socket`,
          withoutIds(await socket.ask(document(foreign)), foreign),
          withoutIds(answer, foreign),
        );
      }
    }
    const trail = await readTrail(home.project);
    for (const [name, document] of probes.Mutation) {
      const wanted = expectedOf('Mutation', name, holder);
      // An operation that ends the step also ends its keys, so it runs in a world of its own.
      const endsIt = wanted === 'reached' && /^(release|fail|complete)Steps?$/.test(name);
      const answer = endsIt ? await askElsewhere(document, holder) : await ask(gateway, key, document(home));
      note(`Mutation ${name}`, outcomeOf(name, answer), wanted);
    }
    socket.close();
    expect(found).toEqual(expected);
    // Earlier entries do not change, whatever was done.
    expect((await readTrail(home.project)).slice(0, trail.length)).toEqual(trail);
  });

  /** The entries of the audit trail about a project, oldest first. */
  async function readTrail(project: string): Promise<unknown[]> {
    const fields = 'id at actor actorKeyId action subjectType subjectId subjectName projectId changes requestId';
    const { data } = await ask(
      gateway,
      gateway.adminKey,
      `{ auditLog(filter: {projectId: "${project}"}, first: 100) { nodes { ${fields} } } }`,
    );
    const { nodes } = (data?.auditLog ?? {}) as { nodes: unknown[] }; // as asked for
    expect(nodes).not.toEqual([]);
    return nodes.reverse();
  }

  async function askElsewhere(document: (aim: Aim) => string, holder: Holder): Promise<Asked> {
    const world = await buildWorld(gateway);
    const { home, foreign } = await aimsOf(world);
    return ask(gateway, await keyOf(holder, world), document(holder === 'abroad' ? foreign : home));
  }

  test('is refused without a key, or with an invalid one, over HTTP and sockets (P15)', async () => {
    const world = await buildWorld(gateway);
    const { home } = await aimsOf(world);
    for (const key of [null, 'tyk_no-such-key', `${world.keys.lease.slice(0, -1)}!`]) {
      for (const [root, rows] of Object.entries(probes) as [Root, readonly Row[]][]) {
        for (const [name, document] of rows) {
          const asked = await (root === 'Subscription' ? firstFrame : ask)(gateway, key, document(home));
          expect({ name, status: asked.status, code: asked.errors?.[0]?.extensions.code }).toEqual({
            name,
            status: 401,
            code: 'UNAUTHENTICATED',
          });
        }
      }
      expect((await ask(gateway, key, '{ __schema { queryType { name } } }')).status).toBe(401);
      await expect(connectSocket(gateway, key)).rejects.toThrow('4401');
    }
  });

  test('has an operation in this test', () => {
    for (const [root, rows] of Object.entries(probes)) {
      expect(rows.map(([name]) => name).sort()).toEqual(Object.keys(operations[root as Root]).sort()); // of the same keys
    }
  });
});
