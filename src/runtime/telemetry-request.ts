import { z } from 'zod';

/** What an extension asks to be sent, and how. */
export interface TelemetryRequest {
  readonly types: readonly TelemetryType[];
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly port: number;
  /** With its query. */
  readonly path: string;
}

export type TelemetryType = 'platform' | 'function' | 'extension';
/** The Telemetry API, and the Logs API that was before it. */
export type TelemetryFlavour = 'telemetry' | 'logs';

const schemaVersions = {
  telemetry: ['2022-12-13', '2022-07-01'],
  logs: ['2020-08-15', '2021-03-18'],
} as const;

/** The bounds and defaults of contract 2.7. */
const buffering = z.object({
  maxItems: z.int().min(1000).max(10_000).default(10_000),
  maxBytes: z.int().min(262_144).max(1_048_576).default(262_144),
  timeoutMs: z.int().min(25).max(30_000).default(1000),
});

const request = z.object({
  schemaVersion: z.string().optional(),
  types: z.array(z.enum(['platform', 'function', 'extension'])).min(1),
  buffering: buffering.default({ maxItems: 10_000, maxBytes: 262_144, timeoutMs: 1000 }),
  destination: z.object({ protocol: z.literal('HTTP'), URI: z.url() }),
});

/** Names by which a sandbox knows itself. */
const ownNames: ReadonlySet<string> = new Set(['sandbox.localdomain', 'sandbox']);

/** The subscription that a body asks for, or why there can be none. */
export function parseTelemetryRequest(
  flavour: TelemetryFlavour,
  body: Buffer,
): TelemetryRequest | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return { problem: 'the body is not JSON' };
  }
  const parsed = request.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { problem: `${issue?.path.join('.')}: ${issue?.message}` };
  }
  const { schemaVersion, types, buffering: buffer, destination } = parsed.data;
  const known: readonly string[] = schemaVersions[flavour];
  if (schemaVersion !== undefined && !known.includes(schemaVersion)) {
    return { problem: `schemaVersion: ${schemaVersion} is none of ${known.join(', ')}` };
  }
  const url = new URL(destination.URI);
  const port = Number(url.port || 80);
  if (url.protocol !== 'http:' || !ownNames.has(url.hostname)) {
    return { problem: 'destination.URI: is not of the form http://sandbox.localdomain:PORT/PATH' };
  }
  return { types: [...new Set(types)], ...buffer, port, path: `${url.pathname}${url.search}` };
}
