/** Writes one line of the log: JSON on stderr, with the time. */
export function writeLog(entry: object): void {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`);
}
