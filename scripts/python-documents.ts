/** The documents of the Python package: python/operations, each with the fragments that it uses. */
import { type DocumentNode, type FragmentDefinitionNode, Kind, type OperationDefinitionNode, print, visit } from 'graphql';

/** The documents of the Python package by the names of their operations. */
export function pythonDocuments(document: DocumentNode): Map<string, string> {
  return new Map([...partsOf(document)].map(([{ name }, parts]) => [name?.value ?? '', parts.map((node) => print(node)).join('\n\n')]));
}

/** Each operation, with itself and the fragments that it uses. */
export function partsOf(document: DocumentNode): Map<OperationDefinitionNode, (OperationDefinitionNode | FragmentDefinitionNode)[]> {
  const fragments = fragmentsOf(document);
  return new Map(
    operationsOf(document).map((operation) => {
      const used = new Set<FragmentDefinitionNode>();
      const collect = (node: OperationDefinitionNode | FragmentDefinitionNode): void =>
        void visit(node, {
          FragmentSpread({ name }) {
            const fragment = found(fragments, name.value);
            if (used.has(fragment)) return;
            used.add(fragment);
            collect(fragment);
          },
        });
      collect(operation);
      return [operation, [operation, ...used]];
    }),
  );
}

const operationsOf = ({ definitions }: DocumentNode) => definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
export const fragmentsOf = ({ definitions }: DocumentNode) =>
  new Map(definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION).map((node) => [node.name.value, node]));

/** The entry of a map. Throws if there is none. */
export function found<Value>(map: ReadonlyMap<string, Value>, name: string): Value {
  return map.get(name) ?? never(name);
}

/** Throws: something that a valid document has is not there. */
export function never(name: string): never {
  throw new Error(`The schema or python/operations has no ${name}.`);
}
