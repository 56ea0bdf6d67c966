import { SluiceError } from '../base/mod.ts';
import type { ObjectStore } from './object-store.ts';

/** Whose an origin is, as it says itself. */
export interface OriginOwner {
  readonly regionId: string;
  /** Raised by its region from time to time, after the region's own: see `RegionIdentity`. */
  readonly generation: number;
}

/** Says who owns an origin: whatever deletes from it compares that with its own region. */
export interface OriginOwnership {
  readOwner(): Promise<OriginOwner | undefined>;
  /** Takes an origin that has no owner; answers who owns it then. */
  claimOwner(owner: OriginOwner): Promise<OriginOwner>;
  /** Writes whatever is there. */
  replaceOwner(owner: OriginOwner): Promise<void>;
}

const KEY = 'owner/region';

/** The owner in one object of the origin. */
export class OwnerNote implements OriginOwnership {
  readonly #objects: ObjectStore;

  constructor(objects: ObjectStore) {
    this.#objects = objects;
  }

  async readOwner(): Promise<OriginOwner | undefined> {
    const bytes = await this.#objects.get(KEY);
    if (!bytes) return undefined;
    const text = bytes.toString('utf8');
    const [, regionId, generation] = /^([0-9a-f-]{36}) (\d{1,15})\n$/.exec(text) ?? [];
    if (regionId !== undefined) return { regionId, generation: Number(generation) };
    throw new SluiceError('STORE_CORRUPT', `${KEY}: the origin's owner cannot be read`, {
      data: { key: KEY },
    });
  }

  async claimOwner(owner: OriginOwner): Promise<OriginOwner> {
    await this.#objects.putIfAbsent(KEY, encode(owner));
    await this.#objects.settle([KEY]);
    return (await this.readOwner()) ?? owner;
  }

  async replaceOwner(owner: OriginOwner): Promise<void> {
    await this.#objects.replace(KEY, encode(owner));
    await this.#objects.settle([KEY]);
  }
}

const encode = ({ regionId, generation }: OriginOwner) =>
  Buffer.from(`${regionId} ${generation}\n`);
