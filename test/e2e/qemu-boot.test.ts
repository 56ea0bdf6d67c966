import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SeededRandom } from '../../src/base/mod.ts';
import { byteString, writeImageLayout } from '../../src/oci/mod.ts';
import { repositoryRoot } from '../repo/repository.ts';
import { type DebianKernel, debianKernel } from '../support/debian-kernel.ts';
import { type HostNeed, hostHas } from '../support/host.ts';
import { run, runOrThrow } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const sluice = join(repositoryRoot, 'bin/sluice');
const guestTools = ['qemu-system-x86_64', '/bin/busybox', 'cpio', 'apt-get', 'dpkg-deb'] as const;
const judges = ['nbdcopy', 'e2fsck', 'debugfs'] as const;
const NEEDS = [...guestTools, ...judges].map((tool): HostNeed => `tool:${tool}`);

const DATA = new SeededRandom(1).bytes(6_000_000);
const LINES = 300_000;
const WRITTEN = Array.from({ length: LINES }, (_, index) => `${index + 1}\n`).join('');

const sha256 = (content: Buffer | string) => createHash('sha256').update(content).digest('hex');

/** The first process of the image, which the guest's kernel runs from the exported disk. */
const IMAGE_INIT = `#!/bin/busybox sh
echo "read $(busybox sha256sum < /var/data)"
if [ "$access" = rw ]; then
  busybox seq 1 ${LINES} > /var/written && busybox rm /var/doomed && busybox sync
  busybox mount -o remount,ro /dev/vda / && echo "wrote and synced"
fi
busybox poweroff -f
`;

/** The first process of the initramfs. The kernel's parameter `access` is in its environment. */
const INITRAMFS_INIT = `#!/bin/busybox sh
set -e
busybox mount -t devtmpfs none /dev
for module in $(busybox cat /modules/order); do busybox insmod "/modules/$module"; done
busybox mount -t ext4 -o "$access" /dev/vda /root
busybox mount -o move /dev /root/dev
exec busybox switch_root /root /sbin/init
`;

/** Adds an image of busybox and a file to a fresh data directory; answers its manifest. */
async function addImage(directory: string): Promise<{ manifestId: string; data: string }> {
  const layout = join(directory, 'layout');
  const data = join(directory, 'data');
  const files = {
    'bin/busybox': readFileSync('/bin/busybox'),
    'sbin/init': Buffer.from(IMAGE_INIT),
    'var/data': DATA,
    'var/doomed': DATA.subarray(0, 1_000_000),
  };
  await writeImageLayout(layout, {
    layers: [
      {
        compression: 'none',
        write: async (tar) => {
          for (const path of ['bin', 'dev', 'sbin', 'var']) {
            await tar.add({ path: byteString(path), kind: 'directory' });
          }
          for (const [path, content] of Object.entries(files)) {
            await tar.add({ path: byteString(path), mode: 0o755 }, content);
          }
        },
      },
    ],
  });
  const add = ['image', 'add', `oci:${layout}`, '--data', data, '--json'];
  return { manifestId: JSON.parse(await runOrThrow(sluice, add)).manifestId, data };
}

async function packInitramfs(directory: string, kernel: DebianKernel): Promise<string> {
  const root = join(directory, 'initramfs');
  for (const name of ['bin', 'dev', 'modules', 'root']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  cpSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const file of kernel.modules) cpSync(file, join(root, 'modules', basename(file)));
  const order = kernel.modules.map((file) => basename(file)).join('\n');
  writeFileSync(join(root, 'modules/order'), order);
  writeFileSync(join(root, 'init'), INITRAMFS_INIT, { mode: 0o755 });
  await runOrThrow('sh', ['-c', 'find . | cpio --quiet -o -H newc > ../initrd'], { cwd: root });
  return join(directory, 'initrd');
}

interface Guest {
  readonly kernel: DebianKernel;
  readonly initrd: string;
  readonly socket: string;
  readonly access: 'ro' | 'rw';
}

