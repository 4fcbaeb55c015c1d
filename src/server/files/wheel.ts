/**
 * The Python package, as a wheel that pip installs from the gateway itself: its version is always
 * the gateway's. scripts/python-wheel.ts builds it. It is the same for everybody, so it needs no
 * key.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fileOfPackage } from '../../installation.ts';

interface Wheel {
  readonly name: string;
  readonly content: Buffer;
  readonly sha256: string;
}

const folder = fileOfPackage('dist/python/');

/** Read on the first request. */
let wheels: readonly Wheel[] | undefined;

function readWheels(): readonly Wheel[] {
  return listWheels().map((name) => {
    const content = readFileSync(new URL(name, folder));
    return { name, content, sha256: createHash('sha256').update(content).digest('hex') };
  });
}

function listWheels(): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.whl'));
  } catch {
    // An installation that was not built.
    return [];
  }
}

/**
 * Answers GET /python/ with links that pip can read, and GET /python/NAME with the wheel.
 * `pathname` has no slash at its end.
 */
export async function answerWheel(request: IncomingMessage, response: ServerResponse, { pathname }: URL): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
  wheels ??= readWheels();
  if (pathname === '/python') {
    // The links are relative, since a proxy may put a prefix before them.
    if (!request.url?.replace(/\?.*/s, '').endsWith('/')) return void response.writeHead(302, { location: 'python/' }).end();
    return send(request, response, 'text/html; charset=utf-8', Buffer.from(pageOf(wheels)));
  }
  const wheel = wheels.find(({ name }) => pathname === `/python/${name}`);
  if (wheel === undefined) return void response.writeHead(404).end();
  return send(request, response, 'application/octet-stream', wheel.content, { etag: `"${wheel.sha256}"` });
}

function send(request: IncomingMessage, response: ServerResponse, type: string, body: Buffer, more: { etag?: string } = {}): void {
  response.writeHead(200, {
    ...more,
    'content-type': type,
    'content-length': body.length,
    'cache-control': 'no-cache',
    'content-security-policy': "default-src 'none'",
    'x-content-type-options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

const pageOf = (wheels: readonly Wheel[]) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Trainyard for Python</title>
<h1>Trainyard for Python</h1>
${wheels.length === 0 ? '<p>The wheel is not built in this installation: <code>npm ci && npm run build</code> builds it.' : '<p>Install it with <code>pip install</code> and the address of the file:'}
<ul>
${wheels.map(({ name, sha256 }) => `<li><a href="${name}#sha256=${sha256}">${name}</a>`).join('\n')}
</ul>
</html>
`;
