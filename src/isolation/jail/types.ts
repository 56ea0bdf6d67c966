import type { CgroupJoin } from '../cgroup/types.ts';
import type { HelperReach } from '../network/helper-rules.ts';

/**
 * A file or folder of the host that a helper sees, at the same path unless `inside` says another.
 * What rests there as root's is the helper's own in the jail (an idmapped mount), so that nothing
 * on the disk changes its owner.
 */
export interface HelperMount {
  readonly path: string;
  readonly inside?: string;
  /** `put`: writes, and reads no file, where the kernel has Landlock. */
  readonly access: 'read' | 'write' | 'put';
  /** Whoever owns it still does: what the helper may read there is what everybody may. */
  readonly owners?: 'kept';
  /** Folders in a `put` mount whose files may be read. */
  readonly readable?: readonly string[];
}

/** A process of ours that handles what tenants made: what it is given is all that it has. */
export interface Helper {
  /** In errors. */
  readonly name: string;
  /** Its module, and Node's flags before it. */
  readonly main: string;
  readonly flags: readonly string[];
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  readonly mounts: readonly HelperMount[];
  /**
   * A network without interfaces; the host's, where it has to reach a remote store; or the host's
   * as far as the kernel lets this helper.
   */
  readonly network: 'none' | 'host' | HelperReach;
  /** An existing folder in one of the mounts, over which FUSE is mounted; the connection is `FUSE_FD`. */
  readonly fuse?: { readonly mountPoint: string; readonly maxReadBytes: number };
  readonly niceness: number;
  readonly stderr: 'inherit' | 'pipe';
  /** Of its cgroup, where there is one. */
  readonly memoryBytes: number;
  readonly processes: number;
  readonly openFiles: number;
  /** The largest file that it may write. */
  readonly fileBytes: number;
}

/** The descriptor at which a helper finds its FUSE connection. */
export const FUSE_FD = 6;

export interface JailPlace {
  readonly uid: number;
  readonly join: CgroupJoin | undefined;
  /** The helper's folder of `NODE_COMPILE_CACHE`, filled outside of jails and only read in them. */
  readonly compileCache: string | undefined;
}
