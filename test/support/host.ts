import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';

const LACKS = 'this host lacks ';

/**
 * What a test may need of the host, besides Node. `tool:NAME` is a program on the PATH; with a
 * directory, `tool:/usr/bin/aws`, that one and no other of its name. `root` is one that may make
 * namespaces, which a chroot's may not; who runs Sluice's commands as whoever it is asks for
 * `namespaces`, which only a root without them lacks.
 */
export type HostNeed = 'root' | 'namespaces' | 'fuse' | 'loop' | 'cgroup' | `tool:${string}`;

/** The package of a program, where it has another name. */
const debianPackages: Record<string, string> = {
  'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu',
  aws: 'awscli',
  busybox: 'busybox-static',
  debugfs: 'e2fsprogs',
  dumpe2fs: 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  java: 'default-jre-headless',
  getfattr: 'attr',
  ip: 'iproute2',
  mke2fs: 'e2fsprogs',
  nbdcopy: 'libnbd-bin',
  nbdinfo: 'libnbd-bin',
  nbdsh: 'python3-libnbd',
  nft: 'nftables',
  nsenter: 'util-linux',
  'qemu-aarch64-static': 'qemu-user-static',
  'qemu-img': 'qemu-utils',
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-x86_64-static': 'qemu-user-static',
  setfacl: 'acl',
  setfattr: 'attr',
  unshare: 'util-linux',
  'wasm-validate': 'wabt',
  'x86_64-linux-gnu-gcc': 'gcc',
  xz: 'xz-utils',
};

// Debian's users do not have these in their PATH: what is found there is then started, too.
process.env['PATH'] = `${process.env['PATH'] ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;

function findTool(name: string): boolean {
  if (name.startsWith('/')) return isExecutable(name);
  const path = process.env['PATH'] ?? '';
  return path.split(delimiter).some((directory) => isExecutable(join(directory, name)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

let namespaces: boolean | undefined;

function lackOfNamespaces(): string | undefined {
  // Of both kinds: in a chroot the kernel makes no user namespace, and lets no mount be detached.
  const probe = ['--user', '--mount', 'true'];
  namespaces ??= spawnSync('unshare', probe, { stdio: 'ignore' }).status === 0;
  return namespaces ? undefined : 'namespaces for root (none in a chroot)';
}

function lack(need: HostNeed): string | undefined {
  const isRoot = process.getuid?.() === 0;
  if (need === 'namespaces') return isRoot ? lackOfNamespaces() : undefined;
  if (need === 'root') return isRoot ? lackOfNamespaces() : 'root';
  if (need === 'fuse') return existsSync('/dev/fuse') ? undefined : '/dev/fuse';
  if (need === 'loop') return existsSync('/dev/loop-control') ? undefined : '/dev/loop-control';
  if (need === 'cgroup') return existsSync('/sys/fs/cgroup') ? undefined : '/sys/fs/cgroup';
  const tool = need.slice('tool:'.length);
  if (findTool(tool)) return undefined;
  const name = basename(tool);
  return `${tool} (apt-get install ${debianPackages[name] ?? name})`;
}

/**
 * What the host lacks, as a suite's `skip` option: a sentence, or false when nothing is missing.
 * With `CI=true` a lack is thrown, which fails the file.
 */
export function hostLacks(...needs: HostNeed[]): string | false {
  const lacks = [...new Set(needs.map(lack))].filter((each) => each !== undefined);
  if (lacks.length === 0) return false;
  const message = `${LACKS}${lacks.join(', ')}`;
  if (process.env['CI'] === 'true') throw new Error(`${message}; in CI that is a failure`);
  return message;
}

/**
 * The same for one test, which is skipped aloud.
 * Answers whether the test may go on: `if (!hostHas(t, 'root', 'fuse')) return;`
 */
export function hostHas(t: TestContext, ...needs: HostNeed[]): boolean {
  const message = hostLacks(...needs);
  if (message) t.skip(message);
  return !message;
}

/** The packages and other things that a skip's reason of these functions names; none of others. */
export function needsOf(reason: string): string[] {
  if (!reason.startsWith(LACKS)) return [];
  const lacks = reason.slice(LACKS.length).split(', ');
  return lacks.map((each) => /\((?:\S+ )*?install "?([^"\s)]+)"?\)/.exec(each)?.[1] ?? each);
}

/** Is all that is lacking more than Debian has? Then a skip is none that `CI=true` forbids. */
export function isOptional(reason: string): boolean {
  const needs = needsOf(reason);
  return needs.length > 0 && needs.every((need) => need.startsWith('moto'));
}
