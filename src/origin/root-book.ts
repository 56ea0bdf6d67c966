import { createHash } from 'node:crypto';
import { type Clock, limits, type Random, SingleFlight, SluiceError } from '../base/mod.ts';
import type { ObjectStore } from './object-store.ts';
import type { RootSource, RootState, RootStatus } from './origin.ts';

const STATES: readonly RootState[] = ['active', 'retired', 'expired', 'deleted'];

/**
 * The states of all roots, each a marker object `state/<root>/<state>` that is only ever added, so
 * that no two writers can undo each other's step: a root's state is the furthest marker it has.
 * Other processes' steps show within `limits.origin.rootStateMs`.
 */
export class RootBook implements RootSource {
  readonly #objects: ObjectStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #creations = new SingleFlight<'first', string>();
  readonly #readings = new SingleFlight<'states', ReadonlyMap<string, RootStatus>>();
  #known: ReadonlyMap<string, RootStatus> = new Map();
  #knownAtMs = Number.NEGATIVE_INFINITY;
  /** Numbers of the readings begun, and of the one that is known: an early one may end late. */
  #begun = 0;
  #knownNumber = 0;

  constructor(objects: ObjectStore, clock: Clock, random: Random) {
    this.#objects = objects;
    this.#clock = clock;
    this.#random = random;
  }

  async activeRoot(key = ''): Promise<string> {
    // Uploads are rare and long: one that starts in a root just retired would be wasted.
    const known = chooseActive(await this.refresh(), key);
    if (known) return known;
    return await this.#creations.run('first', async () => {
      return chooseActive(await this.refresh(), key) ?? (await this.createRoot());
    });
  }

  async listRoots(): Promise<readonly RootStatus[]> {
    return [...(await this.refresh()).values()];
  }

  async rootStatus(rootId: string): Promise<RootStatus> {
    const status = (await this.#states()).get(rootId) ?? (await this.refresh()).get(rootId);
    if (status) return status;
    throw new SluiceError('ROOT_NOT_FOUND', `${rootId}: the origin has no such root`, {
      data: { rootId },
    });
  }

  /** The root's state if it was read a short while ago: without a wait, so without certainty. */
  recentStatus(rootId: string): RootStatus | undefined {
    return this.#isRecent() ? this.#known.get(rootId) : undefined;
  }

  /** Ids sort by creation. */
  async createRoot(): Promise<string> {
    const stamp = new Date(this.#clock.nowMs()).toISOString().replace(/[-:.Z]/g, '');
    const rootId = `${stamp.toLowerCase()}-${this.#random.bytes(4).toString('hex')}`;
    await this.#mark(rootId, 'active');
    return rootId;
  }

  async advanceRoot(rootId: string, state: RootState): Promise<void> {
    await this.rootStatus(rootId);
    await this.#mark(rootId, state);
  }

  async markMigrated(rootId: string, toRootId: string): Promise<void> {
    await this.rootStatus(rootId);
    await this.rootStatus(toRootId);
    await this.#mark(rootId, `migrated-${toRootId}`);
  }

  async stateSinceMs(rootId: string, state: RootState): Promise<number | undefined> {
    const marker = await this.#objects.get(`state/${rootId}/${state}`);
    if (!marker) return undefined;
    const [, atMs] = /^\{"atMs":(\d{1,15})\}$/.exec(marker.toString('latin1')) ?? [];
    if (atMs !== undefined) return Number(atMs);
    throw new SluiceError('STORE_CORRUPT', `${rootId}: its ${state} marker holds no time`, {
      data: { rootId, state },
    });
  }

  /** Reads the states again, whatever is remembered. */
  async refresh(): Promise<ReadonlyMap<string, RootStatus>> {
    const number = ++this.#begun;
    const startedAtMs = this.#clock.monotonicMs();
    const markers = new Map<string, string[]>();
    for await (const key of this.#objects.list('state/')) {
      const [, rootId = '', marker = '', ...deeper] = key.split('/');
      // What somebody else's program left there is no root.
      if (!isMarker(marker) || deeper.length > 0) continue;
      markers.set(rootId, [...(markers.get(rootId) ?? []), marker]);
    }
    const states = new Map([...markers].map(([rootId, has]) => [rootId, statusOf(rootId, has)]));
    if (number > this.#knownNumber) {
      this.#known = states;
      this.#knownAtMs = startedAtMs;
      this.#knownNumber = number;
    }
    return states;
  }

  async #states(): Promise<ReadonlyMap<string, RootStatus>> {
    if (this.#isRecent()) return this.#known;
    return await this.#readings.run('states', () => this.refresh());
  }

  #isRecent(): boolean {
    return this.#clock.monotonicMs() - this.#knownAtMs < limits.origin.rootStateMs;
  }

  async #mark(rootId: string, marker: string): Promise<void> {
    const key = `state/${rootId}/${marker}`;
    const body = JSON.stringify({ atMs: this.#clock.nowMs() });
    await this.#objects.putIfAbsent(key, Buffer.from(body, 'utf8'));
    await this.#objects.settle([key]);
    await this.refresh();
  }
}

const isMarker = (marker: string) =>
  STATES.some((state) => state === marker) || marker.startsWith('migrated-');

function statusOf(rootId: string, markers: readonly string[]): RootStatus {
  const state = STATES.findLast((each) => markers.includes(each)) ?? 'active';
  const migrated = markers.filter((marker) => marker.startsWith('migrated-'));
  return { rootId, state, migratedTo: migrated.map((each) => each.slice('migrated-'.length)) };
}

/** Each key keeps to one active root: fewer keys suffer from what happens to one of them. */
function chooseActive(states: ReadonlyMap<string, RootStatus>, key: string): string | undefined {
  const weigh = (rootId: string) =>
    createHash('sha256').update(`${rootId}/${key}`).digest().readUInt32BE(0);
  return [...states.values()]
    .filter(({ state }) => state === 'active')
    .map(({ rootId }) => ({ rootId, weight: weigh(rootId) }))
    .sort((a, b) => b.weight - a.weight)[0]?.rootId;
}
