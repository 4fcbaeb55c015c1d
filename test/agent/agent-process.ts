/** An agent in a process of its own, which a test can kill. Its options are its only argument, as JSON. */
import { runAgent } from '../../src/agent/agent.ts';

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const options = JSON.parse(process.argv[2] ?? '{}');
process.exitCode = await runAgent({ ...options, log: (line) => console.log(line), stop: stop.signal });
