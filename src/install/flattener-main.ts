import {
  limits,
  noLogger,
  noMeter,
  SluiceError,
  systemClock,
  systemRandom,
  toSluiceError,
} from '../base/mod.ts';
import { type L2Settings, type L2Source, l2Primed, openL2 } from '../cache/mod.ts';
import { addImage, type ImageRecord, imageProcess } from '../image/mod.ts';
import type { OciImage } from '../oci/mod.ts';
import { flattenerView, openOrigin } from '../origin/mod.ts';
import { KeyReceiver, type KeyService } from '../seal/mod.ts';
import type {
  FlattenedImage,
  FlattenerKey,
  FlattenerMessage,
  FlattenerOrder,
  FlattenJob,
} from './flattener-protocol.ts';
import { openJobImage } from './open-job-image.ts';
import { zipImage } from './zip-image.ts';

const BYTES_PER_KIB = 1024;

function tell(message: FlattenerMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send) process.send(message, () => resolve());
    else resolve();
  });
}

/** The parent's next message. */
function next<T>(): Promise<T> {
  return new Promise((resolve) => process.once('message', resolve));
}

/** All the keys that a flattener has: one data key, made for the manifest that it writes. */
async function oneDataKey({ accountId, manifestId }: FlattenJob): Promise<KeyService> {
  const receiver = new KeyReceiver(systemRandom);
  const answer = next<FlattenerKey>();
  await tell({ type: 'key', publicKey: receiver.publicKey });
  const given = await answer;
  if (given.type === 'refusal') throw SluiceError.of(given.error);
  const { keyId } = given;
  const plaintext = receiver.open(given.sealed, { accountId, manifestId });
  const wrapped = Buffer.from(given.wrapped);
  const refuse = async () => {
    throw new SluiceError('KEY_DENIED', `${keyId}: a flattener unwraps no key`);
  };
  return {
    generateDataKey: async (context) => {
      if (context.accountId !== accountId || context.manifestId !== manifestId) return refuse();
      return { keyId, plaintext, wrapped };
    },
    unwrapDataKey: refuse,
    rewrapDataKey: refuse,
  };
}

/** Whether the image is to be flattened, now that its digest is known. */
async function mayFlatten(image: OciImage): Promise<boolean> {
  const order = next<FlattenerOrder>();
  const { digest: imageDigest, resolvedReference } = image;
  await tell({ type: 'opened', imageDigest, resolvedReference });
  return (await order) === 'flatten';
}

/** A runtime's base is the operator's: its name and place are not for a function's owner. */
function baseFailure(runtime: string, cause: unknown): SluiceError {
  const { code, message } = toSluiceError(cause);
  const text = `${runtime}: this region cannot read the base image of the runtime (${code})`;
  return new SluiceError('HOST_LACKS', text, { data: { base: message }, cause });
}

/** Answers nothing when the image need not be flattened. */
async function flatten(job: FlattenJob): Promise<FlattenedImage | undefined> {
  const startMs = systemClock.monotonicMs();
  const opened = await openJobImage(job).catch((error: unknown) => {
    throw job.zip ? baseFailure(job.zip.runtime, error) : error;
  });
  if (job.asksFirst && !(await mayFlatten(opened))) {
    await opened.close();
    return undefined;
  }
  const keyService = await oneDataKey(job);
  const patient = { patienceMs: limits.origin.installPatienceMs };
  const l2 = job.primeL2 && (await openPrimer(job.primeL2));
  try {
    const image = job.zip ? await zipImage(opened, job.zip) : opened;
    const runs = imageProcess(image.config, image.resolvedReference);
    const store = flattenerView(await openOrigin(job.origin, noMeter, noLogger, patient));
    const record = await addImage(image, {
      sealer: {
        rootId: job.rootId,
        accountId: job.accountId,
        salt: Buffer.from(job.salt),
        keyService,
      },
      manifestId: job.manifestId,
      process: runs.process,
      chunks: l2 ? l2Primed(store, l2) : store,
      manifests: store,
      spoolDirectory: job.spoolDirectory,
      clock: systemClock,
      random: systemRandom,
      onProgress: (progress) => void tell({ type: 'progress', progress }),
    });
    const imageBytes = image.layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
    return describe(record, runs, imageBytes, (systemClock.monotonicMs() - startMs) / 1000);
  } finally {
    l2?.close();
    await opened.close();
  }
}

/** The cache's write side: nothing is fetched through it. */
async function openPrimer(settings: L2Settings): Promise<L2Source> {
  const source = {
    get: async () => {
      throw new SluiceError('ACCESS_DENIED', 'chunks: a flattener reads none');
    },
  };
  return openL2(source, settings, { clock: systemClock, meter: noMeter, logger: noLogger });
}

function describe(
  record: ImageRecord,
  runs: ReturnType<typeof imageProcess>,
  imageBytes: number,
  seconds: number,
): FlattenedImage {
  const { imageReference, imageDigest } = record.metadata;
  return {
    manifestId: record.manifestId,
    resolvedReference: imageReference,
    imageDigest,
    diskBytes: record.diskBytes,
    chunks: record.chunkCount,
    zeroChunks: record.zeroChunks,
    newChunks: record.newChunks,
    newBytes: record.newBytes,
    imageBytes,
    seconds,
    peakMemoryBytes: process.resourceUsage().maxRSS * BYTES_PER_KIB,
    process: runs.process,
    warnings: [...runs.warnings, ...record.warnings],
  };
}

/** One job, one answer, and the end. Without its parent a flattener has nobody to work for. */
function main(): void {
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  const work = async (job: FlattenJob) => {
    try {
      const image = await flatten(job);
      if (image) await tell({ type: 'done', image });
    } catch (error) {
      await tell({ type: 'failed', error: toSluiceError(error).toJSON() });
    }
    process.removeAllListeners('disconnect');
    process.disconnect();
  };
  process.once('message', (job: FlattenJob) => void work(job));
}

main();
