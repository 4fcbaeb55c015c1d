/**
 * Writes the types of the Python package: python/src/trainyard/_generated.py, from schema.graphql
 * and python/operations. codegen.ts calls it.
 *
 * Each fragment becomes a frozen dataclass of its name, a selection of its own a dataclass named by
 * its path. A selection on an interface becomes a dataclass for each object type, and one for types
 * that a newer gateway adds. Members of `Error` become exceptions. Input types become TypedDicts.
 */
import {
  buildASTSchema,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  print,
  type SelectionSetNode,
  type TypeNode,
  typeFromAST,
  validate,
} from 'graphql';
import { found, fragmentsOf, never, partsOf } from './python-documents.ts';
import { docstring, flat, header, keywords, pascal, printTypedDict, snake } from './python-text.ts';

/** One Python type per scalar of an answer. A DateTime is read, the rest is as JSON has it. */
const outputs: Readonly<Record<string, string>> = {
  Boolean: 'bool',
  ByteCount: 'int',
  Cursor: 'str',
  DateTime: 'datetime',
  Float: 'float',
  ID: 'str',
  Int: 'int',
  JSON: 'Any',
  JSONObject: 'Dict[str, Any]',
  String: 'str',
};
const inputs: Readonly<Record<string, string>> = { ...outputs, DateTime: 'str', JSONObject: 'Mapping[str, Any]' };

const REFUSAL = 'Refusal';

/** The text of the module. */
export function printPython(definitions: DocumentNode, document: DocumentNode): string {
  const schema = buildASTSchema(definitions);
  const errors = validate(schema, document);
  if (errors.length > 0) throw new Error(errors.map(String).join('\n'));
  return new Printer(schema, document).print();
}

/** A field of a dataclass or an exception. */
interface Field {
  readonly key: string;
  readonly type: string;
  /** Reads it from `data`, a dict. */
  readonly read: string;
  readonly description: string;
}

/** How a value of a type is written in Python, and read from the JSON that the expression is. */
interface Shape {
  readonly type: string;
  read(expression: string): string;
}

class Printer {
  readonly #schema: GraphQLSchema;
  readonly #document: DocumentNode;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #enums = new Map<string, string>();
  readonly #inputs = new Map<string, string>();
  readonly #classes = new Map<string, string>();

  constructor(schema: GraphQLSchema, document: DocumentNode) {
    this.#schema = schema;
    this.#document = document;
    this.#fragments = fragmentsOf(document);
  }

