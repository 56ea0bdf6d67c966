import { parentPort, workerData } from 'node:worker_threads';
import { assert, KIB, toSluiceError } from '../../base/mod.ts';
import { type LayerChecks, layerBytes } from '../layer-bytes.ts';
import { MessageQueue } from './message-queue.ts';
import {
  type FromLayerThread,
  type LayerThreadData,
  SLOT_BYTES,
  SLOTS,
  type ToLayerThread,
} from './protocol.ts';

const { slots } = workerData as LayerThreadData;
const port = parentPort;
assert(port !== null, 'this file is a thread');
const tell = (message: FromLayerThread) => port.postMessage(message);

const opened = new MessageQueue<LayerChecks>();
const stored = new MessageQueue<Uint8Array | 'end' | 'cancel'>();
const free = new MessageQueue<number | 'cancel'>();

function open(checks: LayerChecks): void {
  stored.clear();
  free.clear();
  for (let slot = 0; slot < SLOTS; slot++) free.push(slot);
  opened.push(checks);
}

port.on('message', (message: ToLayerThread) => {
  if (message.type === 'open') open(message.checks);
  else if (message.type === 'stored') stored.push(message.bytes);
  else if (message.type === 'storedEnd') stored.push('end');
  else if (message.type === 'free') free.push(message.slot);
  else {
    stored.push('cancel');
    free.push('cancel');
  }
});

/** The owner gave the layer up: no failure, just the end. */
class Cancelled extends Error {}

async function* storedBytes(): AsyncGenerator<Buffer> {
  for (;;) {
    const message = await stored.next();
    if (message === 'end') return;
    if (message === 'cancel') throw new Cancelled();
    tell({ type: 'taken' });
    yield Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  }
}

async function freeSlot(): Promise<number> {
  const slot = await free.next();
  if (slot === 'cancel') throw new Cancelled();
  return slot;
}

/**
 * Frees a used Buffer's memory now: V8 lets tens of megabytes of it lie until it collects. Only
 * with its last byte used is the decompressor done with the memory.
 */
function release({ buffer, byteOffset, byteLength }: Buffer): void {
  const isLastOf = byteOffset + byteLength === buffer.byteLength;
  if (isLastOf && buffer instanceof ArrayBuffer && buffer.byteLength >= RELEASE_FROM_BYTES) {
    buffer.transfer(0);
  }
}

/** Smaller ones may lie in Node's pool, which is not ours to free. */
const RELEASE_FROM_BYTES = 128 * KIB;

/** Fills slot after slot: few large messages, whatever the pieces. */
async function send(checks: LayerChecks): Promise<void> {
  let slot: number | undefined;
  let filled = 0;
  for await (const bytes of layerBytes(storedBytes(), checks)) {
    for (let at = 0; at < bytes.length; ) {
      slot ??= await freeSlot();
      const into = Buffer.from(slots, slot * SLOT_BYTES, SLOT_BYTES);
      const copied = bytes.copy(into, filled, at);
      filled += copied;
      at += copied;
      if (filled < SLOT_BYTES) continue;
      tell({ type: 'bytes', slot, length: filled });
      [slot, filled] = [undefined, 0];
    }
    release(bytes);
  }
  if (slot !== undefined) tell({ type: 'bytes', slot, length: filled });
}

for (;;) {
  const checks = await opened.next();
  try {
    await send(checks);
    tell({ type: 'end' });
  } catch (error) {
    const ending = { type: 'failed', error: toSluiceError(error).toJSON() } as const;
    tell(error instanceof Cancelled ? { type: 'end' } : ending);
  }
}
