import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { SluiceError } from '../../base/mod.ts';
import type { Helper, HelperMount } from '../jail/types.ts';
import type { SandboxSpec } from '../spec.ts';

/** What a kind of helper may be given; `main` tells the kind. */
export interface HelperKind {
  readonly main: string;
  readonly flags: readonly string[];
  /** Names of variables. */
  readonly environment: readonly string[];
  /** Folders of which it may be given something to write, to put into, or the whole. */
  readonly writes: readonly string[];
  readonly puts: readonly string[];
  /** Files and folders that it may read, and what they hold. */
  readonly reads: readonly string[];
  /** Whether it may read what lies elsewhere on the host: an image that the operator names. */
  readonly readsImages: boolean;
  readonly network: readonly ('none' | 'host' | 'bounded')[];
  readonly memoryBytes: number;
}

export interface AdmissionRules {
  readonly kinds: readonly HelperKind[];
  /** The data directory: what it holds and `reads` does not name is no image. */
  readonly dataPath: string;
  /** Where the kernel and the host's own configuration are to be seen: none of it is an image. */
  readonly never: readonly string[];
  /** Directories of this host that functions may have as file systems. */
  readonly fileSystems: readonly string[];
  /** Below it each agent has its folder, in which devices are shown. */
  readonly agentsPath: string;
}

function refuse(what: string): never {
  throw new SluiceError('ACCESS_DENIED', `warden: ${what}`);
}

const isIn = (path: string, folder: string) =>
  path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);

/** Where a path leads, as far as it is there. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path === dirname(path) ? path : join(realPath(dirname(path)), basename(path));
  }
}

/** Throws `ACCESS_DENIED` for a helper that no region has a use for; answers it with real paths. */
export function admitHelper(helper: Helper, rules: AdmissionRules): Helper {
  const kind = rules.kinds.find(({ main }) => main === helper.main);
  if (!kind) return refuse(`${helper.main}: is no helper`);
  if (helper.flags.join(' ') !== kind.flags.join(' ')) refuse(`${helper.name}: has other flags`);
  const variable = Object.keys(helper.environment).find((name) => !kind.environment.includes(name));
  if (variable !== undefined) refuse(`${helper.name}: has no variable ${variable}`);
  const network = typeof helper.network === 'object' ? 'bounded' : helper.network;
  if (!kind.network.includes(network)) refuse(`${helper.name}: has no network "${network}"`);
  if (helper.memoryBytes > kind.memoryBytes) refuse(`${helper.name}: has less memory`);
  const fuse = helper.fuse;
  if (fuse && !kind.writes.some((folder) => isIn(realPath(fuse.mountPoint), folder))) {
    refuse(`${fuse.mountPoint}: is no place for devices`);
  }
  return { ...helper, mounts: helper.mounts.map((each) => admitMount(each, kind, rules)) };
}

function admitMount(mount: HelperMount, kind: HelperKind, rules: AdmissionRules): HelperMount {
  const path = realPath(mount.path);
  const within = (folders: readonly string[]) => folders.some((folder) => isIn(path, folder));
  const inside = mount.inside ?? mount.path;
  const isGiven =
    (mount.access === 'write' && within(kind.writes)) ||
    (mount.access === 'put' && within(kind.puts)) ||
    (mount.access === 'read' && (within(kind.reads) || within(kind.writes)));
  if (isGiven) return { ...mount, path, inside };
  const isApart = (folder: string) => !isIn(path, folder) && !isIn(folder, path);
  const apart = [rules.dataPath, ...rules.never];
  if (mount.access === 'read' && kind.readsImages && apart.every(isApart)) {
    return { ...mount, path, inside };
  }
  return refuse(`${mount.path}: is not for ${kind.main}`);
}

/** Throws `ACCESS_DENIED` for a disk that is no agent's device, and for a directory of nobody's. */
export function admitSandbox(
  { shape }: SandboxSpec,
  agents: ReadonlySet<number>,
  { agentsPath, fileSystems }: AdmissionRules,
): void {
  const [, pid, path = ''] = /^\/proc\/(\d+)\/root(\/.*)$/.exec(shape.diskPath) ?? [];
  const parts = path.slice(agentsPath.length + 1).split('/');
  const isDevice = path.startsWith(`${agentsPath}/`) && parts.length === 3 && !parts.includes('..');
  if (!(pid && agents.has(Number(pid)) && isDevice)) {
    refuse(`${shape.diskPath}: is no device of an agent`);
  }
  for (const { directory } of shape.hostMounts ?? []) {
    if (!fileSystems.includes(directory)) refuse(`${directory}: is no file system of a function`);
  }
}
