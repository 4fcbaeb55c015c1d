/** What a setting is. A topic is a file of them; src/config/settings.ts names the topics. */

export interface Setting<V = unknown> {
  /** `body-size` is the flag --body-size and the variable TRAINYARD_BODY_SIZE. */
  readonly name: string;
  /** What it is for and, where that is not plain, why the default is what it is. Without a full stop: the default follows it. */
  readonly text: string;
  readonly byDefault: V;
  /** Stands for the value: `N`, `URL`. Empty: the flag takes none. */
  readonly placeholder: string;
  /** After "must be": `a whole number from 0 to 65535`. */
  readonly takes: string;
  /** Undefined: the text is no value of this setting. */
  read(text: string): V | undefined;
  /** The text that gives this value when it is read; '' where there is none. */
  write(value: V): string;
  /** Among the few that --help shows. */
  readonly isCommon?: boolean;
  /** Of `trainyard up` alone. */
  readonly isLocal?: boolean;
  /** Its value is never said, not even when it is wrong. */
  readonly isSecret?: boolean;
  /** Taken from the environment alone: other users of the machine see flags. */
  readonly hasNoFlag?: boolean;
  /** A flag alone, without a value: what is to be done once must not stay in an environment. */
  readonly hasNoVariable?: boolean;
}

/** What every kind of setting is made from. */
export type Basics<V> = Pick<
  Setting<V>,
  'name' | 'text' | 'byDefault' | 'isCommon' | 'isLocal' | 'isSecret' | 'hasNoFlag' | 'hasNoVariable'
>;

export type Settings = Readonly<Record<string, Setting>>;
export type ValuesOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer V> ? V : never };

export const variableOf = ({ name }: Pick<Setting, 'name'>): string => `TRAINYARD_${name.toUpperCase().replaceAll('-', '_')}`;
