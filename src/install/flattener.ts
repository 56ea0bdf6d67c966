import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { limits, SluiceError, toSluiceError } from '../base/mod.ts';
import { l2Hosts } from '../cache/mod.ts';
import type { OnProgress } from '../image/mod.ts';
import {
  type Helper,
  type HelperMount,
  type HelperReach,
  type HelperSpawner,
  networkMounts,
  replaceableFile,
} from '../isolation/mod.ts';
import type { NewDataKey } from '../keys/mod.ts';
import { parseImageReference } from '../oci/mod.ts';
import { originCredentialFiles, originEnvironment, originHosts } from '../origin/mod.ts';
import { OutboundRules } from '../outbound/mod.ts';
import type {
  FlattenedImage,
  FlattenerKey,
  FlattenerMessage,
  FlattenerOrder,
  FlattenJob,
} from './flattener-protocol.ts';

type Opened = Extract<FlattenerMessage, { type: 'opened' }>;

/** Memory before speed: a create may take a moment longer, a host runs several at once. */
const V8_FLAGS = ['--optimize-for-size', '--max-semi-space-size=4'];

/** For glibc, which else keeps what was freed apart for each of a dozen threads. */
const ONE_HEAP = { MALLOC_ARENA_MAX: '1' };

/** Where a directory origin has the states of its roots, the only files that a flattener reads. */
const ORIGIN_STATE = 'state';

const FLATTENER_MAIN = fileURLToPath(new URL('./flattener-main.ts', import.meta.url));

/** What a flattener runs. */
export const FLATTENER_PROGRAM = {
  main: FLATTENER_MAIN,
  flags: [...V8_FLAGS, '--disable-warning=ExperimentalWarning'],
} as const;

function flattenerHelper(job: FlattenJob, isJailed: boolean): Helper {
  const local = localPath(job.imageUri);
  const isFar = local === undefined || job.origin.kind !== 'directory' || job.primeL2;
  return {
    name: 'flattener',
    ...FLATTENER_PROGRAM,
    environment: {
      ...originEnvironment(job.origin),
      ...ONE_HEAP,
      TMPDIR: job.spoolDirectory,
    },
    mounts: isJailed ? mountsOf(job, local) : [],
    network: isFar ? reachOf(job) : 'none',
    niceness: 0,
    stderr: 'pipe',
    memoryBytes: limits.helpers.flattenerMemoryBytes,
    processes: limits.helpers.processes,
    openFiles: limits.helpers.openFiles,
    fileBytes: job.spoolFileBytes ?? 2 * limits.image.flattenedSizeBytes,
  };
}

/**
 * What the kernel lets a flattener reach: as `OutboundGuard` has it for whoever chose the image, and
 * the stores that the operator gave it. A domain (`*.DOMAIN`) opens the image's registry alone.
 */
function reachOf({ imageUri, isGuarded, outbound, origin, primeL2 }: FlattenJob): HelperReach {
  const reference = parseImageReference(imageUri);
  const registry =
    reference.kind === 'registry'
      ? new URL(reference.endpoint).hostname.replace(/^\[|\]$/g, '')
      : undefined;
  const rules = new OutboundRules(outbound);
  const isOpen = registry !== undefined && (!isGuarded || rules.isNamed(registry));
  return {
    scope: isGuarded ? 'world' : 'near',
    open: [
      ...outbound.allow,
      ...(isOpen ? [registry] : []),
      ...originHosts(origin),
      ...(primeL2 ? l2Hosts(primeL2) : []),
    ],
  };
}

/** Where an image of this host lies; undefined for one of a registry. */
function localPath(imageUri: string): string | undefined {
  const reference = parseImageReference(imageUri);
  return reference.kind === 'registry' ? undefined : resolve(reference.path);
}

/** Its spool, the origin to put into, the image if it lies here, and the way to what does not. */
function mountsOf(job: FlattenJob, local: string | undefined): HelperMount[] {
  const mounts: HelperMount[] = [{ path: job.spoolDirectory, access: 'write' }];
  const read = (path: string) => mounts.push({ path, access: 'read' });
  if (job.origin.kind === 'directory') {
    mkdirSync(join(job.origin.directory, ORIGIN_STATE), { recursive: true, mode: 0o700 });
    mounts.push({ path: job.origin.directory, access: 'put', readable: [ORIGIN_STATE] });
  }
  if (local !== undefined) mounts.push(...shownFolders(job, local));
  originCredentialFiles(job.origin).forEach(read);
  if (job.primeL2) read(job.primeL2.secretFile);
  if (job.primeL2?.nodes.startsWith('@')) {
    const given = mounts.map(({ path }) => path);
    mounts.push(replaceableFile(job.primeL2.nodes.slice(1), given));
  }
  return [...mounts, ...networkMounts()];
}

