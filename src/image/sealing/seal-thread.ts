import { parentPort, workerData } from 'node:worker_threads';
import { assert, CHUNK_SIZE_BYTES } from '../../base/mod.ts';
import { sealChunk } from '../../seal/mod.ts';
import type { SealAnswer, SealRequest, SealThreadData } from './seal-protocol.ts';

const { salt, slots } = workerData as SealThreadData;
const saltBytes = Buffer.from(salt);
const port = parentPort;
assert(port !== null, 'this file is a thread');

port.on('message', ({ slot }: SealRequest) => {
  const bytes = Buffer.from(slots, slot * CHUNK_SIZE_BYTES, CHUNK_SIZE_BYTES);
  const { name, key } = sealChunk(saltBytes, bytes, bytes);
  port.postMessage({ slot, name, key } satisfies SealAnswer);
});
