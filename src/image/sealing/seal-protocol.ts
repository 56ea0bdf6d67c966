/** What a sealing thread is started with. */
export interface SealThreadData {
  readonly salt: Uint8Array;
  /** Slots of one chunk each, that both sides see. */
  readonly slots: SharedArrayBuffer;
}

/** To the thread: seal the plaintext in this slot, in place. */
export interface SealRequest {
  readonly slot: number;
}

/** From the thread: the slot now holds the ciphertext. */
export interface SealAnswer {
  readonly slot: number;
  readonly name: string;
  readonly key: Uint8Array;
}