/**
 * What a flattener may see of this host's images: the folder that a tenant's references are bound
 * to, so that links may lead about in it, or the image alone where that folder holds the region's
 * own data, which the flattener would be shown as its own. Nothing if the image itself does.
 */
function shownFolders(
  { within, origin, spoolDirectory }: FlattenJob,
  local: string,
): HelperMount[] {
  const own = [spoolDirectory, ...(origin.kind === 'directory' ? [origin.directory] : [])];
  const holdsOwn = (folder: string) => own.some((path) => holds(folder, realpathSync(path)));
  if (!existsSync(local) || (within !== undefined && !existsSync(within))) return [];
  const image = realpathSync(local);
  if (within !== undefined) {
    const folder = realpathSync(within);
    if (!holds(folder, image)) return [];
    if (!holdsOwn(folder)) return [{ path: folder, inside: within, access: 'read' }];
  }
  return holdsOwn(image) ? [] : [{ path: image, inside: local, access: 'read' }];
}

function holds(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? folder : `${folder}/`);
}

/** What is known of an image with this digest, if it need not be flattened again. */
export type FindInstalled = (imageDigest: string) => Promise<FlattenedImage | undefined>;

/** Makes the manifest's data key, sealed for the flattener that has this public key. */
export type MakeKey = (recipient: Uint8Array) => Promise<NewDataKey>;

/** What was sent to a process that is gone: its end is told otherwise. */
const ignored = () => {};

/**
 * Flattens one image in a process of its own (docs/decisions/0004). Rejects with the flattener's
 * error, or `FLATTENER_DIED`, whose data has what the process last said. With `asksFirst` in the job,
 * nothing is read but the image's manifest when `findInstalled` knows it.
 */
export async function runFlattener(
  jails: HelperSpawner,
  job: FlattenJob,
  makeKey: MakeKey,
  onProgress: OnProgress,
  signal?: AbortSignal,
  findInstalled: FindInstalled = async () => undefined,
): Promise<FlattenedImage> {
  signal?.throwIfAborted();
  const child = await jails.spawn(flattenerHelper(job, jails.jails));
  return new Promise((resolve, reject) => {
    let said = '';
    let answer: Extract<FlattenerMessage, { type: 'done' | 'failed' }> | undefined;
    child.stderr?.on('data', (part: Buffer) => {
      said = `${said}${part.toString('utf8')}`.slice(-2000);
    });
    const onAbort = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    const orderAfter = async ({ imageDigest, resolvedReference }: Opened) => {
      const found = await findInstalled(imageDigest).catch(() => undefined);
      if (found) {
        answer = {
          type: 'done',
          image: { ...found, resolvedReference, newChunks: 0, newBytes: 0 },
        };
      }
      const order: FlattenerOrder = found ? 'stop' : 'flatten';
      child.send(order, ignored);
    };
    const sendKey = async (publicKey: Uint8Array) => {
      const key: FlattenerKey = await makeKey(publicKey).then(
        ({ keyId, wrapped, sealed }) => ({ type: 'key', keyId, wrapped, sealed }),
        (error) => ({ type: 'refusal', error: toSluiceError(error).toJSON() }),
      );
      child.send(key, ignored);
    };
    child.on('message', (message: FlattenerMessage) => {
      if (message.type === 'progress') onProgress(message.progress);
      else if (message.type === 'key') void sendKey(message.publicKey);
      else if (message.type === 'opened') void orderAfter(message);
      else answer = message;
    });
    child.on('error', reject);
    const onEnd = (status: number | null, killedBy: NodeJS.Signals | null) => {
      signal?.removeEventListener('abort', onAbort);
      if (answer?.type === 'done') return resolve(answer.image);
      if (signal?.aborted) return reject(signal.reason);
      if (answer) return reject(SluiceError.of(answer.error));
      const end = killedBy ?? `exit status ${status}`;
      const message = `${job.imageUri}: the flattener ended with ${end}`;
      reject(new SluiceError('FLATTENER_DIED', message, { data: { said: said.trim() } }));
    };
    child.on('close', onEnd);
    child.send(job, (error) => {
      // One that is gone takes no job; its end may have come before anyone listened for it.
      const isGone = child.exitCode !== null || child.signalCode !== null;
      if (error && isGone) onEnd(child.exitCode, child.signalCode);
    });
  });
}
