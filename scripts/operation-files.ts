/**
 * Reads test/systems/operations: GraphQL files whose comments are the text of docs/moving.
 *
 *     # mlcycle                             the first comment: a title and an introduction
 *     #
 *     # What its client library does …
 *
 *     # m1: Jobs.get_all()                  before an operation: its rows, its name there,
 *     # In pages of at most 100, …          and what differs
 *     # {"first": 10}                       and, as the last line, example variables
 *     query getAllJobs { … }
 */
import { readFileSync } from 'node:fs';
import { type DefinitionNode, type DocumentNode, type FragmentDefinitionNode, Kind, parse, visit } from 'graphql';

export interface ShownOperation {
  readonly name: string;
  /** `m1`, `m2` … */
  readonly rows: readonly string[];
  readonly call: string;
  readonly remarks: readonly string[];
  /** Example variables, as JSON; null where none is needed. */
  readonly variables: string | null;
  /** As written in the file. */
  readonly text: string;
  /** Fragments that no earlier operation uses, as written in the file. */
  readonly newFragments: readonly string[];
  /** The names of its fragments that an earlier operation has shown. */
  readonly knownFragments: readonly string[];
}

export interface OperationFile {
  readonly title: string;
  readonly intro: readonly string[];
  readonly operations: readonly ShownOperation[];
  readonly document: DocumentNode;
}

/** Throws if an operation has no heading. `shared` names the fragments of another file. */
export function readOperationFile(url: URL, shared: readonly string[]): OperationFile {
  const text = readFileSync(url, 'utf8');
  const document = parse(text);
  const [title = '', , ...intro] = commentLines(text.slice(0, text.indexOf('\n\n')));
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  const shown = new Set(shared);
  const operations = document.definitions.flatMap((definition): ShownOperation[] => {
    if (definition.kind !== Kind.OPERATION_DEFINITION) return [];
    const used = fragmentsOf(definition, fragments);
    const fresh = used.filter((name) => !shown.has(name));
    for (const name of fresh) shown.add(name);
    const name = definition.name?.value ?? '';
    return [
      {
        ...{ name, ...readHeading(name, text.slice(0, definition.loc?.start)), text: sourceOf(definition) },
        newFragments: fresh.map((each) => sourceOf(fragments.get(each) ?? definition)),
        knownFragments: used.filter((each) => !fresh.includes(each) && !shared.includes(each)),
      },
    ];
  });
  return { title, intro, operations, document };
}

function readHeading(name: string, before: string) {
  const [heading = '', ...lines] = commentLines(before.trimEnd().split('\n\n').at(-1) ?? '');
  const match = /^([\w, ]+): (.+)$/.exec(heading);
  if (!match?.[1] || !match[2]) throw new Error(`The operation ${name} has no heading of the form "# m1: Jobs.get_all()".`);
  const [variables = null] = lines.filter((line) => line.startsWith('{'));
  return { rows: match[1].split(', '), call: match[2], remarks: lines.filter((line) => line !== variables), variables };
}

const commentLines = (block: string) =>
  block
    .split('\n')
    .filter((line) => line.startsWith('#'))
    .map((line) => line.replace(/^# ?/, ''));

const sourceOf = ({ loc }: DefinitionNode) => loc?.source.body.slice(loc.start, loc.end) ?? '';

/** All fragments that it uses, directly or not, in order. */
function fragmentsOf(definition: DefinitionNode, fragments: ReadonlyMap<string, FragmentDefinitionNode>): string[] {
  const names: string[] = [];
  visit(definition, {
    FragmentSpread({ name: { value } }) {
      if (names.includes(value)) return;
      const fragment = fragments.get(value);
      names.push(value, ...(fragment ? fragmentsOf(fragment, fragments).filter((name) => !names.includes(name)) : []));
    },
  });
  return [...new Set(names)];
}
