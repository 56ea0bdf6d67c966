/**
 * A disk that fails when told to: a FUSE file that this process serves from memory, under a loop device with
 * an ext4, in a mount namespace of its own, so that nothing is left when it ends. Orders come as lines
 * on standard input; each is answered by a line once it is in force.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { mountFuse } from '../../src/fuse/mod.ts';
import { runOrThrow } from './run.ts';

const SIZE_BYTES = 256 * 1024 * 1024;
const TRANSFER_BYTES = 128 * 1024;

async function main([directory = '']: readonly string[]): Promise<void> {
  const [disk, mount] = [join(directory, 'disk'), join(directory, 'mount')];
  writeFileSync(disk, '');
  mkdirSync(mount);
  const { fd } = await mountFuse(disk, 'file', TRANSFER_BYTES);
  const faults = new SharedArrayBuffer(12);
  const workerData = { fd, faults, sizeBytes: SIZE_BYTES, transferBytes: TRANSFER_BYTES };
  new Worker(new URL('./faulty-disk-thread.ts', import.meta.url), { workerData });
  const words = new Int32Array(faults);
  const layout = ['-b', '4096', '-J', 'size=4', '-E', 'root_owner=0:0,packed_meta_blocks=1'];
  await runOrThrow('mkfs.ext4', ['-q', ...layout, disk]);
  Atomics.store(words, 2, await firstDataBlock(disk));
  const attach = async () => {
    const found = await runOrThrow('losetup', ['--find', '--show', '--direct-io=on', disk]);
    const loop = found.trim();
    await runOrThrow('bash', ['-c', `e2fsck -fy "${loop}" || [ $? -lt 4 ]`]);
    await runOrThrow('mount', ['-o', 'errors=continue', loop, mount]);
    // The kernel frees the device with its last user, whatever becomes of this process.
    await runOrThrow('losetup', ['--detach', loop]);
  };
  await attach();
  const orders: Record<string, (value: number) => Promise<void> | void> = {
    read: (value) => void Atomics.store(words, 0, value),
    write: (value) => void Atomics.store(words, 1, value),
    /** What the disk has is what is there: page caches are gone, as after a loss of power. */
    restart: async () => {
      await runOrThrow('umount', [mount]);
      Atomics.store(words, 0, 0);
      Atomics.store(words, 1, 0);
      await attach();
    },
  };
  process.stdout.write('ready\n');
  for await (const line of createInterface({ input: process.stdin })) {
    const [name = '', value = '0'] = line.split(' ');
    await orders[name]?.(Number(value));
    process.stdout.write(`${line}\n`);
  }
  process.exit(0);
}

/** Whose first blocks hold all that is no file's: the journal is the last of it. */
async function firstDataBlock(disk: string): Promise<number> {
  const said = await runOrThrow('debugfs', ['-R', 'stat <8>', disk]);
  const ends = [...said.matchAll(/\(\d+-\d+\):\d+-(\d+)/g)].map(([, end]) => Number(end));
  if (ends.length === 0) throw new Error(`${disk}: where is its journal?\n${said}`);
  return Math.max(...ends) + 1;
}

await main(process.argv.slice(2));
