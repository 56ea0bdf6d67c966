import { Agent, get } from 'node:http';
import { noLogger, noMeter, SluiceError, systemClock, toSluiceError } from '../../base/mod.ts';
import { l2Cached, memoryCached, readSecretFile, staticMembership } from '../../cache/mod.ts';
import { ErasureCode } from '../../erasure/mod.ts';
import type { ChunkName, ChunkRef, ChunkSource } from '../../seal/mod.ts';
import type { WorkerAnswer, WorkerCommand, WorkerSettings } from './drill-messages.ts';
import { DRILL_CHUNK_BYTES } from './drill-plan.ts';

/** Chunks by HTTP from the drill's origin. */
function httpSource(originUrl: string): ChunkSource {
  const agent = new Agent({ keepAlive: true });
  return {
    get: ({ name }: ChunkRef) =>
      new Promise((resolve, reject) => {
        const request = get(`${originUrl}/${name}`, { agent }, (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('end', () => {
            if (response.statusCode === 200) resolve(Buffer.concat(parts));
            else reject(new SluiceError('ORIGIN_UNAVAILABLE', `${name}: refused`));
          });
        });
        request.on('error', reject);
      }),
  };
}

/** One worker of the drill: a memory tier over L2 over the origin, and starts that read chunks. */
class DrillWorker {
  readonly #below: ChunkSource;
  readonly #memoryBytes: number;
  readonly #starts = new Map<number, AbortController>();
  #source: ChunkSource;

  constructor({ originUrl, nodes, secretFile, memoryBytes }: WorkerSettings) {
    this.#below = l2Cached(httpSource(originUrl), {
      membership: staticMembership(nodes),
      code: ErasureCode.create({ k: 4, m: 1, chunkSizeBytes: DRILL_CHUNK_BYTES }),
      secrets: readSecretFile(secretFile),
      ...{ clock: systemClock, meter: noMeter, logger: noLogger },
    });
    this.#memoryBytes = memoryBytes;
    this.#source = this.#emptyMemory();
  }

  empty(): void {
    this.#source = this.#emptyMemory();
  }

  giveUp(id: number): void {
    this.#starts.get(id)?.abort();
  }

  /** Reads one chunk after the other, as page faults come. */
  async start(id: number, chunks: readonly ChunkName[]): Promise<WorkerAnswer> {
    const controller = new AbortController();
    this.#starts.set(id, controller);
    try {
      for (const name of chunks) {
        await this.#source.get({ rootId: 'drill', name }, controller.signal);
      }
      return { id };
    } catch (error) {
      return { id, failure: toSluiceError(error).message };
    } finally {
      this.#starts.delete(id);
    }
  }

  #emptyMemory(): ChunkSource {
    return memoryCached(this.#below, { limitBytes: this.#memoryBytes, clock: systemClock });
  }
}

let worker: DrillWorker | undefined;
process.on('disconnect', () => process.exit());
async function obey(command: WorkerCommand): Promise<void> {
  if (command.type === 'open') worker = new DrillWorker(command.settings);
  else if (command.type === 'empty') worker?.empty();
  else if (command.type === 'give-up') worker?.giveUp(command.id);
  else if (worker) process.send?.(await worker.start(command.id, command.chunks));
}

process.on('message', (command: WorkerCommand) => void obey(command));
