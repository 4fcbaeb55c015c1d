/** The custom scalars. */
import { GraphQLError, Kind, type ValueNode, valueFromASTUntyped } from 'graphql';
import { cut } from '../../text/acceptable.ts';
import { builder } from './builder.ts';
import { isoText } from './iso.ts';

/**
 * The TypeScript types of each scalar. It is a type and not an interface because Pothos needs an
 * index signature.
 */
export type Scalars = {
  ID: { Input: string; Output: string };
  DateTime: { Input: Date; Output: Date };
  JSON: { Input: unknown; Output: unknown };
  JSONObject: { Input: Record<string, unknown>; Output: Readonly<Record<string, unknown>> };
  ByteCount: { Input: number; Output: number };
  Cursor: { Input: string; Output: string };
};

const RFC_3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)(?:Z|[+-]\d\d:\d\d)$/i;
/** The four-digit years that both PostgreSQL and RFC 3339 text can represent. */
const EARLIEST = Date.parse('0001-01-01T00:00:00.000Z');
const LATEST = Date.parse('9999-12-31T23:59:59.999Z');

const USUAL_LENGTH = '0000-00-00T00:00:00.000Z'.length;

function parseDateTime(value: unknown): Date {
  // As JavaScript writes it, which is what most clients send.
  const usual = typeof value === 'string' && value.length === USUAL_LENGTH ? new Date(value) : null;
  if (usual !== null && usual.getTime() >= EARLIEST && usual.toISOString() === value) return usual;
  const local = typeof value === 'string' ? RFC_3339.exec(value)?.[1] : undefined;
  const time = local === undefined ? Number.NaN : Date.parse(String(value).toUpperCase());
  if (local !== undefined && time >= EARLIEST && time <= LATEST && isOfCalendar(local.toUpperCase())) return new Date(time);
  throw new GraphQLError(`DateTime must be RFC 3339 text with a time zone, like "2026-01-31T12:00:00.000Z"; got ${show(value)}.`);
}

/** JavaScript would accept the 30th of February as the 2nd of March. */
function isOfCalendar(local: string): boolean {
  const time = Date.parse(`${local}Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().slice(0, 10) === local.slice(0, 10);
}

function parseObject(value: unknown): Record<string, unknown> {
  if (isObject(value)) return value;
  throw new GraphQLError(`JSONObject must be an object; got ${show(value)}.`);
}

function parseByteCount(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new GraphQLError(`ByteCount must be a whole number from 0 to 2^53-1; got ${show(value)}.`);
}

function parseCursor(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new GraphQLError(`Cursor must be text that a frame or a page gave; got ${show(value)}.`);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Returns plain objects, as JSON.parse does. Those of graphql-js have no prototype, which some code
 * that takes an object cannot handle.
 */
const parseJsonLiteral = (node: ValueNode, variables: Variables): unknown => structuredClone(valueFromASTUntyped(node, variables));
type Variables = Parameters<typeof valueFromASTUntyped>[1];

/** The beginning of an invalid value, for error messages. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return cut(text, 61);
}

builder.scalarType('DateTime', {
  description:
    'A point in time, as RFC 3339 text. Output is in UTC with milliseconds: `2026-01-31T12:00:00.000Z`. Input may have any ' +
    'offset and is truncated to milliseconds.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
  serialize: isoText,
  parseValue: parseDateTime,
  parseLiteral: (node) => parseDateTime(node.kind === Kind.STRING ? node.value : valueFromASTUntyped(node)),
});

builder.scalarType('JSON', {
  description: 'Any JSON value: an object, an array, a string, a number, true, false or null.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: parseJsonLiteral,
});

builder.scalarType('JSONObject', {
  description: 'A JSON object. Its keys keep their order.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
  serialize: (value) => value,
  parseValue: parseObject,
  parseLiteral: (node, variables) => parseObject(parseJsonLiteral(node, variables)),
});

builder.scalarType('ByteCount', {
  description: 'A whole number of bytes from 0 to 2^53-1: larger than Int, and exact in JavaScript.',
  serialize: (value) => value,
  parseValue: parseByteCount,
  parseLiteral: (node) => parseByteCount(node.kind === Kind.INT ? Number(node.value) : valueFromASTUntyped(node)),
});

builder.scalarType('Cursor', {
  description:
    'A position in a stream of stored entries. A cursor is opaque, belongs to one stream of this store, and survives restarts. ' +
    'Keep the last cursor that you saw and pass it as `after` to continue without loss or repetition.',
  serialize: (value) => value,
  parseValue: parseCursor,
  parseLiteral: (node) => parseCursor(node.kind === Kind.STRING ? node.value : valueFromASTUntyped(node)),
});
