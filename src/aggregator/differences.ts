/** How the tensors of one model differ from the expected ones: by name, shape and dtype. */
import type { TensorEntry } from '../domain/files/safetensors-header.ts';

/** One sentence for each difference. `reference` names the other model: `the start model`. */
export function differencesOf(own: readonly TensorEntry[], expected: readonly TensorEntry[], reference: string): string[] {
  const byName = new Map(own.map((entry) => [entry.name, entry]));
  const expectedNames = new Set(expected.map(({ name }) => name));
  const differences: string[] = [];
  for (const { name, dtype, shape } of expected) {
    const tensor = `Tensor ${JSON.stringify(name)}`;
    const entry = byName.get(name);
    if (!entry) {
      differences.push(`${tensor} is missing: ${reference} has it.`);
      continue;
    }
    if (entry.shape.join() !== shape.join())
      differences.push(`${tensor} has shape [${entry.shape.join(', ')}]; in ${reference} it has [${shape.join(', ')}].`);
    if (entry.dtype !== dtype) differences.push(`${tensor} has dtype ${entry.dtype}; in ${reference} it has ${dtype}.`);
  }
  for (const { name } of own)
    if (!expectedNames.has(name)) differences.push(`Tensor ${JSON.stringify(name)} is additional: ${reference} does not have it.`);
  return differences;
}

/** More would not help a reader, and a model can have a hundred thousand tensors. */
const MOST_SHOWN = 20;

export function shorten(problems: readonly string[]): string[] {
  const left = problems.length - MOST_SHOWN;
  return left > 0 ? [...problems.slice(0, MOST_SHOWN), `And ${left} more.`] : [...problems];
}
