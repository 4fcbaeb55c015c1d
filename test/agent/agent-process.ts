/**
 * Runs an agent in its own process, which a test can kill. Its only argument is its options as
 * JSON.
 */
import { runAgent } from '../../src/agent/agent.ts';

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const options = JSON.parse(process.argv[2] ?? '{}');
process.exitCode = await runAgent({ ...options, log: (line) => console.log(line), stop: stop.signal });
