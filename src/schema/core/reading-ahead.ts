/**
 * Reads the values of a field for all rows of a page at once, before the rows ask for them. A row
 * then needs no promise of its own.
 */
import {
  type FieldNode,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  getNamedType,
  isObjectType,
  Kind,
} from 'graphql';
import type { Choice } from '../../store/statements/choice.ts';
import { chosenColumns } from './chosen-columns.ts';
import type { Context } from './context.ts';

/** Reads the value of a field for all rows of a page, with what is selected of it. */
type ReadAhead = (context: Context, rowIds: readonly string[], choice: Choice) => Promise<void>;

/**
 * The extensions of a field of rows that are listed in pages. A page calls it before its rows ask
 * for their values one by one.
 */
export const readsAhead = (read: ReadAhead) => ({ readAhead: read });

/** Calls all that is to be read ahead for the rows of a page. `path`: from `info` to the rows. */
export async function readAhead(
  context: Context,
  rows: readonly { readonly id?: unknown }[],
  info: GraphQLResolveInfo,
  path: readonly string[],
): Promise<void> {
  if (rows.length < 2) return;
  const type = getNamedType(path.reduce((found, name) => typeOf(found, name) ?? found, info.returnType));
  if (!isObjectType(type)) return;
  for (const [name, field] of fieldsAheadOf(type)) {
    const choice = choiceAhead(info, [...path, name]);
    const ids = rows.map(({ id }) => String(id));
    if (choice) await field(context, ids, choice);
  }
}

const fieldsAhead = new WeakMap<GraphQLObjectType, readonly (readonly [string, ReadAhead])[]>();

function fieldsAheadOf(type: GraphQLObjectType): readonly (readonly [string, ReadAhead])[] {
  let fields = fieldsAhead.get(type);
  if (!fields) {
    fields = Object.values(type.getFields()).flatMap(
      ({ name, extensions: { readAhead: read } }) => (typeof read === 'function' ? [[name, read as ReadAhead] as const] : []), // only `readsAhead` sets it
    );
    fieldsAhead.set(type, fields);
  }
  return fields;
}

function typeOf(parent: GraphQLOutputType, name: string): GraphQLOutputType | undefined {
  const type = getNamedType(parent);
  return isObjectType(type) ? type.getFields()[name]?.type : undefined;
}

/** Cached by AST node: a document is parsed once and executed many times. */
const ahead = new WeakMap<object, Map<string, Choice | null>>();

/**
 * The columns that `chosenColumns` will choose for a field of the objects of a page, such as
 * `steps` of its `nodes`. Null: the field is not selected, or perhaps not executed.
 */
export function choiceAhead(info: GraphQLResolveInfo, path: readonly string[]): Choice | null {
  const [node] = info.fieldNodes;
  if (!node || info.fieldNodes.length > 1) return null;
  const ofNode = ahead.get(node) ?? new Map<string, Choice | null>();
  ahead.set(node, ofNode);
  const name = path.join(' ');
  let choice = ofNode.get(name);
  if (choice === undefined) {
    const found = descend({ node, type: info.returnType }, path);
    choice = found && chosenColumns({ ...info, fieldNodes: [found.node], returnType: found.type });
    ofNode.set(name, choice);
  }
  return choice;
}

/** The only selection of a field, without a condition. Fragments are not looked into. */
function descend(from: Selected, path: readonly string[]): Selected | null {
  let found = from;
  for (const name of path) {
    const type = typeOf(found.type, name);
    const nodes = (found.node.selectionSet?.selections ?? []).flatMap((each) =>
      each.kind === Kind.FIELD && each.name.value === name ? [each] : [],
    );
    const [node, another] = nodes;
    if (!type || !node || another || node.directives?.length) return null;
    found = { node, type };
  }
  return found;
}
interface Selected {
  readonly node: FieldNode;
  readonly type: GraphQLOutputType;
}
