/** The files of GraphiQL's page. They are megabytes, so this module is loaded on first use. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { css, editorWorkerService, favicon, graphqlWorker, js, jsonWorker } from '@graphql-yoga/render-graphiql/graphiql';
import { fileOfPackage } from '../../installation.ts';
import type { Target } from '../http/target.ts';
import { TABS } from './tabs.ts';

interface Asset {
  readonly type: string;
  readonly text: string;
  /** Made on the first request. All clients get the same bytes, so a slow one costs nothing. */
  plain: Promise<Buffer> | undefined;
  gzipped: Promise<Buffer> | undefined;
}

const SCRIPT = 'text/javascript; charset=utf-8';

/** GraphiQL from its npm package, and the script of this project that starts it with a key. */
const ASSETS: ReadonlyMap<string, Asset> = new Map(
  (
    [
      ['graphiql.js', SCRIPT, js],
      ['graphiql.css', 'text/css; charset=utf-8', css],
      ['editor.worker.js', SCRIPT, editorWorkerService],
      ['json.worker.js', SCRIPT, jsonWorker],
      ['graphql.worker.js', SCRIPT, graphqlWorker],
      ['page.js', SCRIPT, readFileSync(fileOfPackage('src/server/graphiql/page.js'), 'utf8')],
    ] as const
  ).map(([name, type, text]) => [name, { type, text, plain: undefined, gzipped: undefined }]),
);

/** A hash of all files. Browsers may cache the files forever, and load new ones by a new hash. */
const VERSION = [...ASSETS.values()]
  .reduce((hash, { text }) => hash.update(text), createHash('sha256'))
  .digest('base64url')
  .slice(0, 12);

export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trainyard</title>
<link rel="icon" href="${favicon}">
<link rel="stylesheet" href="/graphql/graphiql.css?v=${VERSION}">
<style>
html, body, #root { height: 100%; margin: 0 }
.graphiql-tab { transform: none !important } /* in Chromium a press would move it away before the click */
#sign-in { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto 0; padding: 0 1rem }
#sign-in input { font: 14px ui-monospace, monospace; width: 100%; box-sizing: border-box; padding: .6rem; margin: .5rem 0 }
#sign-in button { font: inherit; padding: .4rem 1.2rem }
#sign-in output { display: block; color: #b00020; margin-top: .5rem }
</style>
</head>
<body>
<noscript>GraphiQL needs JavaScript.</noscript>
<form id="sign-in" hidden>
<h1>Trainyard</h1>
<p>GraphiQL asks with a key. Paste one (<code>tyk_…</code>), or open the link that the gateway printed when it started. The key stays in this tab.</p>
<input name="key" type="password" autocomplete="off" aria-label="Key" required>
<button>Open</button>
<output></output>
</form>
<div id="root"></div>
<script type="application/json" id="tabs">${JSON.stringify(TABS).replaceAll('<', '\\u003c')}</script>
<script src="/graphql/page.js?v=${VERSION}" data-version="${VERSION}"></script>
</body>
</html>
`;

const compress = promisify(gzip);

/**
 * Answers GET /graphql/NAME with a file of the page. With the version in its URL it may be cached
 * forever. Without, it must be revalidated.
 */
export async function answerAsset({ path, search }: Target, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asset = ASSETS.get(path.slice('/graphql/'.length));
  if (!asset || (request.method !== 'GET' && request.method !== 'HEAD')) return void response.writeHead(404).end();
  const headers = {
    'cache-control': search === `?v=${VERSION}` ? 'public, max-age=31536000, immutable' : 'public, no-cache',
    etag: `W/"${VERSION}"`,
    vary: 'Accept-Encoding',
  };
  if (request.headers['if-none-match'] === headers.etag) return void response.writeHead(304, headers).end();
  const isGzipped = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  asset.plain ??= Promise.resolve(Buffer.from(asset.text));
  if (isGzipped) asset.gzipped ??= compress(asset.text);
  const body = await (isGzipped && asset.gzipped ? asset.gzipped : asset.plain);
  response.writeHead(200, {
    ...headers,
    'content-type': asset.type,
    'content-length': body.length,
    'x-content-type-options': 'nosniff',
    ...(isGzipped ? { 'content-encoding': 'gzip' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
