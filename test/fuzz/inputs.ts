/** Values for arguments and variables, valid or not. */
import { type GraphQLInputType, isEnumType, isInputObjectType, isListType, isNonNullType } from 'graphql';
import type { World } from '../e2e/world.ts';
import type { Choices } from './choices.ts';

/** Texts that break careless code. */
const texts = [
  'a',
  '',
  ' ',
  '\0',
  'a\0b',
  'a\nb\r\n',
  '\u202Etxt.exe',
  '\uD800',
  '\uDC00\uD800',
  '😀👩‍👩‍👧',
  'مرحبا',
  '\uFFFF\uFEFF',
  "'; drop table jobs; --",
  '%_\\',
  '$1 {{x}} %s',
  '../../etc/passwd',
  '__proto__',
  'constructor',
  'NaN',
  '-1',
  '1e999',
  'null',
  '2026-13-45T99:99:99Z',
  '0000-00-00',
  'x'.repeat(300),
  '😀'.repeat(20_000),
] as const;
const numbers = [
  1,
  0,
  -0,
  -1,
  2,
  0.1,
  -0.5,
  1e-300,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 53,
  -(2 ** 53),
  1e21,
  1e308,
  3,
  100,
  1_000,
] as const;
const moments = ['2026-01-01T00:00:00Z', '0001-01-01T00:00:00+14:00', '9999-12-31T23:59:59.999Z', ...texts] as const;
const misfits = [null, true, 0, -1.5, '', 'x', [], {}, [[]], { a: [null] }] as const;

/** Existing ids, by the name of the field that takes them. */
export interface Known {
  readonly ids: readonly [string, ...string[]];
  readonly byName: Readonly<Record<string, string>>;
}

export function knownOf({ keys: _, makeKey: __, foreign, ...own }: World): Known {
  const [first = '', ...rest] = [...Object.values(own), ...Object.values(foreign)];
  const { project, device, experiment, file, adminKeyId, leaseToken } = own;
  const files = { fragmentId: file, startModelFragmentId: file };
  const byName = {
    projectId: project,
    jobId: own.own,
    deviceId: device,
    experimentId: experiment,
    apiKeyId: adminKeyId,
    leaseToken,
    ...files,
  };
  return { ids: [first, ...rest], byName };
}

export class Inputs {
  readonly #choices: Choices;
  readonly #known: Known;
  /** How often a value does not fit its place, in percent. */
  readonly #oddity: number;

  constructor(choices: Choices, known: Known) {
    this.#choices = choices;
    this.#known = known;
    this.#oddity = choices.pick([0, 5, 10, 50]);
  }

  /** Usually of the right type: a value that passes the first check reaches the others. */
  value(type: GraphQLInputType, name: string, depth = 0): unknown {
    const choices = this.#choices;
    // A mutation that waits for work takes its time by design.
    if (name === 'waitSeconds') return 0;
    if (choices.chance(this.#oddity / 10)) return choices.pick<unknown>(misfits);
    if (isNonNullType(type)) return this.value(type.ofType, name, depth);
    if (choices.chance(depth > 2 ? 60 : 10)) return null;
    if (isListType(type)) return Array.from({ length: choices.pick([1, 0, 1, 2, 3]) }, () => this.value(type.ofType, name, depth + 1));
    if (isEnumType(type)) return choices.chance(this.#oddity / 10) ? 'NO_SUCH_WORD' : this.#word(type.getValues());
    if (isInputObjectType(type)) return this.#object(Object.values(type.getFields()), depth);
    const fitting = this.#known.byName[name];
    return fitting !== undefined && !choices.chance(this.#oddity + 5) ? fitting : this.#scalar(type.name);
  }

  #word(values: readonly { readonly name: string }[]): string {
    return values[this.#choices.number(values.length)]?.name ?? '';
  }

  #object(fields: readonly { readonly name: string; readonly type: GraphQLInputType }[], depth: number): unknown {
    const wanted = fields.filter(({ type }) => isNonNullType(type) || this.#choices.chance(depth > 1 ? 25 : 45));
    return Object.fromEntries(wanted.map(({ name, type }) => [name, this.value(type, name, depth + 1)]));
  }

  #scalar(name: string): unknown {
    const choices = this.#choices;
    const isOdd = choices.chance(this.#oddity);
    if (name === 'ID') return isOdd ? choices.pick(texts) : choices.pick(this.#known.ids);
    if (name === 'Int') return isOdd ? choices.pick(numbers) : choices.pick([1, 2, 3]);
    if (name === 'Float') return isOdd ? choices.pick(numbers) : choices.pick([1, 60, 2.5]);
    if (name === 'ByteCount') return choices.pick([0, 1, 5, 2 ** 40, ...numbers]);
    if (name === 'Boolean') return choices.chance(50);
    if (name === 'DateTime') return choices.pick(moments);
    if (name === 'Cursor') return choices.pick([Buffer.from('x.event.y.1').toString('base64url'), ...texts]);
    if (name === 'JSON' || name === 'JSONObject') return this.#json(name === 'JSONObject');
    return isOdd ? choices.pick(texts) : choices.pick(['a', 'b', '5', 'loss', 'größer 😀', '\uD800']);
  }

  #json(isObject: boolean): unknown {
    const choices = this.#choices;
    const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });
    const entry = choices.pick<unknown>([
      null,
      1,
      1e308,
      -0,
      choices.pick(texts),
      [choices.pick(texts)],
      deep(20),
      deep(200),
      { $ref: '#' },
    ]);
    return isObject || choices.chance(50)
      ? JSON.parse(`{${JSON.stringify(choices.pick(texts))}: ${JSON.stringify(entry)}, "type": ["object"]}`)
      : entry;
  }
}
