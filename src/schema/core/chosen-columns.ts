/**
 * Finds which columns a selection shows, so that no others are read.
 *
 * A field that exposes a column reads that column. Any other field lists the columns that its
 * resolver reads in its extensions (`reads`). If a selected field lists none, all columns are read.
 */
import {
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  getNamedType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import { ALL_COLUMNS, type Choice, chooseColumns } from '../../store/statements/choice.ts';

/** The extensions of a field whose resolver reads only these columns of its row. */
export const reads = <Row>(...columns: readonly (keyof Row & string)[]) => ({ reads: columns });

type Document = Pick<GraphQLResolveInfo, 'schema' | 'fragments'>;

/** Cached by AST node: a document is parsed once and executed many times. */
const chosen = new WeakMap<object, Map<string | undefined, Choice>>();

/**
 * The columns to read for a field that returns objects, or a connection of objects. `type`: that of
 * the object, for a field that returns an interface. `also`: what the resolver itself needs.
 */
export function chosenColumns(
  info: GraphQLResolveInfo,
  { type: name, also = [] }: { type?: string; also?: readonly string[] } = {},
): Choice {
  const [node] = info.fieldNodes;
  if (node?.selectionSet === undefined || info.fieldNodes.length > 1) return ALL_COLUMNS;
  const ofNode = chosen.get(node) ?? new Map<string | undefined, Choice>();
  chosen.set(node, ofNode);
  let choice = ofNode.get(name);
  if (!choice) {
    const columns = new Set<string>(also);
    const type = name === undefined ? getNamedType(info.returnType) : info.schema.getType(name);
    const isKnown =
      isObjectType(type) &&
      (isConnection(type) ? readPage(info, type, node.selectionSet, columns) : readRow(info, type, node.selectionSet, columns));
    choice = isKnown ? chooseColumns(columns) : ALL_COLUMNS;
    ofNode.set(name, choice);
  }
  return choice;
}

const isConnection = (type: GraphQLObjectType): boolean => type.name.endsWith('Connection') && 'nodes' in type.getFields();

/** Ignores `@skip` and `@include`: every column that may be shown is read. */
function fieldsOf({ schema, fragments }: Document, type: GraphQLObjectType, { selections }: SelectionSetNode): SelectedField[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return { name: selection.name.value, selections: selection.selectionSet };
    const fragment:
      | (Pick<FragmentDefinitionNode, 'selectionSet'> & { typeCondition?: FragmentDefinitionNode['typeCondition'] | undefined })
      | undefined = selection.kind === Kind.FRAGMENT_SPREAD ? fragments[selection.name.value] : selection;
    if (!fragment) return [];
    const on = fragment.typeCondition ? schema.getType(fragment.typeCondition.name.value) : type;
    const applies = on === type || (on !== undefined && 'getFields' in on && type.getInterfaces().some((each) => each === on));
    return applies ? fieldsOf({ schema, fragments }, type, fragment.selectionSet) : [];
  });
}
interface SelectedField {
  readonly name: string;
  readonly selections: SelectionSetNode | undefined;
}

/** Adds the columns of a row to `columns`. Returns false if they are not known. */
function readRow(document: Document, type: GraphQLObjectType, selections: SelectionSetNode, columns: Set<string>): boolean {
  return fieldsOf(document, type, selections).every(({ name }) => {
    if (name === '__typename') return true;
    const { pothosExposedField, reads: read } = type.getFields()[name]?.extensions ?? {};
    if (typeof pothosExposedField === 'string') columns.add(pothosExposedField);
    else if (Array.isArray(read)) for (const column of read) columns.add(String(column));
    else return false;
    return true;
  });
}

/** Does the same for the rows of a page, found in `nodes` and in the `node` of each edge. */
function readPage(document: Document, type: GraphQLObjectType, selections: SelectionSetNode, columns: Set<string>): boolean {
  return fieldsOf(document, type, selections).every(({ name, selections: inner }) => {
    const field = type.getFields()[name];
    const shown = field && getNamedType(field.type);
    if (!inner || !isObjectType(shown) || name === 'pageInfo') return true;
    if (name === 'nodes') return readRow(document, shown, inner, columns);
    return fieldsOf(document, shown, inner).every((edge) => {
      const node = shown.getFields()[edge.name];
      const row = node && getNamedType(node.type);
      return !edge.selections || (isObjectType(row) && readRow(document, row, edge.selections, columns));
    });
  });
}