  print(): string {
    for (const { name } of this.#fragments.values()) if (name.value !== REFUSAL) this.#classOfFragment(name.value);
    const refusals = this.#printRefusals();
    const texts = [...this.#fragments.values()].map((node) => `${textOf(node)} = """${print(node)}"""`);
    const operations = [...partsOf(this.#document)].map(([operation, parts]) => {
      const [own, ...fragments] = parts.map((node) => (node === operation ? `"""${print(node)}"""` : textOf(node)));
      const text =
        fragments.length === 0
          ? own
          : `"\\n\\n".join(\n        [\n            ${[own, ...fragments].join(',\n            ')},\n        ]\n    )`;
      return this.#printOperation(operation, text ?? '');
    });
    const names = [this.#enums, this.#inputs, this.#classes].flatMap((each) => [...each.keys()]);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) throw new Error(`Two kinds of types have the name ${twice}. Give the fragment another one.`);
    const all = [this.#enums, this.#inputs, this.#classes].flatMap((each) => [...each.values()]);
    const exported = [...names, ...this.#refusalNames(), ...[...partsOf(this.#document).keys()].map((node) => constantOf(node))].sort();
    const exports = `__all__ = [\n${exported.map((name) => `    "${name}",`).join('\n')}\n]`;
    return `${[header, exports, ...all, refusals, ...texts, ...operations].join('\n\n\n')}\n`;
  }

  /** An exception for each type that implements `Error`. */
  #printRefusals(): string {
    const fragment = found(this.#fragments, REFUSAL);
    const error = this.#named(fragment.typeCondition.name.value);
    if (!isAbstractType(error)) throw new Error(`${REFUSAL} has to be on an interface.`);
    const types = this.#schema.getPossibleTypes(error);
    const classes = types.map((type) => {
      const name = type.name.replace(/Error$/, '');
      const own = this.#fieldsOf(fragment.selectionSet, type, name).filter(({ key }) => key !== 'code' && key !== 'message');
      const fields = own.map(({ key, type, description }) => `    ${key}: ${type}\n${docstring(description, 4)}`);
      const reads = own.map(({ key, read }) => `        self.${key} = ${read}`);
      const init = `    def __init__(self, data: Dict[str, Any]) -> None:\n        super().__init__(data)\n${reads.join('\n')}`;
      return [
        `class ${name}(Refused):`,
        docstring(type.description, 4),
        ...(own.length > 0 ? [`\n${fields.join('\n')}\n\n${init}`] : []),
      ].join('\n');
    });
    const table = types.map(({ name }) => `    "${name}": ${name.replace(/Error$/, '')},`);
    return [...classes, `REFUSALS: Dict[str, Type[Refused]] = {\n${table.join('\n')}\n}`].join('\n\n\n');
  }

  #refusalNames(): string[] {
    const error = this.#named(found(this.#fragments, REFUSAL).typeCondition.name.value);
    return isAbstractType(error) ? this.#schema.getPossibleTypes(error).map(({ name }) => name.replace(/Error$/, '')) : [];
  }

  #printOperation(operation: OperationDefinitionNode, text: string): string {
    const name = operation.name?.value ?? '';
    const variables = `${pascal(name)}Variables`;
    const fields = (operation.variableDefinitions ?? []).map(({ variable, type, defaultValue }) => ({
      key: variable.name.value,
      type: this.#inputShape(this.#typeOf(type)),
      isRequired: type.kind === Kind.NON_NULL_TYPE && defaultValue === undefined,
      description: '',
    }));
    const root = {
      query: this.#schema.getQueryType(),
      mutation: this.#schema.getMutationType(),
      subscription: this.#schema.getSubscriptionType(),
    }[operation.operation];
    const [field] = this.#selected(operation.selectionSet, root ?? never(name));
    if (field === undefined || operation.selectionSet.selections.length > 1) throw new Error(`${name} has to ask for one field.`);
    const { type, description } = root?.getFields()[field.name.value] ?? never(name);
    const { type: result, read } = this.#resultShape(
      field,
      type,
      pascal(name) + (operation.operation === 'subscription' ? 'Frame' : 'Result'),
    );
    const constant = constantOf(operation);
    const lines = [
      `${constant}: "Operation[${variables}, ${result}]" = Operation(`,
      `    name="${name}",`,
      `    kind="${operation.operation}",`,
      `    field="${responseKey(field)}",`,
      `    variables=${variables},`,
      `    read=lambda data: ${read('data')},`,
      `    text=${text},`,
      ')',
      docstring(description, 0),
    ];
    return `${printTypedDict(variables, `The variables of ${constant}.`, fields)}\n\n\n${lines.join('\n')}`;
  }

  /** Of a union with refusals, the payload: refusals are raised. */
  #resultShape(field: FieldNode, type: GraphQLOutputType, name: string): Shape {
    const named = getNamedType(type);
    const payload = isAbstractType(named) ? this.#schema.getPossibleTypes(named).find((each) => each.name.endsWith('Payload')) : undefined;
    if (payload === undefined) return this.#shape(field, type, name);
    this.#addClass(payload.name, payload.description, this.#fieldsOf(field.selectionSet ?? never(name), payload, payload.name));
    return shapeOfClass(payload.name);
  }

  #shape(field: FieldNode, type: GraphQLOutputType, path: string): Shape {
    if (isNonNullType(type)) return this.#nonNull(field, type.ofType, path);
    const inner = this.#nonNull(field, type, path);
    const read = (data: string) => (inner.read(data) === data ? data : `None if ${data} is None else ${inner.read(data)}`);
    return { type: `Optional[${inner.type}]`, read };
  }

