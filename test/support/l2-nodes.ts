import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from '../../src/base/mod.ts';
import type { SharedSecrets } from '../../src/cache/mod.ts';

export const testSecrets: SharedSecrets = ['a secret for tests, long enough'];

export interface L2NodesOptions {
  readonly directory: string;
  readonly count: number;
  readonly memoryBytes?: number;
  readonly flashBytes?: number;
}

/** One cache node in a process of its own on loopback; it keeps its port through restarts. */
export class NodeProcess {
  readonly directory: string;
  readonly #sizes: readonly string[];
  readonly #secretFile: string;
  #child: ChildProcess | undefined;
  port = 0;
  /** Stripes that it found on flash when it started last. */
  flashStripes = 0;

  constructor(directory: string, secretFile: string, options: L2NodesOptions) {
    this.directory = directory;
    this.#secretFile = secretFile;
    const { memoryBytes = 16 * MIB, flashBytes = 64 * MIB } = options;
    this.#sizes = [memoryBytes, flashBytes].map(String);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const main = join(import.meta.dirname, 'l2-node-main.ts');
    const args = [main, this.directory, String(this.port), ...this.#sizes, this.#secretFile];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    const [line] = (await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'exit').then(() => Promise.reject(new Error('the cache node did not start'))),
    ])) as [Buffer];
    [this.port = 0, this.flashStripes = 0] = line.toString().split(' ').map(Number);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it by `signal` and waits until it is gone. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const exited = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    const [code] = (await exited) as [number | null];
    return code;
  }
}

/** Nodes that are running; the caller ends them with `endAll`. */
export async function startNodes(options: L2NodesOptions): Promise<NodeProcess[]> {
  const secretFile = join(options.directory, 'secret');
  writeFileSync(secretFile, `${testSecrets[0]}\n`, { mode: 0o600 });
  const nodes = Array.from({ length: options.count }, (_, index) => {
    const directory = join(options.directory, `node-${index}`);
    mkdirSync(directory, { recursive: true });
    return new NodeProcess(directory, secretFile, options);
  });
  await Promise.all(nodes.map((node) => node.start()));
  return nodes;
}

export async function endAll(nodes: readonly NodeProcess[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.end('SIGKILL')));
}
