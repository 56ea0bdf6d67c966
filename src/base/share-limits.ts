import { KIB } from './units.ts';

/** What one account, or one peer that has not proved who it is, may hold of what all share. */
export const shareLimits = {
  /** Of the memory for request bodies: one account; one peer under one account's name; all such. */
  bodyPartPerAccount: 1 / 4,
  bodyPartPerPeer: 1 / 4,
  bodyPartUnproven: 1 / 2,
  /** Connections on which no request was signed rightly: past this the oldest of them is closed. */
  unprovenConnections: 1024,
  /** Connections that one account keeps open between requests. */
  connectionsPerAccount: 2048,
  /** Of what all sandboxes' `/tmp` may be promised together. */
  scratchPartPerAccount: 3 / 4,
  /** Installs of one account at once; of all accounts see `functions.installsAtOnce`. */
  installsPerAccount: 2,
  /** Whole install, and the least of an image that has to come from a registry in each window. */
  installMs: 30 * 60_000,
  installWindowMs: 60_000,
  installWindowBytes: 256 * KIB,
} as const;
