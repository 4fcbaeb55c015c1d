/**
 * A Pothos plugin that adds the field options `size` and `budget`, and bare fields.
 *
 * What an operation costs is worked out from `size` (server/execution/cost.ts); what a long answer
 * takes, from `budget` and from what lists hold beyond their size (response-budget.ts).
 *
 * A bare field is one that only reads the property of its own name, which is what GraphQL does by
 * default. It has no resolver: graphql-jit compiles it to the property read, and calls a function
 * with an info object for every other.
 */
import SchemaBuilder, {
  BasePlugin,
  type FieldNullability,
  type InputFieldMap,
  type PothosOutputFieldConfig,
  type PothosOutputFieldType,
  type SchemaTypes,
  type TypeParam,
} from '@pothos/core';
import { defaultFieldResolver, type GraphQLFieldResolver } from 'graphql';
import type { Context } from './context.ts';
import { charactersBeyond, charactersOf, chargeBudget } from './response-budget.ts';
import { IN_ITS_PAGE, type Size, sizeOfPage } from './sizes.ts';

declare global {
  namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      size: SizePlugin<Types>;
    }
    // The parameters are Pothos's: declarations of one interface merge only where they are the
    // same.
    interface FieldOptions<
      Types extends SchemaTypes = SchemaTypes,
      ParentShape = unknown,
      Type extends TypeParam<Types> = TypeParam<Types>,
      Nullable extends FieldNullability<Type> = FieldNullability<Type>,
      Args extends InputFieldMap = InputFieldMap,
      ResolveShape = unknown,
      ResolveReturnShape = unknown,
    > {
      /**
       * How many nodes it counts as. Required for lists of objects and for texts that are read
       * whole. A field with `first` or `last` has the size of its page.
       */
      size?: Size | typeof IN_ITS_PAGE;
      /**
       * Set for a text that may be longer than a message: it takes from the response budget. JSON
       * documents always do.
       */
      budget?: true;
    }
  }
}

class SizePlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onOutputFieldConfig(config: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const { size: given = sizeOfPage(config.args, this.#nameOf(config.type)) } = config.pothosOptions;
    if (given === null && isListOfObjects(config.type))
      throw new Error(`${config.parentType}.${config.name} is a list of objects: its \`size\` has to say how long.`);
    const size = given === IN_ITS_PAGE ? null : given;
    const sized = size ? { ...config, extensions: { ...config.extensions, size } } : config;
    const isBare = config.extensions?.pothosExposedField === config.name && !this.#isLong(config);
    if (!isBare) return sized;
    const { resolve: _, ...bare } = sized;
    return bare;
  }

  override wrapResolve(
    resolve: GraphQLFieldResolver<unknown, Types['Context']>,
    config: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context']> {
    // Casts: the builder's Types have this context.
    const charge = (measure: (value: unknown) => number) =>
      chargeBudget(resolve as GraphQLFieldResolver<unknown, Context>, measure) as GraphQLFieldResolver<unknown, object>;
    if (this.#isLong(config)) return charge(charactersOf);
    const size = config.extensions?.size as Size | undefined; // put there above
    // The length of a list that is read with its row is bounded by its input.
    const isReadByItself = resolve !== defaultFieldResolver && size !== undefined && size.by.length === 0 && size.usually > 1;
    return isReadByItself ? charge((list) => charactersBeyond(size.usually, list)) : resolve;
  }

  #isLong({ pothosOptions, type }: PothosOutputFieldConfig<Types>): boolean {
    return pothosOptions.budget === true || ['JSON', 'JSONObject'].includes(this.#nameOf(type));
  }

  #nameOf(type: PothosOutputFieldType<Types>): string {
    return type.kind === 'List' ? this.#nameOf(type.type) : this.builder.configStore.getTypeConfig(type.ref).name;
  }
}

const isListOfObjects = <Types extends SchemaTypes>(type: PothosOutputFieldType<Types>): boolean =>
  type.kind === 'List' && ['Object', 'Interface', 'Union'].includes(type.type.kind);

SchemaBuilder.registerPlugin('size', SizePlugin);
