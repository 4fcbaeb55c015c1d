/** A real OTLP/HTTP receiver of traces on its own port. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string; readonly value: unknown }[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
}

interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Span['attributes'] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

export async function openReceiver() {
  const spans: Span[] = [];
  const services = new Set<string>();
  let text = '';
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    text += body;
    const { resourceSpans } = JSON.parse(body) as ExportRequest; // OTLP's JSON encoding
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const { key, value } of resource.attributes) if (key === 'service.name') services.add(JSON.stringify(value));
      for (const { spans: some } of scopeSpans) spans.push(...some);
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // it listens on a port
    spans,
    services,
    text: () => text,
    close: () => server.close(),
  };
}
