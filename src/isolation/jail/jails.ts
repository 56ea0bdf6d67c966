import { type ChildProcess, spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { limits, type Random, SluiceError } from '../../base/mod.ts';
import type { CgroupPool } from '../cgroup/pool.ts';
import { launchBinary } from '../launch/binary.ts';
import { RECORD_BYTES, RECORD_STEP_OFFSET, RECORD_VALUE_OFFSET } from '../lean/compose/common.ts';
import { errnoName, hostArchitecture } from '../lean/launcher/launcher.ts';
import { readLastCapability } from '../lean/proc-view.ts';
import type { HelperAdmission, HelperNetwork } from '../network/helper-network.ts';
import { fillCompileCache } from './compile-cache.ts';
import { composeJail } from './compose.ts';
import type { Helper, JailPlace } from './types.ts';

export interface JailsOptions {
  readonly random: Random;
  /** The first of `limits.helpers.uids` user ids that are nobody else's on this host. */
  readonly firstUid?: number;
  /** False: helpers run as this process does, because the operator said so. */
  readonly enabled?: boolean;
  /**
   * Where our modules are kept as Node compiled them for helpers, unless `NODE_COMPILE_CACHE` says
   * where this process's own are: then beside those.
   */
  readonly compileCache?: string;
  /** Bounds what helpers with a `HelperReach` reach; without, they reach what the host does. */
  readonly network?: HelperNetwork;
}

const CONTROL = 3;
const STATUS = 4;

/** Who starts helpers. */
export interface HelperSpawner {
  /** Whether helpers are held in jails at all. */
  readonly jails: boolean;
  /**
   * Resolves with the helper once it runs Node, with an IPC channel of advanced serialization;
   * its pid is the child's. Rejects with `HOST_LACKS` naming the step that the kernel refused.
   */
  spawn(helper: Helper): Promise<ChildProcess>;
  close(): Promise<void>;
}

/**
 * Starts helpers in jails: each an uid of its own, no capability, no_new_privs, a filter of system
 * calls, namespaces with only what it was given, rlimits and a cgroup. Who is not root cannot make
 * jails, and has no privileges to take from a helper either: there, helpers are plain children.
 */
export class Jails implements HelperSpawner {
  readonly #options: JailsOptions;
  readonly #uids = new Set<number>();
  #cgroups: CgroupPool | undefined;
  readonly #releases = new Set<Promise<void>>();

  constructor(options: JailsOptions) {
    this.#options = options;
  }

  /** From now on each helper has a cgroup of these; without, no limit of memory but the host's. */
  useCgroups(cgroups: CgroupPool): void {
    this.#cgroups = cgroups;
  }

  get jails(): boolean {
    return this.#options.enabled !== false && process.getuid?.() === 0;
  }

  async spawn(given: Helper): Promise<ChildProcess> {
    const compileCache = this.#compileCacheOf(given.name);
    const environment = { ...given.environment, NODE_COMPILE_CACHE: compileCache };
    const helper = compileCache === undefined ? given : { ...given, environment };
    if (!this.jails) return spawnBare(helper);
    if (compileCache !== undefined) fillCompileCache(helper, compileCache);
    const cgroups = this.#cgroups;
    const cgroup = await cgroups?.acquire();
    const uid = this.#takeUid();
    let admission: HelperAdmission | undefined;
    const over = () => {
      const bounds = admission?.end() ?? Promise.resolve();
      this.#settle(bounds.finally(() => this.#uids.delete(uid)));
      if (cgroup && cgroups) this.#settle(cgroups.release(cgroup));
    };
    try {
      const { memoryBytes, processes, network } = helper;
      cgroup?.limit({ memoryBytes, processes });
      if (typeof network === 'object') admission = await this.#options.network?.admit(uid, network);
      return await launch(helper, { uid, join: cgroup?.join, compileCache }, over);
    } catch (error) {
      over();
      throw error;
    }
  }

  /** After its helpers have ended: removes their cgroups and the bounds of their network. */
  async close(): Promise<void> {
    await Promise.all(this.#releases);
    await this.#options.network?.close();
    await this.#cgroups?.close();
    this.#cgroups = undefined;
  }

  /** One for each helper: its flags of V8 make another kind of compiled module. */
  #compileCacheOf(name: string): string | undefined {
    const own = process.env['NODE_COMPILE_CACHE'];
    const base = own ? join(own, 'helpers') : this.#options.compileCache;
    return base && join(base, name);
  }

  #settle(work: Promise<void>): void {
    const release = work.catch(() => {});
    this.#releases.add(release);
    void release.then(() => this.#releases.delete(release));
  }

  #takeUid(): number {
    const { random, firstUid = limits.helpers.firstUid } = this.#options;
    for (;;) {
      const uid = firstUid + (random.bytes(4).readUInt32LE(0) % limits.helpers.uids);
      if (this.#uids.has(uid)) continue;
      this.#uids.add(uid);
      return uid;
    }
  }
}

function spawnBare(helper: Helper): ChildProcess {
  const { flags, main, environment, stderr } = helper;
  return spawn(process.execPath, [...flags, main], {
    env: environment,
    stdio: ['ignore', 'ignore', stderr, 'ipc'],
    serialization: 'advanced',
  });
}

async function launch(helper: Helper, place: JailPlace, over: () => void): Promise<ChildProcess> {
  const architecture = hostArchitecture();
  const isFile = (path: string) => !statSync(path).isDirectory();
  const lastCapability = readLastCapability();
  const program = composeJail(helper, { architecture, lastCapability, isFile, ...place });
  const child = spawn(launchBinary(architecture), [], {
    argv0: helper.name,
    env: {},
    cwd: '/',
    stdio: ['ignore', 'ignore', helper.stderr, 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
  child.once('exit', over);
  const control = child.stdio[CONTROL] as Writable;
  control.on('error', () => {});
  control.write(program.encode());
  const record = await readAll(child.stdio[STATUS] as Readable, child);
  control.destroy();
  if (record.length < RECORD_BYTES) return child;
  child.removeListener('exit', over);
  const step = program.stepName(record.readUInt32LE(RECORD_STEP_OFFSET));
  const errno = errnoName(record.readUInt32LE(RECORD_VALUE_OFFSET));
  throw new SluiceError(
    'HOST_LACKS',
    `${helper.name}: cannot be jailed: ${step}: ${errno}; see sluice doctor`,
    { data: { step, errno } },
  );
}

/** What the launch process says of a failed step; nothing once it has become Node. */
function readAll(status: Readable, child: ChildProcess): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    status.on('data', (part: Buffer) => parts.push(part));
    status.once('close', () => resolve(Buffer.concat(parts)));
    child.once('error', (cause) =>
      reject(new SluiceError('HOST_LACKS', 'launch: cannot be started', { cause })),
    );
  });
}
