/**
 * For `node --import`: runs a program with altered source, without copying it. `CHAOS_ALTER` holds
 * a JSON list of `{ "file": "src/…", "from": "…", "to": "…" }`. A text that does not occur exactly
 * once ends the process: a control that changes nothing controls nothing.
 */
import { registerHooks } from 'node:module';

interface Alteration {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const alterations: readonly Alteration[] = JSON.parse(process.env.CHAOS_ALTER ?? '[]');

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const mine = alterations.filter(({ file }) => url.endsWith(`/${file}`));
    if (mine.length === 0 || !loaded.source) return loaded;
    let source = typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString('utf8'); // or an ArrayBuffer, which Buffer.from accepts
    for (const { file, from, to } of mine) {
      if (source.split(from).length !== 2) throw new Error(`${file} has ${JSON.stringify(from)} not once.`);
      source = source.replace(from, () => to);
    }
    return { ...loaded, source };
  },
});
