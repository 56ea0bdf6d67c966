/**
 * The erasure code beside ISA-L on the same machine in the same run, and the same bytes from both.
 * `node bench/l2-erasure.ts [--json]`; ISA-L is left out where gcc or libisal-dev is missing.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { SeededRandom } from '../src/base/mod.ts';
import { kernelModule } from '../src/erasure/kernel-program.ts';
import { ErasureCode } from '../src/erasure/mod.ts';

const RUNS = 5;
const ROUNDS = 2000;

export interface ErasureFigures {
  readonly code: string;
  /** The kernel alone, stripes in its own memory: what ISA-L's loop is timed on too. */
  readonly kernelGbPerSecond: number;
  /** `encode` into parity buffers used again: copies to and from the kernel's memory included. */
  readonly encodeGbPerSecond: number;
  /** `encode` into fresh parity buffers. */
  readonly encodeFreshGbPerSecond: number;
  readonly oneLostGbPerSecond: number;
  readonly isalEncodeGbPerSecond: number | undefined;
  /** The kernel, and `encode`, as a share of ISA-L's. */
  readonly kernelShare: number | undefined;
  readonly encodeShare: number | undefined;
}

/** Gigabytes of chunk data a second, the best of five runs. */
function rate(chunkBytes: number, work: () => void): number {
  let best = 0;
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    for (let i = 0; i < ROUNDS; i++) work();
    best = Math.max(best, (ROUNDS * chunkBytes) / (performance.now() - start) / 1e6);
  }
  return best;
}

/** Its time does not depend on the tables' content, so they stay zero. */
function kernelRate({ k, m, stripeSizeBytes }: ErasureCode): number {
  const pages = Math.ceil(((k + m) * stripeSizeBytes) / 65_536) + 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const module = new WebAssembly.Module(kernelModule(pages));
  const { exports } = new WebAssembly.Instance(module, { host: { memory } });
  const kernel = exports[m === 1 ? 'sum' : 'sumAndProduct'] as (...args: number[]) => void;
  const outputs = k * stripeSizeBytes;
  const tables = (k + m) * stripeSizeBytes;
  return rate(k * stripeSizeBytes, () =>
    kernel(0, stripeSizeBytes, k, stripeSizeBytes, outputs, stripeSizeBytes, tables),
  );
}

/** What m parity rows are made of, read off by encoding chunks with a single one in them. */
function coefficients(k: number, m: number): number[] {
  const code = ErasureCode.create({ k, m, chunkSizeBytes: k * 64 });
  const columns = Array.from({ length: k }, (_, i) => {
    const chunk = Buffer.alloc(code.chunkSizeBytes);
    chunk[i * code.stripeSizeBytes] = 1;
    return code.encode(chunk).slice(k);
  });
  return Array.from({ length: m }, (_, j) => columns.map((column) => column[j]![0]!)).flat();
}

function compileIsal(directory: string): string | undefined {
  const program = join(directory, 'isal-encode');
  const source = join(import.meta.dirname, 'l2-isal.c');
  const built = spawnSync('gcc', ['-O2', '-o', program, source, '-lisal']);
  return built.status === 0 ? program : undefined;
}

function isalRate(program: string, code: ErasureCode, chunk: Buffer): number {
  const { k, m, stripeSizeBytes } = code;
  const args = [k, m, stripeSizeBytes, ROUNDS, ...coefficients(k, m)].map(String);
  const { stdout, stderr, status } = spawnSync(program, args, {
    input: chunk,
    maxBuffer: 2 * chunk.length,
  });
  const parity = Buffer.concat(code.encode(chunk).slice(k));
  if (status !== 0 || !parity.equals(stdout)) throw new Error('ISA-L made other parity stripes');
  return Number(stderr.toString());
}

export function measureErasure(): ErasureFigures[] {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-isal-'));
  try {
    const isal = compileIsal(directory);
    return [
      [4, 1],
      [4, 2],
      [8, 2],
    ].map(([k, m]) => {
      const code = ErasureCode.create({ k: k!, m: m! });
      const chunk = new SeededRandom(1).bytes(code.chunkSizeBytes);
      const lost = code.encode(chunk).map((stripe, index) => (index === 1 ? undefined : stripe));
      const parity = code.encode(chunk).slice(code.k);
      const kernel = kernelRate(code);
      const encode = rate(chunk.length, () => code.encode(chunk, parity));
      const isalEncode = isal === undefined ? undefined : isalRate(isal, code, chunk);
      return {
        code: code.name,
        kernelGbPerSecond: kernel,
        encodeGbPerSecond: encode,
        encodeFreshGbPerSecond: rate(chunk.length, () => code.encode(chunk)),
        oneLostGbPerSecond: rate(chunk.length, () => code.reconstruct(lost)),
        isalEncodeGbPerSecond: isalEncode,
        kernelShare: isalEncode && kernel / isalEncode,
        encodeShare: isalEncode && encode / isalEncode,
      };
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const figures = measureErasure();
  if (process.argv.includes('--json')) console.log(JSON.stringify(figures));
  else console.table(figures);
}
