import SqliteDatabase from 'better-sqlite3';

const { prepare } = SqliteDatabase.prototype;

/**
 * Notes the statements that run on connections which prepare them from now on. Returns a function
 * that ends this.
 */
export function noteStatements(notes: string[]): () => void {
  SqliteDatabase.prototype.prepare = function noted(this: SqliteDatabase.Database, text: string) {
    const statement = prepare.call(this, text) as SqliteDatabase.Statement;
    for (const method of ['run', 'all', 'get'] as const) {
      const run = statement[method].bind(statement) as (...values: unknown[]) => unknown;
      Object.defineProperty(statement, method, {
        value: (...values: unknown[]) => {
          notes.push(text);
          return run(...values);
        },
      });
    }
    return statement;
  } as typeof prepare;
  return () => {
    SqliteDatabase.prototype.prepare = prepare;
  };
}
