import { decompressed } from './decompress.ts';
import { type Digest, verified } from './digest.ts';

/** What a layer's bytes must be. */
export interface LayerChecks {
  /** Names the layer in errors. */
  readonly layerDigest: Digest;
  /** Of the bytes as stored; absent where the store knows neither. */
  readonly stored?: { readonly digest: Digest; readonly sizeBytes: number };
  readonly diffId: Digest;
}

/** A layer's tar stream out of its stored bytes: checked, decompressed, checked again. */
export function layerBytes(
  stored: AsyncIterable<Buffer>,
  { layerDigest, stored: expected, diffId }: LayerChecks,
): AsyncIterable<Buffer> {
  const subject = { what: `layer ${layerDigest}`, data: { layer: layerDigest } };
  const checked = expected ? verified(stored, { ...expected, layerDigest }) : stored;
  return verified(decompressed(checked, subject), { digest: diffId, layerDigest });
}
