import { SluiceError } from '../base/mod.ts';
import type { ObjectStore } from './object-store.ts';

/** Whose an origin is, as it says itself. */
export interface OriginOwner {
  readonly regionId: string;
  /** Raised by its region from time to time, after the region's own: see `RegionIdentity`. */
  readonly generation: number;
}

/** Which running region has an origin, where no lock of the kernel can say it. */
export interface OriginHolder {
  /** Of one run of a region. */
  readonly id: string;
  /** Raised by it from time to time. */
  readonly beat: number;
  /** Where it runs, as it compares it itself. */
  readonly place: string;
}

/** Says who owns an origin: whatever deletes from it compares that with its own region. */
export interface OriginOwnership {
  readOwner(): Promise<OriginOwner | undefined>;
  /** Takes an origin that has no owner; answers who owns it then. */
  claimOwner(owner: OriginOwner): Promise<OriginOwner>;
  /** Writes whatever is there. */
  replaceOwner(owner: OriginOwner): Promise<void>;
  readHolder(): Promise<OriginHolder | undefined>;
  writeHolder(holder: OriginHolder): Promise<void>;
}

/** The object that says whose an origin is. */
export const OWNER_KEY = 'owner/region';
const HOLDER_KEY = 'owner/holder';

/** The owner in one object of the origin, who has it now in another. */
export class OwnerNote implements OriginOwnership {
  readonly #objects: ObjectStore;

  constructor(objects: ObjectStore) {
    this.#objects = objects;
  }

  async readOwner(): Promise<OriginOwner | undefined> {
    const bytes = await this.#objects.get(OWNER_KEY);
    if (!bytes) return undefined;
    const text = bytes.toString('utf8');
    const [, regionId, generation] = /^([0-9a-f-]{36}) (\d{1,15})\n$/.exec(text) ?? [];
    if (regionId !== undefined) return { regionId, generation: Number(generation) };
    throw new SluiceError('STORE_CORRUPT', `${OWNER_KEY}: the origin's owner cannot be read`, {
      data: { key: OWNER_KEY },
    });
  }

  async claimOwner(owner: OriginOwner): Promise<OriginOwner> {
    await this.#objects.putIfAbsent(OWNER_KEY, encode(owner));
    await this.#objects.settle([OWNER_KEY]);
    return (await this.readOwner()) ?? owner;
  }

  async replaceOwner(owner: OriginOwner): Promise<void> {
    await this.#objects.replace(OWNER_KEY, encode(owner));
    await this.#objects.settle([OWNER_KEY]);
  }

  /** One that cannot be read is nobody's: the next beat of whoever lives writes it anew. */
  async readHolder(): Promise<OriginHolder | undefined> {
    const text = (await this.#objects.get(HOLDER_KEY))?.toString('utf8') ?? '';
    const [, id, beat, place] = /^([0-9a-f-]{36}) (\d{1,15}) ([0-9a-f]{32}|-)\n$/.exec(text) ?? [];
    if (id === undefined || place === undefined) return undefined;
    return { id, beat: Number(beat), place };
  }

  async writeHolder({ id, beat, place }: OriginHolder): Promise<void> {
    await this.#objects.replace(HOLDER_KEY, Buffer.from(`${id} ${beat} ${place}\n`));
  }
}

const encode = ({ regionId, generation }: OriginOwner) =>
  Buffer.from(`${regionId} ${generation}\n`);
