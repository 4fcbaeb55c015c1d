/**
 * `npm run dev`: a gateway that starts anew after each change, and in front of it Vite, which
 * serves the console from its sources. Open the link that the gateway prints with Vite's port.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';
import { consoleConfig } from './console.ts';

const gatewayUrl = 'http://127.0.0.1:4000';
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const gateway = spawn(process.execPath, ['--watch', main, 'up', ...process.argv.slice(2)], { stdio: 'inherit' });

const proxy = Object.fromEntries(['/graphql', '/session', '/fragments', '/health'].map((path) => [path, { target: gatewayUrl, ws: true }]));
const server = await createServer({
  ...consoleConfig,
  logLevel: 'info',
  server: { host: '127.0.0.1', port: 4001, strictPort: true, proxy },
});
await server.listen();
server.printUrls();
gateway.once('exit', (code) => process.exit(code ?? 1));
