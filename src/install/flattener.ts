import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../base/mod.ts';
import type { OnProgress } from '../image/mod.ts';
import { originEnvironment } from '../origin/mod.ts';
import type {
  FlattenedImage,
  FlattenerMessage,
  FlattenerOrder,
  FlattenJob,
} from './flattener-protocol.ts';

type Opened = Extract<FlattenerMessage, { type: 'opened' }>;

/** Memory before speed: a create may take a moment longer, a host runs several at once. */
const V8_FLAGS = ['--optimize-for-size', '--max-semi-space-size=4'];

/** For glibc, which else keeps what was freed apart for each of a dozen threads. */
const ONE_HEAP = { MALLOC_ARENA_MAX: '1' };

const FLATTENER_MAIN = fileURLToPath(new URL('./flattener-main.ts', import.meta.url));

function spawnFlattener(job: FlattenJob): ChildProcess {
  const words = [...V8_FLAGS, '--disable-warning=ExperimentalWarning', FLATTENER_MAIN];
  return spawn(process.execPath, words, {
    env: {
      ...originEnvironment(job.origin),
      ...ONE_HEAP,
      NODE_COMPILE_CACHE: job.compileCacheDirectory,
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
}

/** What is known of an image with this digest, if it need not be flattened again. */
export type FindInstalled = (imageDigest: string) => Promise<FlattenedImage | undefined>;

/**
 * Flattens one image in a process of its own (docs/decisions/0004). Rejects with the flattener's
 * error, or `INTERNAL` with what the process last said when it died. With `asksFirst` in the job,
 * nothing is read but the image's manifest when `findInstalled` knows it.
 */
export function runFlattener(
  job: FlattenJob,
  onProgress: OnProgress,
  signal?: AbortSignal,
  findInstalled: FindInstalled = async () => undefined,
): Promise<FlattenedImage> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const child = spawnFlattener(job);
    let said = '';
    let answer: Extract<FlattenerMessage, { type: 'done' | 'failed' }> | undefined;
    child.stderr?.on('data', (part: Buffer) => {
      said = `${said}${part.toString('utf8')}`.slice(-2000);
    });
    const onAbort = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', onAbort, { once: true });
    const orderAfter = async ({ imageDigest, resolvedReference }: Opened) => {
      const found = await findInstalled(imageDigest).catch(() => undefined);
      if (found) {
        answer = {
          type: 'done',
          image: { ...found, resolvedReference, newChunks: 0, newBytes: 0 },
        };
      }
      const order: FlattenerOrder = found ? 'stop' : 'flatten';
      if (child.connected) child.send(order);
    };
    child.on('message', (message: FlattenerMessage) => {
      if (message.type === 'progress') onProgress(message.progress);
      else if (message.type === 'opened') void orderAfter(message);
      else answer = message;
    });
    child.on('error', reject);
    child.on('close', (status, killedBy) => {
      signal?.removeEventListener('abort', onAbort);
      if (answer?.type === 'done') return resolve(answer.image);
      if (signal?.aborted) return reject(signal.reason);
      if (answer)
        return reject(new SluiceError(answer.code, answer.message, { data: answer.data }));
      const end = killedBy ?? `exit status ${status}`;
      const tail = said.trim();
      reject(
        new SluiceError(
          'INTERNAL',
          `${job.imageUri}: the flattener ended with ${end}${tail ? `: ${tail}` : ''}`,
        ),
      );
    });
    child.send(job);
  });
}
