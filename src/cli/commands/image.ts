import type { Command } from 'commander';
import { formatBytes, formatMs, formatShare } from '../../base/mod.ts';
import { dataDirectory, defaultAccountId, readSettings } from '../../config/mod.ts';
import type { FlattenedImage, ImageFacts, Stores } from '../../serve/mod.ts';
import {
  type CommonOptions,
  type L2Flags,
  l2Settings,
  withDataOptions,
  withL2Options,
} from '../options.ts';
import { createOutput, formatTable, type Output } from '../output.ts';
import { showProgress } from '../progress.ts';
import { registerImageMount } from './image-mount.ts';

/** Loaded by the commands that need it: a mistyped word should not wait for it. */
const serve = () => import('../../serve/mod.ts');

function describe(facts: ImageFacts): string {
  const share = facts.storedBytes === 0 ? 0 : facts.sharedBytes / facts.storedBytes;
  const rows: [string, string][] = [
    ['manifest', facts.manifestId],
    ['account', facts.account],
    ['root', facts.root],
    ['created', facts.createdAt],
    ['disk', formatBytes(facts.diskBytes)],
    ['chunks', `${facts.chunks}, ${facts.zeroChunks} of them zero`],
    ['stored', `${formatBytes(facts.storedBytes)}, ${formatShare(share)} shared with other images`],
    ['manifest size', formatBytes(facts.manifestBytes)],
    ['key', facts.keyId],
  ];
  return rows.map(([key, value]) => `${key.padEnd(14)} ${value}`).join('\n');
}

function registerFlatten(parent: Command): void {
  const command = parent
    .command('flatten <image>')
    .description('writes the disk of an image as a plain file, which any ext4 tool reads')
    .requiredOption('-o, --output <file>', 'the file to write; sparse');
  withDataOptions(command).action(
    async (image: string, options: CommonOptions & { output: string }) => {
      const output = createOutput(options.json);
      const { registries } = readSettings(dataDirectory(options.data).configFile);
      const { flattenReference } = await serve();
      const progress = showProgress(output);
      const flat = await flattenReference(
        image,
        options.output,
        progress.update,
        registries.ca,
      ).finally(progress.end);
      const lines = [
        `${options.output}: ${formatBytes(flat.diskBytes)} disk, ${flat.inodes} inodes, ${formatBytes(flat.dataBytes)} of data`,
        ...flat.warnings.map((each) => `warning: ${each}`),
      ];
      output.answer({ output: options.output, ...flat }, lines.join('\n'));
    },
  );
}

function registerAdd(parent: Command): void {
  const command = parent
    .command('add <image>')
    .description(
      'flattens an image, seals its chunks for an account and stores them; with --l2 it also primes the cache',
    )
    .option('--account <id>', 'the account that may read it', defaultAccountId);
  withDataOptions(withL2Options(command)).action(
    async (image: string, options: CommonOptions & L2Flags & { account: string }) => {
      const output = createOutput(options.json);
      const { openStores } = await serve();
      const stores = await openStores(options.data);
      const progress = showProgress(output);
      const primeL2 = l2Settings(options);
      const request = { imageUri: image, accountId: options.account, ...(primeL2 && { primeL2 }) };
      const added = await addTo(stores, request, progress);
      const lines = [
        `manifest   ${added.manifestId}`,
        `disk       ${formatBytes(added.diskBytes)}`,
        `chunks     ${added.chunks}, ${added.zeroChunks} of them zero`,
        `new        ${added.newChunks} chunks, ${formatBytes(added.newBytes)}`,
        `took       ${formatMs(added.seconds * 1000)}, at most ${formatBytes(added.peakMemoryBytes)} of memory`,
        ...added.warnings.map((each) => `warning    ${each}`),
      ];
      output.answer(added, lines.join('\n'));
    },
  );
}

async function addTo(
  stores: Stores,
  request: Parameters<Stores['installer']['add']>[0],
  { update, end }: ReturnType<typeof showProgress>,
): Promise<FlattenedImage> {
  try {
    return await stores.installer.add(request, update);
  } finally {
    end();
    await stores.close();
  }
}

function printList(output: Output, images: readonly ImageFacts[]): void {
  const rows = images.map((image) => [
    image.manifestId,
    image.account,
    formatBytes(image.diskBytes),
    formatBytes(image.storedBytes),
    formatShare(image.storedBytes === 0 ? 0 : image.sharedBytes / image.storedBytes),
    image.createdAt.slice(0, 19),
  ]);
  const header = ['manifest', 'account', 'disk', 'stored', 'shared', 'created'];
  output.answer(images, rows.length === 0 ? 'no images' : formatTable(header, rows));
}

export function registerImage(program: Command): void {
  const parent = program.command('image').description('flattens, stores, shows and mounts images');
  registerFlatten(parent);
  registerAdd(parent);
  registerImageMount(parent);
  withDataOptions(parent.command('list').description('lists the stored images')).action(
    async (options: CommonOptions) => {
      const { openStores } = await serve();
      const { images } = await openStores(options.data);
      printList(createOutput(options.json), await images.list());
    },
  );
  withDataOptions(parent.command('inspect <id>').description('shows one stored image')).action(
    async (id: string, options: CommonOptions) => {
      const { openStores } = await serve();
      const { images } = await openStores(options.data);
      const facts = await images.inspect(id);
      createOutput(options.json).answer(facts, describe(facts));
    },
  );
  const remove = parent.command('remove <id>').description('forgets a stored image');
  withDataOptions(remove).action(async (id: string, options: CommonOptions) => {
    const { openStores, removeImage } = await serve();
    await removeImage(await openStores(options.data), id);
    const text = `removed ${id}; its chunks go with their root`;
    createOutput(options.json).answer({ removed: id }, text);
  });
}
