/** What judges values by JSON Schemas: a schema comes from a user, and so its judge works elsewhere, and for a limited time. */

/** Keys from the top; the index of a list is one too. */
export type JsonPath = readonly string[];

/** One thing that is wrong, and where: keys from the top of what was checked. */
export interface SchemaProblem {
  readonly place: JsonPath;
  readonly message: string;
}

/** What becomes of settings under a schema. */
export interface SchemaOutcome {
  /** With the schema's defaults put in. */
  readonly settings: Record<string, unknown>;
  /** Where a default was put in. */
  readonly defaults: readonly JsonPath[];
  /** The keys that the schema does not know, the highest of each. */
  readonly unknown: readonly JsonPath[];
  /** What of the settings the schema forbids. A key that it does not know is none, even where it says so. */
  readonly problems: readonly SchemaProblem[];
}

/** Judges settings, as text, by a schema, as text. */
export interface Schemas {
  /** Rejects with SchemaUnusable, and with RequestRefused where too many wait for the same schema. */
  judge(schema: string, settings: string): Promise<SchemaOutcome>;
}

/** The schema cannot be worked with; the message says why. */
export class SchemaUnusable extends Error {
  readonly problems: readonly SchemaProblem[];
  constructor(message: string, problems: readonly SchemaProblem[] = []) {
    super(message);
    this.problems = problems;
  }
}