/** Boots the export in an emulated machine until it is off; answers what its console said. */
async function boot({ kernel, initrd, socket, access }: Guest): Promise<string> {
  const readOnly = access === 'ro' ? 'on' : 'off';
  const drive = `file=nbd+unix:///?socket=${socket},format=raw,if=virtio,readonly=${readOnly}`;
  const { status, stdout, stderr } = await run(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg', '-m', '256', '-nodefaults', '-no-user-config', '-no-reboot'],
      ...['-display', 'none', '-serial', 'stdio', '-drive', drive],
      ...['-kernel', kernel.vmlinuz, '-initrd', initrd],
      ...['-append', `console=ttyS0 loglevel=1 panic=-1 access=${access}`],
    ],
    { timeoutMs: 90_000 },
  );
  assert.equal(status, 0, stderr);
  return stdout;
}

/** Serves the disk while `use` runs; answers what the command says that the device did. */
async function whileServed(
  words: readonly string[],
  socket: string,
  use: () => Promise<void>,
): Promise<{ readBytes: number }> {
  const serve = ['device', 'serve', ...words, '--nbd', socket, '--json'];
  const device = spawn(sluice, serve, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(device, 'close');
  let said = '';
  device.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    await Promise.race([once(device.stdout, 'data'), exited]);
    await use();
  } finally {
    device.kill('SIGTERM');
    await exited;
  }
  assert.deepEqual(await exited, [0, null]);
  assert.equal(existsSync(socket), false);
  return JSON.parse(said.trim().split('\n').at(-1)!).stats;
}

async function prepare(t: TestContext) {
  if (process.arch !== 'x64') return t.skip('the guest runs the busybox of an x64 host');
  if (!hostHas(t, ...NEEDS)) return;
  const kernel = await debianKernel(t);
  if (kernel === undefined) return;
  const directory = temporaryDirectory(t, 'qemu');
  const { manifestId, data } = await addImage(directory);
  const initrd = await packInitramfs(directory, kernel);
  const socket = join(directory, 'socket');
  return { directory, kernel, initrd, socket, words: [manifestId, '--data', data] };
}

test('a QEMU guest boots from the NBD export of a disk, reads it, and writes to it', async (t) => {
  const prepared = await prepare(t);
  if (!prepared) return;
  const { directory, words, ...machine } = prepared;
  const { socket } = machine;
  const readMarker = new RegExp(`^read ${sha256(DATA)} `, 'm');

  await t.test('read-only', async () => {
    const stats = await whileServed(words, socket, async () => {
      const said = await boot({ ...machine, access: 'ro' });
      assert.match(said, readMarker);
    });
    assert.ok(stats.readBytes >= DATA.length, 'the guest read the file from the device');
  });

  await t.test('writable: what it wrote is in the export, whose file system is clean', async () => {
    const copy = join(directory, 'copy.ext4');
    await whileServed([...words, '--writable'], socket, async () => {
      const said = await boot({ ...machine, access: 'rw' });
      assert.match(said, readMarker);
      assert.match(said, /^wrote and synced/m);
      await runOrThrow('nbdcopy', [`nbd+unix:///?socket=${socket}`, copy]);
    });
    await runOrThrow('e2fsck', ['-f', '-n', copy]);
    const read = async (path: string) => {
      const out = join(directory, `${basename(path)}.dumped`);
      await runOrThrow('debugfs', ['-R', `dump ${path} ${out}`, copy]);
      return sha256(readFileSync(out));
    };
    assert.equal(await read('/var/written'), sha256(WRITTEN));
    assert.equal(await read('/var/data'), sha256(DATA));
    const listed = await runOrThrow('debugfs', ['-R', 'ls -p /var', copy]);
    assert.match(listed, /\/written\//);
    assert.doesNotMatch(listed, /\/doomed\//);
  });
});
