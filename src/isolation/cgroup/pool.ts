import { type Clock, type Logger, limits, SluiceError, toSluiceError } from '../../base/mod.ts';
import { pollUntil } from '../poll.ts';
import { readHostCapacity, shareOf } from './host-share.ts';
import { type CgroupProbeOptions, probeCgroups } from './probe.ts';
import type { Cgroup, CgroupTree } from './types.ts';

export interface CgroupPoolOptions extends CgroupProbeOptions {
  readonly logger: Logger;
  /** How many are kept ready. */
  readonly ready?: number;
}

/**
 * Cgroups made ahead of the sandboxes that take them: making and removing them takes global
 * locks of the kernel, so neither is on a start's way (SOCK, section 4.2: reuse is twice as fast).
 */
export class CgroupPool {
  readonly #tree: CgroupTree;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #readyTarget: number;
  readonly #ready: Cgroup[] = [];
  /** Names of all that are ready or lent out. */
  readonly #own = new Set<string>();
  #counter = 0;
  #filling: Promise<void> | undefined;
  #closed = false;

  private constructor(tree: CgroupTree, options: CgroupPoolOptions) {
    this.#tree = tree;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#readyTarget = options.ready ?? limits.sandbox.cgroupsReady;
  }

  /** Finds the host's cgroups; throws `HOST_LACKS` where they do not serve. */
  static async open(options: CgroupPoolOptions): Promise<CgroupPool> {
    return new CgroupPool(await probeCgroups(options), options);
  }

  /** Removes what an earlier life of this instance left, processes included. */
  async sweep(): Promise<{ processes: number; cgroups: number }> {
    let processes = 0;
    const stray = (await this.#tree.list()).filter((each) => !this.#own.has(each.name));
    for (const cgroup of stray) {
      processes += (await cgroup.processes()).length;
      await this.#empty(cgroup);
      await this.#remove(cgroup);
    }
    return { processes, cgroups: stray.length };
  }

  async acquire(): Promise<Cgroup> {
    if (this.#closed) throw new SluiceError('CANCELLED', 'cgroups: the pool is closed');
    const cgroup = this.#ready.pop() ?? (await this.#create());
    if (this.#closed) {
      await this.#remove(cgroup);
      throw new SluiceError('CANCELLED', 'cgroups: the pool was closed meanwhile');
    }
    this.#fill();
    return cgroup;
  }

  /** Kills what is left in it, and keeps it for the next sandbox or removes it. */
  async release(cgroup: Cgroup): Promise<void> {
    await this.#empty(cgroup);
    if (this.#tree.reusable) await cgroup.reset();
    const keeps = this.#tree.reusable && this.#ready.length < this.#readyTarget && !this.#closed;
    if (keeps) this.#ready.push(cgroup);
    else await this.#remove(cgroup);
  }

  /** Removes all but what an earlier life left, for which there is `sweep`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#filling;
    for (const cgroup of this.#ready.splice(0)) await this.#remove(cgroup);
    // What is lent at this moment comes back in a moment; what an earlier life left does not.
    const what = 'cgroups: the parent cannot be removed';
    await pollUntil(this.#clock, what, limits.sandbox.stopGraceMs, () =>
      this.#tree.remove().then(
        () => true,
        () => false,
      ),
    ).catch((error) => {
      this.#logger.warn({ error: toSluiceError(error) }, 'cgroups of an earlier life are left');
    });
  }

  async #create(): Promise<Cgroup> {
    if (this.#counter === 0) await this.#tree.prepare(shareOf(readHostCapacity()));
    const name = `${process.pid}-${this.#counter++}`;
    this.#own.add(name);
    return this.#tree.create(name);
  }

  #fill(): void {
    // Half of them may be lent before more are made: what comes back fills up the rest.
    if (this.#filling !== undefined || this.#ready.length > this.#readyTarget / 2) return;
    this.#filling = this.#fillUp()
      .catch((error) => this.#logger.warn({ error: toSluiceError(error) }, 'cannot fill the pool'))
      .finally(() => {
        this.#filling = undefined;
      });
  }

  async #fillUp(): Promise<void> {
    while (!this.#closed && this.#ready.length < this.#readyTarget) {
      this.#ready.push(await this.#create());
    }
  }

  async #empty(cgroup: Cgroup): Promise<void> {
    const what = `cgroup ${cgroup.name}: has processes that do not die`;
    await pollUntil(this.#clock, what, limits.sandbox.stopTimeoutMs, async () => {
      if ((await cgroup.processes()).length === 0) return true;
      await cgroup.kill();
      return false;
    });
  }

  /** A cgroup stays busy for a moment after its last process is gone. */
  async #remove(cgroup: Cgroup): Promise<void> {
    const what = `cgroup ${cgroup.name}: cannot be removed`;
    await pollUntil(this.#clock, what, limits.sandbox.stopTimeoutMs, () =>
      cgroup.remove().then(
        () => true,
        () => false,
      ),
    );
    this.#own.delete(cgroup.name);
  }
}
