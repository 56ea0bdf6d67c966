import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SluiceError, systemRandom } from '../../base/mod.ts';
import type { ChunkName } from '../../seal/mod.ts';
import type {
  OriginCommand,
  OriginReady,
  OriginReport,
  WorkerAnswer,
  WorkerCommand,
} from './drill-messages.ts';
import { DRILL_CHUNK_BYTES } from './drill-plan.ts';

const NODE_BYTES = '128M';
const STRIPES = 4;
/** A worker's own cache holds few of the chunks that the region reads. */
const WORKER_MEMORY_CHUNKS = 64;

export interface DrillRigOptions {
  /** The words that start `sluice`, whose `cache-node` command the nodes are. */
  readonly sluice: readonly string[];
  /** For the nodes' files; the caller removes it. */
  readonly directory: string;
  readonly nodes: number;
  readonly workers: number;
  readonly functions: number;
  readonly onSecond: (report: OriginReport) => void;
}

const mainOf = (name: string) => fileURLToPath(new URL(`./${name}-main.ts`, import.meta.url));

/** One process that starts read chunks in, as a worker's agents would. */
class DrillWorkerProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: WorkerAnswer) => void>();
  #ids = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (answer: WorkerAnswer) => {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  tell(command: WorkerCommand): void {
    this.#child.send(command);
  }

  /** Rejects with `SANDBOX_START_FAILED` when a chunk did not come, or `signal` aborted. */
  async start(chunks: readonly ChunkName[], signal: AbortSignal): Promise<void> {
    const id = ++this.#ids;
    const giveUp = () => this.tell({ type: 'give-up', id });
    signal.addEventListener('abort', giveUp, { once: true });
    const { failure } = await new Promise<WorkerAnswer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.tell({ type: 'start', id, chunks });
    });
    signal.removeEventListener('abort', giveUp);
    if (failure !== undefined) throw new SluiceError('SANDBOX_START_FAILED', failure);
  }
}

/** The drill's processes: cache nodes, an origin whose speed can be set, workers. */
export class DrillRig {
  readonly #options: DrillRigOptions;
  readonly #children: ChildProcess[] = [];
  readonly #secretFile: string;
  readonly #nodes: { child: ChildProcess; address: string; directory: string }[] = [];
  readonly workers: DrillWorkerProcess[] = [];
  #origin: ChildProcess | undefined;

  private constructor(options: DrillRigOptions) {
    this.#options = options;
    this.#secretFile = join(options.directory, 'secret');
  }

  static async start(options: DrillRigOptions): Promise<DrillRig> {
    const rig = new DrillRig(options);
    try {
      await rig.#start();
    } catch (error) {
      await rig.stop();
      throw error;
    }
    return rig;
  }

  set originSpeed(speed: OriginCommand) {
    this.#origin?.send(speed);
  }

  /** Kills the cache nodes and starts them with nothing, and empties the workers' own caches. */
  async emptyCaches(): Promise<void> {
    for (const worker of this.workers) worker.tell({ type: 'empty' });
    for (const { child } of this.#nodes) child.kill('SIGKILL');
    await Promise.all(
      this.#nodes.map(async (node) => {
        if (node.child.exitCode === null && node.child.signalCode === null) {
          await once(node.child, 'exit');
        }
        rmSync(node.directory, { recursive: true, force: true });
        node.child = (await this.#startNode(node.directory, node.address)).child;
      }),
    );
  }

  async stop(): Promise<void> {
    const children = [...this.#children, ...this.#nodes.map(({ child }) => child)];
    await Promise.all(
      children
        .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
        .map(async (child) => {
          child.kill('SIGKILL');
          await once(child, 'exit');
        }),
    );
  }

  async #start(): Promise<void> {
    const { directory, nodes: count, workers, functions, onSecond } = this.#options;
    writeFileSync(this.#secretFile, `${systemRandom.bytes(24).toString('hex')}\n`, { mode: 0o600 });
    const origin = this.#fork('drill-origin', [String(functions)]);
    this.#origin = origin;
    const [ready] = (await once(origin, 'message')) as [OriginReady];
    origin.on('message', (report: OriginReport) => onSecond(report));
    const places = Array.from({ length: count }, (_, index) => join(directory, `node-${index}`));
    const nodes = places.map(async (place) => {
      this.#nodes.push({ ...(await this.#startNode(place, '127.0.0.1:0')), directory: place });
    });
    await Promise.all(nodes);
    const settings = {
      originUrl: `http://127.0.0.1:${ready.port}`,
      nodes: this.#nodes.map(({ address }) => address),
      secretFile: this.#secretFile,
      memoryBytes: WORKER_MEMORY_CHUNKS * DRILL_CHUNK_BYTES,
    };
    for (let index = 0; index < workers; index++) {
      const worker = new DrillWorkerProcess(this.#fork('drill-worker', []));
      worker.tell({ type: 'open', settings });
      this.workers.push(worker);
    }
  }

  #fork(name: string, args: readonly string[]): ChildProcess {
    const child = fork(mainOf(name), args, {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#children.push(child);
    return child;
  }

  async #startNode(directory: string, listen: string) {
    mkdirSync(directory, { recursive: true });
    const [program = '', ...words] = this.#options.sluice;
    const sizes = ['--memory', NODE_BYTES, '--flash', NODE_BYTES];
    const stripe = ['--stripe', String(DRILL_CHUNK_BYTES / STRIPES)];
    const place = ['--data', directory, '--secret-file', this.#secretFile];
    const args = [...words, 'cache-node', '--json', '--listen', listen];
    const child = spawn(program, [...args, ...sizes, ...stripe, ...place], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit').then(() => {
      throw new SluiceError('INTERNAL', `${directory}: the cache node did not start`);
    });
    exited.catch(() => {});
    const lines = createInterface({ input: child.stdout });
    const [line] = (await Promise.race([once(lines, 'line'), exited])) as [string];
    return { child, address: (JSON.parse(line) as { address: string }).address };
  }
}
