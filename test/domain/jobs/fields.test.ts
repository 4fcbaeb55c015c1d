import { getTableColumns } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { allJobFields } from '../../../src/domain/jobs/fields.ts';
import { sqliteKit } from '../../../src/store/schema/columns.ts';
import { defineTables } from '../../../src/store/schema/tables.ts';

const columns: Readonly<Record<string, { readonly notNull: boolean } | undefined>> = getTableColumns(defineTables(sqliteKit).jobs);

describe.each(allJobFields)('The field %s of a job', (name, field) => {
  test('has a column, which may be null exactly where a new job has nothing by default', () => {
    expect(columns[name]?.notNull).toBe(field.byDefault !== null);
  });

  test('is taken by createJob or updateJob', () => {
    expect([field.create, field.update].filter((description) => description !== undefined)).not.toEqual([]);
  });

  test('is part of what the job runs with only where updateJob can change it', () => {
    expect(field.isConfiguration === true && field.update === undefined).toBe(false);
  });
});
