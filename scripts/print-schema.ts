/**
 * Writes schema.graphql. With --check, writes nothing, and fails if the file is out of date.
 *
 *     npm run schema
 *     npm run schema -- --check
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { lexicographicSortSchema, printSchema, validateSchema } from 'graphql';
import { schema } from '../src/schema/index.ts';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const file = fileURLToPath(new URL('../schema.graphql', import.meta.url));

const errors = validateSchema(schema);
if (errors.length > 0) {
  for (const error of errors) console.error(error.message);
  process.exit(1);
}

// Sorted, so that moving code does not change the contract.
const printed = `# The API that this gateway offers. Printed from src/schema by \`npm run schema\`; do not edit.\n\n${printSchema(lexicographicSortSchema(schema))}\n`;
if (!values.check) {
  writeFileSync(file, printed);
} else if (readFileSync(file, 'utf8') !== printed) {
  console.error('schema.graphql does not match src/schema: run `npm run schema` and commit the change.');
  process.exit(1);
}
