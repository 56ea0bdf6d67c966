import { readFileSync } from 'node:fs';
import { type Clock, type Logger, limits, type Meter, SluiceError } from '../../base/mod.ts';
import { ErasureCode } from '../../erasure/mod.ts';
import type { ChunkSink, ChunkSource } from '../../seal/mod.ts';
import { type L2Source, l2Cached } from './l2-cached.ts';
import { FileMembership, staticMembership } from './membership.ts';
import { readSecretFile } from './request-signature.ts';

/** L2 as a worker is told about it: plain values that fit in a message to another process. */
export interface L2Settings {
  /** `HOST:PORT,HOST:PORT`, or `@FILE` with one a line, read again while it runs. */
  readonly nodes: string;
  /** `4+1` */
  readonly code: string;
  readonly secretFile: string;
}

export interface L2Tools {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly logger: Logger;
}

/** `4+1` → a code; rejects with `CONFIG_INVALID`. */
export function parseErasureCode(text: string): ErasureCode {
  const match = /^(\d{1,2})\+(\d{1,2})$/.exec(text);
  if (!match) throw new SluiceError('CONFIG_INVALID', `${text}: a code is K+M, such as 4+1`);
  const code = ErasureCode.create({ k: Number(match[1]), m: Number(match[2]) });
  if (code.stripeSizeBytes <= limits.l2.stripeBytes) return code;
  throw new SluiceError('CONFIG_INVALID', `${text}: its stripes are larger than a node takes`);
}

/** The hosts of the nodes that are named now. */
export function l2Hosts({ nodes }: L2Settings): string[] {
  const list = nodes.startsWith('@') ? readFileSync(nodes.slice(1), 'utf8') : nodes;
  const addresses = list
    .replace(/#.*/g, '')
    .split(/[\s,]+/)
    .filter(Boolean);
  return addresses.map((each) => each.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
}

/** L2 above `origin` as the settings say; rejects with `CONFIG_INVALID`. */
export async function openL2(
  origin: ChunkSource,
  { nodes, code, secretFile }: L2Settings,
  tools: L2Tools,
): Promise<L2Source> {
  const erasureCode = parseErasureCode(code);
  const secrets = readSecretFile(secretFile);
  const fromFile = nodes.startsWith('@')
    ? await FileMembership.open(nodes.slice(1), tools.clock, tools.logger)
    : undefined;
  const membership = fromFile ?? staticMembership(nodes.split(','));
  if (membership.nodes().length < erasureCode.width) {
    tools.logger.warn(
      { nodes: membership.nodes().length, stripes: erasureCode.width },
      'fewer cache nodes than stripes of a chunk: a node that fails takes several with it',
    );
  }
  const l2 = l2Cached(origin, { ...tools, membership, code: erasureCode, secrets });
  return {
    get: (ref, signal) => l2.get(ref, signal),
    prime: (ref, ciphertext) => l2.prime(ref, ciphertext),
    idle: () => l2.idle(),
    close: () => {
      fromFile?.close();
      l2.close();
    },
  };
}

/**
 * Puts what is new in the origin into L2 as well, so that the first starts of a new image find it
 * there (the future work of ATC'23 section 4). It waits for L2, bounded, and never fails by it.
 */
export function l2Primed(sink: ChunkSink, l2: Pick<L2Source, 'prime'>): ChunkSink {
  return {
    put: async (ref, ciphertext) => {
      const outcome = await sink.put(ref, ciphertext);
      if (outcome === 'stored') await l2.prime(ref, ciphertext);
      return outcome;
    },
  };
}
