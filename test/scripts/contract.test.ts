import { parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { compare } from '../../scripts/contract.ts';

const promised = `
  interface Node { id: ID! }
  type Job implements Node { id: ID! name: String description: String! steps(first: Int, after: String): StepConnection! }
  type Query { job(id: ID!): Job }
  enum Status { QUEUED RUNNING }
  union Result = Job | Gone
  type Gone { at: String! }
  input JobInput { name: String! priority: Int! = 0 }
  input Choice @oneOf { a: Int b: Int }
`;
const connection =
  'type StepConnection { edges: [StepEdge!]! pageInfo: PageInfo! } type StepEdge { node: Job! cursor: String! } type PageInfo { hasNextPage: Boolean! }';

/** The breaches of a schema that equals the contract except for these replacements. */
function breachesOf(...changes: [from: string, to: string][]): string[] {
  const product = changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`The contract of this test has no ${from}`);
    return text.replace(from, to);
  }, promised + connection);
  return compare(parse(promised), parse(product)).map(({ coordinate, problem }) => `${coordinate} ${problem}`);
}

describe('the comparison with the contract', () => {
  test('a schema that equals the contract breaks nothing', () => {
    expect(breachesOf()).toEqual([]);
  });

  test('additions, and answers that are never null, break nothing', () => {
    expect(
      breachesOf(
        ['name: String ', 'name: String! nickname: String '],
        ['first: Int', 'first: Int, deep: Boolean! = false'],
        ['QUEUED', 'QUEUED PAUSED'],
        ['{ name: String! ', '{ name: String note: String '],
      ),
    ).toEqual([]);
  });

  test('a missing field, value, member, interface or type is named', () => {
    expect(breachesOf(['description: String! ', ''])).toEqual(['Job.description is missing']);
    expect(breachesOf(['RUNNING', ''])).toEqual(['Status.RUNNING is missing']);
    expect(breachesOf(['Job | Gone', 'Job'])).toEqual(['Result has no member Gone']);
    expect(breachesOf(['Job implements Node', 'Job'])).toEqual(['Job does not implement Node']);
    expect(breachesOf(['enum Status { QUEUED RUNNING }', ''])).toEqual(['Status is missing']);
  });

  test('an answer that may be null against the contract is named', () => {
    expect(breachesOf(['description: String!', 'description: String'])).toEqual(['Job.description is String in place of String!']);
  });

  test('an input that requires more than before is named', () => {
    expect(breachesOf(['first: Int', 'first: Int!'])).toEqual(['Job.steps(first:) is Int! in place of Int']);
    expect(breachesOf(['job(id: ID!)', 'job(id: ID!, tenant: ID!)'])).toEqual([
      'Query.job(tenant:) is required, but is not in the contract',
    ]);
    expect(breachesOf(['= 0', '= 1'])).toEqual(['JobInput.priority defaults to 1 in place of 0']);
    expect(breachesOf([' @oneOf', ''])).toEqual(['Choice is not @oneOf']);
  });

  test('a connection that the contract only names needs edges, nodes, cursors and a pageInfo', () => {
    expect(breachesOf(['cursor: String!', ''])).toEqual(['StepConnection is not a connection']);
  });
});
