/**
 * Checks values against JSON Schemas. A schema comes from a user, so the check runs elsewhere and
 * for a limited time.
 */

/** Keys from the top. The index of a list is a key, too. */
export type JsonPath = readonly string[];

/** A problem, and its path from the top of the checked value. */
export interface SchemaProblem {
  readonly place: JsonPath;
  readonly message: string;
}

/** The result of checking settings against a schema. */
export interface SchemaOutcome {
  /** With the schema's defaults filled in. */
  readonly settings: Record<string, unknown>;
  /** The paths at which a default was filled in. */
  readonly defaults: readonly JsonPath[];
  /** The paths of unknown keys: only the highest of each. */
  readonly unknown: readonly JsonPath[];
  /** What the schema forbids. An unknown key is not a problem, even if the schema forbids it. */
  readonly problems: readonly SchemaProblem[];
}

/** Checks settings against a schema, both as text. */
export interface Schemas {
  /** Rejects with SchemaUnusable, or with RequestRefused if too many wait for the same schema. */
  judge(schema: string, settings: string): Promise<SchemaOutcome>;
}

/** The schema cannot be used. The message says why. */
export class SchemaUnusable extends Error {
  readonly problems: readonly SchemaProblem[];
  constructor(message: string, problems: readonly SchemaProblem[] = []) {
    super(message);
    this.problems = problems;
  }
}
