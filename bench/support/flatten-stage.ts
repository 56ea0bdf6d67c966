/** One stage of adding an image, and all before it, in a process: STAGE REFERENCE DIRECTORY. */
import { randomBytes } from 'node:crypto';
import { KIB, systemClock, systemRandom } from '../../src/base/mod.ts';
import { addImage, flattenImage } from '../../src/image/mod.ts';
import { openImage, readTar } from '../../src/oci/mod.ts';
import { directoryOrigin } from '../../src/origin/mod.ts';

const [stage = '', reference = '', directory = ''] = process.argv.slice(2);
const image = await openImage(reference);
const startMs = performance.now();

async function layers(work: (layer: AsyncIterable<Buffer>) => Promise<void>): Promise<void> {
  for (let index = 0; index < image.layers.length; index++) await work(image.openLayer(index));
}

async function drain(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source);
}

async function add(store: boolean): Promise<void> {
  const origin = directoryOrigin(directory, { clock: systemClock, random: systemRandom });
  const nowhere = { put: async () => 'stored' as const, putManifest: async () => {} };
  const dataKey = { keyId: 'bench', plaintext: randomBytes(32), wrapped: Buffer.alloc(40) };
  const refuse = async () => Promise.reject(new Error('not asked for'));
  await addImage(image, {
    sealer: {
      rootId: store ? await origin.activeRoot() : 'root',
      accountId: '000000000000',
      salt: randomBytes(32),
      keyService: {
        generateDataKey: async () => dataKey,
        unwrapDataKey: refuse,
        rewrapDataKey: refuse,
      },
    },
    chunks: store ? origin : nowhere,
    manifests: store ? origin : nowhere,
    spoolDirectory: `${directory}/spool`,
    clock: systemClock,
    random: systemRandom,
  });
}

const stages: Record<string, () => Promise<unknown>> = {
  decompress: () => layers(drain),
  tar: () => layers((layer) => drain(readTar(layer))),
  disk: () =>
    flattenImage(image, {
      sink: { writeChunk: async () => {} },
      spoolDirectory: `${directory}/spool`,
    }),
  seal: () => add(false),
  store: () => add(true),
};

await stages[stage]?.();
await image.close();
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
process.stdout.write(
  JSON.stringify({
    seconds: (performance.now() - startMs) / 1000,
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    peakMemoryMb: (maxRSS * KIB) / 1e6,
  }),
);
