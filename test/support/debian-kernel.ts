import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { runOrThrow } from './run.ts';
import { cachedByInputs } from './shared.ts';

/** What a virtio disk on PCI takes, each after what it needs; ext4 is in the kernel itself. */
const MODULES = [
  'virtio/virtio_ring.ko',
  'virtio/virtio.ko',
  'virtio/virtio_pci_modern_dev.ko',
  'virtio/virtio_pci_legacy_dev.ko',
  'virtio/virtio_pci.ko',
  'block/virtio_blk.ko',
] as const;

export interface DebianKernel {
  readonly vmlinuz: string;
  /** The files of the modules that a virtio disk takes, in the order to load them in. */
  readonly modules: readonly string[];
}

/** The directory of Debian's x86 kernel for virtual machines, unpacked once per version and kept. */
async function fetchKernel(): Promise<string> {
  const env = { ...process.env, LC_ALL: 'C' };
  const depends = await runOrThrow('apt-cache', ['depends', 'linux-image-cloud-amd64'], { env });
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error(`linux-image-cloud-amd64 names no kernel: ${depends}`);
  return cachedByInputs('kernel', [name, ...MODULES], async (directory) => {
    const cwd = mkdtempSync(join(tmpdir(), 'sluice-kernel-'));
    try {
      await runOrThrow('apt-get', ['download', '-q', name], { cwd, env });
      await runOrThrow('sh', ['-c', 'dpkg-deb -x ./*.deb unpacked'], { cwd });
      const release = name.slice('linux-image-'.length);
      const drivers = join(cwd, 'unpacked/lib/modules', release, 'kernel/drivers');
      for (const file of MODULES) cpSync(join(drivers, file), join(directory, file));
      cpSync(join(cwd, 'unpacked/boot', `vmlinuz-${release}`), join(directory, 'vmlinuz'));
    } finally {
      rmSync(cwd, { recursive: true, force: true });
    }
  });
}

/**
 * Debian's x86 kernel from the host's package sources. Where they don't have it the test is skipped
 * aloud, and fails with `CI=true`; the answer is then undefined.
 */
export async function debianKernel(t: TestContext): Promise<DebianKernel | undefined> {
  try {
    const directory = await fetchKernel();
    const modules = MODULES.map((file) => join(directory, file));
    return { vmlinuz: join(directory, 'vmlinuz'), modules };
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    t.skip(`no kernel from this host's package sources: ${(error as Error).message}`);
    return undefined;
  }
}