  #nonNull(field: FieldNode, type: GraphQLOutputType, path: string): Shape {
    if (isListType(type)) {
      const entry = this.#shape(field, type.ofType, path);
      return { type: `Tuple[${entry.type}, ...]`, read: (data) => `tuple(${entry.read('each')} for each in ${data})` };
    }
    const named = getNamedType(type);
    if (isLeafType(named)) {
      const python = isEnumType(named) ? this.#enumName(named.name) : found(new Map(Object.entries(outputs)), named.name);
      // JSON writes a whole number without a point.
      const reader = { datetime: 'read_time', float: 'float' }[python];
      return { type: python, read: (data) => (reader === undefined ? data : `${reader}(${data})`) };
    }
    const selection = field.selectionSet ?? never(path);
    const [only] = selection.selections;
    if (selection.selections.length === 1 && only?.kind === Kind.FRAGMENT_SPREAD) return this.#classOfFragment(only.name.value);
    return this.#classOf(selection, named, path);
  }

  #classOfFragment(name: string): Shape {
    const { typeCondition, selectionSet } = found(this.#fragments, name);
    return this.#classOf(selectionSet, this.#named(typeCondition.name.value), name);
  }

  #classOf(selection: SelectionSetNode, type: GraphQLNamedType, name: string): Shape {
    if (isObjectType(type)) {
      this.#addClass(name, type.description, this.#fieldsOf(selection, type, name));
      return shapeOfClass(name);
    }
    if (!isInterfaceType(type)) throw new Error(`${name}: a selection on ${type.name} is not written.`);
    if (!this.#classes.has(name)) {
      const types = this.#schema.getPossibleTypes(type);
      for (const each of types) this.#addClass(each.name, each.description, this.#fieldsOf(selection, each, each.name));
      const other = `Other${name}`;
      this.#addClass(
        other,
        `One of a type that this client does not know yet. ${type.description}`,
        this.#fieldsOf(selection, type, other),
      );
      const members = [...types.map((each) => each.name), other];
      const table = types.map((each) => `    "${each.name}": ${each.name}.read,`).join('\n');
      this.#classes.set(
        name,
        `${name} = Union[\n${members.map((each) => `    ${each},`).join('\n')}\n]\n${docstring(type.description, 0)}\n\n` +
          `_${snake(name).toUpperCase()}_READERS: Dict[str, Callable[[Any], ${name}]] = {\n${table}\n}\n\n\n` +
          `def read_${snake(name)}(data: Any) -> ${name}:\n${docstring(`Reads a member of ${name} by its __typename.`, 4)}\n` +
          `    return _${snake(name).toUpperCase()}_READERS.get(data["__typename"], ${other}.read)(data)`,
      );
    }
    return { type: name, read: (data) => `read_${snake(name)}(${data})` };
  }

  #addClass(name: string, description: string | null | undefined, fields: readonly Field[]): void {
    const lines = fields.map(({ key, type, description }) => `    ${key}: ${type}\n${docstring(description, 4)}`);
    const reads = fields.map(({ key, read }) => `            ${key}=${read},`);
    const text =
      `@dataclass(frozen=True)\nclass ${name}:\n${docstring(description, 4)}\n\n${lines.join('\n')}\n\n` +
      `    @classmethod\n    def read(cls, data: Any) -> ${name}:\n        """Reads it from an answer's JSON."""\n` +
      `        return cls(\n${reads.join('\n')}\n        )`;
    const known = this.#classes.get(name);
    if (known !== undefined && known !== text) throw new Error(`Two selections have the name ${name}. Give one of them a fragment.`);
    this.#classes.set(name, text);
  }

  #fieldsOf(selection: SelectionSetNode, type: GraphQLNamedType, path: string): Field[] {
    const own = isObjectType(type) || isInterfaceType(type) ? type.getFields() : {};
    return this.#selected(selection, type).map((node) => {
      const data = `data["${responseKey(node)}"]`;
      if (node.name.value === '__typename') return { key: 'type_name', type: 'str', read: data, description: 'The name of its type.' };
      const { type: fieldType, description } = own[node.name.value] ?? never(path);
      const key = snake(responseKey(node));
      const { type: python, read } = this.#shape(node, fieldType, path + pascal(responseKey(node)));
      return { key: keywords.has(key) ? `${key}_` : key, type: python, read: read(data), description: description ?? '' };
    });
  }

  /** The fields that a selection takes of an object or interface, each once. */
  #selected(selection: SelectionSetNode, type: GraphQLNamedType): FieldNode[] {
    const fields = new Map<string, FieldNode>();
    const take = ({ selections }: SelectionSetNode): void => {
      for (const node of selections) {
        if (node.kind === Kind.FIELD) fields.set(responseKey(node), node);
        else {
          const part = node.kind === Kind.INLINE_FRAGMENT ? node : found(this.#fragments, node.name.value);
          const on = part.typeCondition?.name.value;
          if (on === undefined || this.#applies(on, type)) take(part.selectionSet);
        }
      }
    };
    take(selection);
    // A payload has no members of its own to distinguish.
    if (isObjectType(type) && type.name.endsWith('Payload')) fields.delete('__typename');
    return [...fields.values()];
  }

  #applies(condition: string, type: GraphQLNamedType): boolean {
    if (condition === type.name) return true;
    const wanted = this.#named(condition);
    if (!isAbstractType(wanted)) return false;
    // isObjectType or isInterfaceType: a union has no fields.
    return this.#schema.isSubType(wanted, type as GraphQLObjectType);
  }

  #inputShape(type: GraphQLInputType): string {
    if (isNonNullType(type)) return this.#inputNonNull(type.ofType);
    return `Optional[${this.#inputNonNull(type)}]`;
  }

  #inputNonNull(type: GraphQLInputType): string {
    if (isListType(type)) return `Sequence[${this.#inputShape(type.ofType)}]`;
    const named = getNamedType(type);
    if (isEnumType(named)) return this.#enumName(named.name);
    if (!isInputObjectType(named)) return found(new Map(Object.entries(inputs)), named.name);
    if (!this.#inputs.has(named.name)) {
      this.#inputs.set(named.name, ''); // before its fields, which may need it
      const fields = Object.values(named.getFields()).map((field) => ({
        key: field.name,
        type: this.#inputShape(field.type),
        isRequired: isNonNullType(field.type) && field.defaultValue === undefined,
        description: field.description ?? '',
      }));
      this.#inputs.delete(named.name); // after its fields' types, in the file as well
      this.#inputs.set(named.name, printTypedDict(named.name, named.description ?? '', fields));
    }
    return named.name;
  }

  #enumName(name: string): string {
    const type = this.#named(name);
    if (!isEnumType(type)) throw new Error(`${name} is no enum.`);
    const values = type.getValues().map((value) => `    "${value.name}",  # ${flat(value.description)}`);
    this.#enums.set(name, `${name} = Literal[\n${values.join('\n')}\n]\n${docstring(type.description, 0)}`);
    return name;
  }

  #typeOf(node: TypeNode): GraphQLInputType {
    // A valid document's variables have input types. typeFromAST's overloads do not say so.
    return typeFromAST(this.#schema, node as never) as unknown as GraphQLInputType;
  }

  #named(name: string): GraphQLNamedType {
    return this.#schema.getType(name) ?? never(name);
  }
}

const textOf = ({ name }: OperationDefinitionNode | FragmentDefinitionNode) => `_${snake(name?.value ?? '').toUpperCase()}`;
const constantOf = ({ name }: OperationDefinitionNode) => snake(name?.value ?? '').toUpperCase();
const shapeOfClass = (name: string): Shape => ({ type: name, read: (data) => `${name}.read(${data})` });
const responseKey = (node: FieldNode) => node.alias?.value ?? node.name.value;
