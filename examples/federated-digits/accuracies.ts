/** Accuracies on the test set, as the Python scripts print them. */
import { runScript } from './scripts.ts';

/** The accuracy of each model, in order. */
export async function evaluate(models: readonly string[], folder: string, signal: AbortSignal): Promise<number[]> {
  const accuracies: unknown = JSON.parse(await runScript('evaluate.py', ['test.digits', ...models], folder, signal));
  if (!Array.isArray(accuracies) || !accuracies.every((one) => typeof one === 'number'))
    throw new Error('evaluate.py printed no accuracies.');
  return accuracies;
}

/** The accuracies of a device that trains only on its own share, by round, from round 1 on. */
export async function trainAlone(share: string, rounds: number, folder: string, signal: AbortSignal): Promise<number[]> {
  const lines = await runScript('alone.py', [share, 'test.digits', 'start.safetensors', String(rounds)], folder, signal);
  return lines
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { accuracy }: { accuracy?: unknown } = JSON.parse(line);
      if (typeof accuracy !== 'number') throw new Error(`alone.py printed no accuracy: ${line}`);
      return accuracy;
    });
}
