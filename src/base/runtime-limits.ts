import { KIB, MIB } from './units.ts';

/** Limits of one sandbox's Runtime API, its extensions and their telemetry. */
export const runtimeLimits = {
  /** Of one sandbox to its Runtime API. */
  connections: 16,
  /**
   * Work that one sandbox may ask of its Runtime API at once after a rest, and each second
   * afterwards; it waits for more. Asking for events and answering them is free: invokes bound it.
   */
  workUnits: 4000,
  workUnitsPerSecond: 20_000,
  requestUnits: 20,
  connectionUnits: 20,
  /** A request before the last one's answer: no client does so, and its connection ends. */
  pipelinedUnits: 20_000,
  /** Each part of a body, and so much for each part's size again. */
  bodyPartUnits: 1,
  bodyUnitBytes: 16 * KIB,
  /** Request line and headers of one request, and the trailers behind a body. */
  headBytes: 16 * KIB,
  extensions: 10,
  /**
   * What a runtime and its extensions have to end in when their sandbox goes: with extensions in
   * processes of their own, and with none but the runtime's (contract 2.7).
   */
  shutdownMs: 2000,
  shutdownInternalMs: 500,
  /** Of which the runtime has this share before extensions are told. */
  runtimeShutdownShare: 0.3,
  /** What happened before an extension subscribed, and what waits for it to take more. */
  telemetryBacklogBytes: 1 * MIB,
  telemetryPendingBytes: 4 * MIB,
  telemetryAttempts: 3,
  telemetryRetryMs: 250,
  telemetryResponseBytes: 64 * KIB,
  errorBodyBytes: 1 * MIB,
} as const;
