/** What a setting is. Each topic is a file of settings. src/config/settings.ts lists the topics. */

export interface Setting<V = unknown> {
  /** `body-size` is the flag --body-size and the variable TRAINYARD_BODY_SIZE. */
  readonly name: string;
  /**
   * What it is for and, if that is not obvious, the reason for the default. Without a full stop:
   * the default follows.
   */
  readonly text: string;
  readonly byDefault: V;
  /** The value's name: `N`, `URL`. Empty if the flag takes none. */
  readonly placeholder: string;
  /** Completes "must be …": `a whole number from 0 to 65535`. */
  readonly takes: string;
  /** Parses a text. Undefined if it is not a value of this setting. */
  read(text: string): V | undefined;
  /** The text that parses to this value. Empty if there is none. */
  write(value: V): string;
  /** Whether --help shows it. */
  readonly isCommon?: boolean;
  /** Whether only `trainyard up` has it. */
  readonly isLocal?: boolean;
  /** Whether its value is never printed, not even in an error. */
  readonly isSecret?: boolean;
  /**
   * Whether an empty variable is refused instead of counting as unset, because it protects: a
   * variable that was forgotten elsewhere must not switch the protection off.
   */
  readonly refusesEmpty?: boolean;
  /**
   * Whether it comes from the environment only, because other users of the machine can see flags.
   */
  readonly hasNoFlag?: boolean;
  /**
   * Whether it is only a flag, without a value: something done once must not stay in an
   * environment.
   */
  readonly hasNoVariable?: boolean;
}

/** What every kind of setting needs. */
export type Basics<V> = Pick<
  Setting<V>,
  'name' | 'text' | 'byDefault' | 'isCommon' | 'isLocal' | 'isSecret' | 'refusesEmpty' | 'hasNoFlag' | 'hasNoVariable'
>;

export type Settings = Readonly<Record<string, Setting>>;
export type ValuesOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer V> ? V : never };

export const variableOf = ({ name }: Pick<Setting, 'name'>): string => `TRAINYARD_${name.toUpperCase().replaceAll('-', '_')}`;
