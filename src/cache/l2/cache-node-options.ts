import type { Clock, Logger, Meter } from '../../base/mod.ts';
import type { SharedSecrets } from './request-signature.ts';

export interface CacheNodeOptions {
  readonly host: string;
  readonly port: number;
  readonly directory: string;
  readonly memoryBytes: number;
  readonly flashBytes: number;
  /** The largest stripe that flash takes; a slot of the slab. */
  readonly stripeBytes: number;
  readonly secrets: SharedSecrets;
  readonly clock: Clock;
  readonly meter: Meter;
  readonly logger: Logger;
  /** Bytes of bodies being received or sent at once; `limits.l2.nodeBodyBytes` unless given. */
  readonly bodyBytes?: number;
  /** `limits.l2.nodeConnections` unless given. */
  readonly connections?: number;
  /** The text of `GET /metrics`. */
  readonly metricsText: () => Promise<string>;
}
