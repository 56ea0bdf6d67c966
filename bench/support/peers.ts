/** Other ways to start from an image behind an object store, for the device's benchmark. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock } from '../../src/base/mod.ts';
import { mountDevice, unmountDevice } from '../../src/device/mod.ts';
import { execute } from './device-rig.ts';

export interface Peer {
  readonly name: string;
  /** Programs of Debian's that it needs. */
  readonly tools: readonly string[];
  /** The file that the store shows for it, made from a directory that holds the image's tree. */
  readonly file: string;
  make(tree: string, file: string): Promise<unknown>;
  /** Brings the tree to `root`; answers what takes it away again. */
  show(url: string, root: string): Promise<() => Promise<void>>;
}

/** nbdkit fetches 512 KiB ranges of a file behind HTTP and keeps them; nbdfuse shows it. */
async function nbdkitFile(url: string, directory: string): Promise<[string, () => Promise<void>]> {
  const socket = join(directory, 'nbdkit.sock');
  const cache = ['--filter=cache', 'cache-on-read=true', 'cache-min-block-size=512K'];
  const nbdkit = spawn('nbdkit', ['-f', '-r', '-U', socket, 'curl', url, ...cache], {
    stdio: 'ignore',
  });
  while (!existsSync(socket)) await systemClock.sleep(5);
  const shown = join(directory, 'nbd');
  const file = join(shown, 'disk');
  await mkdir(shown, { recursive: true });
  const uri = `nbd+unix:///?socket=${socket}`;
  const nbdfuse = spawn('nbdfuse', ['-r', file, uri], { stdio: 'ignore' });
  while (!existsSync(file)) await systemClock.sleep(5);
  const stop = async () => {
    await execute('umount', [shown]);
    nbdfuse.kill();
    nbdkit.kill();
    await rm(socket, { force: true });
  };
  return [file, stop];
}

async function showByNbdkit(
  url: string,
  root: string,
  mount: (file: string) => Promise<unknown>,
): Promise<() => Promise<void>> {
  const [file, stop] = await nbdkitFile(url, dirname(root));
  await mount(file);
  return async () => {
    await unmountDevice(root);
    await stop();
  };
}

const nbdTools = ['nbdkit', 'nbdfuse'];

/** Files are made in `kept`, once. `disk` is the flattened disk. */
export function peersOf(disk: string, kept: string): readonly Peer[] {
  return [
    {
      name: 'curl | tar --zstd',
      tools: ['curl', 'tar', 'zstd'],
      file: join(kept, 'tree.tar.zst'),
      make: (tree, file) => execute('tar', ['-C', tree, '--zstd', '-cf', file, '.']),
      show: async (url, root) => {
        await execute('sh', ['-c', `curl -sf ${url} | tar -C ${root} --zstd -x`]);
        return async () => {
          await rm(root, { recursive: true });
          await mkdir(root);
        };
      },
    },
    {
      name: 'nbdkit 512 KiB + ext4',
      tools: nbdTools,
      file: disk,
      make: async () => {},
      show: (url, root) =>
        showByNbdkit(url, root, (file) => mountDevice(file, root, { readOnly: true })),
    },
    {
      name: 'nbdkit 512 KiB + squashfs',
      tools: [...nbdTools, 'mksquashfs'],
      file: join(kept, 'tree.squashfs'),
      make: (tree, file) =>
        execute('mksquashfs', [tree, file, '-comp', 'zstd', '-quiet', '-no-progress']),
      show: (url, root) =>
        showByNbdkit(url, root, (file) =>
          execute('mount', ['-t', 'squashfs', '-o', 'loop,ro', file, root]),
        ),
    },
  ];
}

/** Makes what is not there yet from the disk's tree, mounted for that. */
export async function makePeers(disk: string, peers: readonly Peer[], directory: string) {
  const missing = peers.filter(({ file }) => !existsSync(file));
  if (missing.length === 0) return;
  const tree = join(directory, 'tree');
  await mkdir(tree, { recursive: true });
  await mountDevice(disk, tree, { readOnly: true });
  try {
    for (const { make, file } of missing) await make(tree, file);
  } finally {
    await unmountDevice(tree);
  }
}

/** The disk with a file of so many random mebibytes more in it. */
export async function largerDisk(disk: string, mebibytes: number, kept: string): Promise<string> {
  const larger = join(kept, `disk-and-${mebibytes}.ext4`);
  if (existsSync(larger)) return larger;
  const [building, mounted] = [`${larger}.building`, join(kept, 'mounted')];
  await execute('cp', ['--sparse=always', disk, building]);
  await mkdir(mounted, { recursive: true });
  await execute('truncate', ['-s', '4G', building]);
  await execute('e2fsck', ['-fy', building]).catch(() => {});
  await execute('resize2fs', [building]);
  await mountDevice(building, mounted, { readOnly: false });
  try {
    const random = ['if=/dev/urandom', `of=${mounted}/model`, 'bs=1M', `count=${mebibytes}`];
    await execute('dd', [...random, 'status=none']);
  } finally {
    await unmountDevice(mounted);
  }
  await execute('mv', [building, larger]);
  return larger;
}
