/** The console: its page, and the files that `npm ci` built for it (scripts/build.ts). */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import mime from 'mime-types';
import { fileOfPackage } from '../../installation.ts';
import { prefersPage } from '../http/accept.ts';

/**
 * Everything comes from the gateway, and nothing is inline. `blob:` is for previews of files, which
 * the page reads itself.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // Without a referrer to its own site, Chromium leaves out Origin as well.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'cache-control': 'no-cache',
} as const;

/** A file as it is sent, by content coding: the build has compressed each. */
interface Built {
  readonly type: string;
  readonly etag: string;
  readonly codings: ReadonlyMap<'identity' | 'gzip' | 'br', Buffer>;
}

let built: ReadonlyMap<string, Built> | undefined;

/** Whether a browser opens this address: the console decides by the path what to show. */
export const opensPage = (request: IncomingMessage): boolean =>
  (request.method === 'GET' || request.method === 'HEAD') &&
  request.headers.authorization === undefined &&
  prefersPage(request.headers.accept);

/** Answers with the console's page. The page needs no key. What it asks does. */
export function answerPage(request: IncomingMessage, response: ServerResponse): void {
  const page = readBuilt().get('index.html');
  if (page) send(request, response, page, pageHeaders);
  else response.writeHead(503, { ...pageHeaders, 'cache-control': 'no-store' }).end(NOT_BUILT);
}

/** Answers GET /assets/NAME. The names contain a hash of the file, so browsers keep them. */
export function answerAsset(path: string, request: IncomingMessage, response: ServerResponse): void {
  const file = readBuilt().get(path.slice(1));
  if (!file || (request.method !== 'GET' && request.method !== 'HEAD')) return void response.writeHead(404).end();
  send(request, response, file, {
    'content-type': file.type,
    'cache-control': 'public, max-age=31536000, immutable',
    'x-content-type-options': 'nosniff',
  });
}

function send(request: IncomingMessage, response: ServerResponse, { etag, codings }: Built, headers: Record<string, string>): void {
  const all = { ...headers, etag, vary: 'Accept-Encoding' };
  if (request.headers['if-none-match'] === etag) return void response.writeHead(304, all).end();
  const accepted = String(request.headers['accept-encoding'] ?? '');
  const coding =
    (['br', 'gzip'] as const).find((name) => codings.has(name) && new RegExp(`\\b${name}\\b(?!;q=0(\\.0*)?(,|$))`).test(accepted)) ??
    'identity';
  const body = codings.get(coding) ?? Buffer.alloc(0);
  response.writeHead(200, { ...all, 'content-length': body.length, ...(coding !== 'identity' && { 'content-encoding': coding }) });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** All files, read once: half a megabyte. */
function readBuilt(): ReadonlyMap<string, Built> {
  built ??= new Map(listBuilt().map((name) => [name, readFile(name)]));
  return built;
}

const folder = fileOfPackage('dist/console/');

function listBuilt(): string[] {
  try {
    const names = readdirSync(folder, { recursive: true, withFileTypes: true });
    const top = fileURLToPath(folder);
    return names
      .filter((each) => each.isFile() && !/\.(br|gz)$/.test(each.name))
      .map((each) => `${each.parentPath}/${each.name}`.slice(top.length).replace(/^\//, ''));
  } catch {
    return [];
  }
}

function readFile(name: string): Built {
  const read = (suffix: string) => readFileSync(new URL(name + suffix, folder));
  const plain = read('');
  const codings = new Map<'identity' | 'gzip' | 'br', Buffer>([['identity', plain]]);
  for (const [coding, suffix] of [
    ['gzip', '.gz'],
    ['br', '.br'],
  ] as const) {
    try {
      codings.set(coding, read(suffix));
    } catch {
      // Too small to compress.
    }
  }
  const etag = `W/"${createHash('sha256').update(plain).digest('base64url').slice(0, 16)}"`;
  return { type: mime.contentType(name.replace(/.*\//, '')) || 'application/octet-stream', etag, codings };
}

const NOT_BUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Trainyard</title>
<p>The console is not built in this installation. <code>npm ci && npm run build</code> builds it.
<p><a href="/graphql">GraphiQL</a> works without it.
</html>
`;
