import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Clock,
  isSluiceError,
  type Logger,
  limits,
  type Random,
  SluiceError,
  type Timer,
} from '../base/mod.ts';
import {
  type DataDirectory,
  type RegionRecord,
  readRegionRecord,
  type Settings,
  writeRegionRecord,
} from '../config/mod.ts';
import type { KeyCustody } from '../keys/mod.ts';
import { type Origin, type OriginOwner, type OriginPlace, OWNER_KEY } from '../origin/mod.ts';
import { holdsOnlyAdded } from './kept-images.ts';
import { judgeParts, type PartFinding } from './region-parts.ts';

export interface RegionIdentityOptions {
  readonly data: DataDirectory;
  readonly origin: Pick<Origin, 'owner' | 'listRoots' | 'listManifests' | 'pinnedManifests'>;
  readonly place: OriginPlace;
  readonly keyKind: Settings['keys']['kind'];
  readonly keys: Pick<KeyCustody, 'verifySecrets'>;
  readonly random: Random;
}

interface Parts {
  readonly state: RegionRecord | undefined;
  readonly keys: RegionRecord | undefined;
  readonly owner: OriginOwner | undefined;
}

/** Files of the region itself, which say nothing of what else there is. */
const ownFiles = ['region.json', 'reserve'];

/**
 * One id stands in `state/`, `keys/` and the origin, and everything that writes or deletes asks
 * first whether they agree. A generation stands in state and origin, raised in the state first: a
 * state that is behind is an old backup, in whose eyes what came later would be garbage.
 */
export class RegionIdentity {
  readonly #options: RegionIdentityOptions;

  constructor(options: RegionIdentityOptions) {
    this.#options = options;
  }

  /** Makes a region of an empty data directory; else rejects with `REGION_MISMATCH`, naming what lacks. */
  async check(): Promise<void> {
    const verdict = await this.#judge();
    if (verdict.kind === 'unnamed') return this.#make();
    // Another process may have been making the region between two looks.
    const second = verdict.kind === 'refused' ? await this.#judge() : verdict;
    if (second.kind === 'refused') {
      if (existsSync(this.#options.data.regionFiles.making)) return this.#make();
      throw mismatch(second.why);
    }
    const { keys } = await this.#requireCurrent();
    if (keys) await this.#verifySecrets(keys);
  }

  /** The same for who needs no keys, and may run where they are not. Makes nothing. */
  async checkWithoutKeys(): Promise<void> {
    const parts = (await this.#findings()).filter(({ name }) => !name.startsWith('keys'));
    const verdict = judgeParts(parts);
    if (verdict.kind === 'refused') throw mismatch(verdict.why);
    if (verdict.kind === 'same') await this.#requireCurrent();
  }

  async #requireCurrent(): Promise<Parts> {
    const { data } = this.#options;
    const parts = await this.#read();
    const { state, owner } = parts;
    if (!state || !owner) throw mismatch(`${data.path}: is being replaced`);
    requireDatabases(data, state.databases);
    if (state.generation < owner.generation) throw outdated(data, state, owner);
    return parts;
  }

  /** Raises the generation, and notes which databases are there. */
  async advance(): Promise<void> {
    const { data, origin } = this.#options;
    const state = readRegionRecord(data.regionFiles.state);
    if (!state) throw mismatch(`${data.state}: is gone`);
    const generation = state.generation + 1;
    // One that is gone meanwhile stays noted, so that the next start misses it.
    const databases = [...new Set([...state.databases, ...databasesIn(data)])];
    writeRegionRecord(data.regionFiles.state, { ...state, generation, databases }, true);
    await origin.owner.replaceOwner({ regionId: state.regionId, generation });
  }

  /** Makes one region of what is there, whatever it said before. Answers its id. */
  async adopt(): Promise<string> {
    const { data, origin, random } = this.#options;
    const { state, keys, owner } = await this.#read();
    const regionId = state?.regionId ?? keys?.regionId ?? random.uuid();
    const generation = Math.max(state?.generation ?? 0, owner?.generation ?? 0) + 1;
    const record = { regionId, generation, databases: [], secrets: {} };
    const secrets = await this.#secrets({});
    writeRegionRecord(data.regionFiles.keys, { ...record, secrets }, true);
    writeRegionRecord(data.regionFiles.state, { ...record, databases: databasesIn(data) }, true);
    await origin.owner.replaceOwner({ regionId, generation });
    return regionId;
  }

  async #make(): Promise<void> {
    const { data, origin, random } = this.#options;
    const { making, state, keys } = data.regionFiles;
    const fresh = { regionId: random.uuid(), generation: 0, databases: [], secrets: {} };
    writeRegionRecord(making, fresh, false);
    const { regionId } = readRegionRecord(making) ?? fresh;
    const record = { ...fresh, regionId };
    writeRegionRecord(keys, { ...record, secrets: await this.#secrets({}) }, false);
    const owner = await origin.owner.claimOwner({ regionId, generation: 0 });
    if (owner.regionId === regionId) {
      writeRegionRecord(state, { ...record, databases: databasesIn(data) }, false);
    }
    rmSync(making, { force: true });
    const verdict = await this.#judge();
    if (verdict.kind === 'refused') throw mismatch(verdict.why);
  }

  async #judge() {
    return judgeParts(await this.#findings());
  }

  async #findings(): Promise<PartFinding[]> {
    const { data, origin, place } = this.#options;
    const { state, keys, owner } = await this.#read();
    const isEmptyOrigin = owner === undefined && (await origin.listRoots()).length === 0;
    const isUnnamed = !owner && !state && !keys && !isEmptyOrigin;
    const needsNoState = isUnnamed && isEmpty(data.state) && (await holdsOnlyAdded(origin));
    return [
      ...localFindings(data, { state, keys }),
      {
        name: `origin (${describe(place)})`,
        ...{ idFile: `${describe(place)}/${OWNER_KEY}`, regionId: owner?.regionId },
        ...{ isEmpty: isEmptyOrigin, needsNoState },
      },
    ];
  }

  /** The origin first: it is written last, so that the state is never behind by accident. */
  async #read(): Promise<Parts> {
    const { data, origin } = this.#options;
    const owner = await origin.owner.readOwner().catch((cause) => {
      if (!isSluiceError(cause, 'STORE_CORRUPT')) throw cause;
      const file = `${describe(this.#options.place)}/${OWNER_KEY}`;
      const message = `${file}: cannot be read; restore it from a backup, or remove it and run sluice region adopt`;
      throw new SluiceError('STORE_CORRUPT', message, { cause });
    });
    const { state, keys } = data.regionFiles;
    return { owner, keys: readRegionRecord(keys), state: readRegionRecord(state) };
  }

  async #verifySecrets(keys: RegionRecord): Promise<void> {
    const secrets = await this.#secrets(keys.secrets);
    const isKnown = Object.keys(secrets).every((name) => name in keys.secrets);
    if (isKnown) return;
    writeRegionRecord(this.#options.data.regionFiles.keys, { ...keys, secrets }, true);
  }

  #secrets(known: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    const { keyKind, keys } = this.#options;
    const names =
      keyKind === 'local' ? (['master.key', 'dedup.secret'] as const) : (['dedup.secret'] as const);
    return keys.verifySecrets(names, known);
  }
}

/** Raises the generation now and from time to time. Answers what ends that. */
export async function keepGeneration(
  identity: Pick<RegionIdentity, 'advance'>,
  clock: Clock,
  logger: Logger,
): Promise<() => void> {
  await identity.advance();
  let timer: Timer;
  const again = () => {
    timer = clock.setTimer(limits.origin.generationMs, () => {
      identity
        .advance()
        .catch((error) => logger.error({ error }, 'the generation was not raised'))
        .finally(again);
    });
  };
  again();
  return () => timer.cancel();
}

/** What can be told of a data directory without its origin. Throws `REGION_MISMATCH`. */
export function checkLocalParts(data: DataDirectory): void {
  const { making, state, keys } = data.regionFiles;
  const records = { state: readRegionRecord(state), keys: readRegionRecord(keys) };
  if (existsSync(making)) return;
  const verdict = judgeParts(localFindings(data, records));
  if (verdict.kind === 'refused') throw mismatch(verdict.why);
  requireDatabases(data, records.state?.databases ?? []);
}

function localFindings(
  data: DataDirectory,
  records: Readonly<Record<'state' | 'keys', RegionRecord | undefined>>,
): PartFinding[] {
  return (['state', 'keys'] as const).map((part) => ({
    name: `${part} (${data[part]})`,
    regionId: records[part]?.regionId,
    idFile: data.regionFiles[part],
    isEmpty: isEmpty(data[part]),
  }));
}

const isEmpty = (folder: string) =>
  readdirSync(folder).every(
    (name) => name === 'lost+found' || name.startsWith('.') || ownFiles.includes(name),
  );

const databasesIn = ({ state }: DataDirectory) =>
  readdirSync(state)
    .filter((name) => name.endsWith('.sqlite'))
    .sort();

function requireDatabases(data: DataDirectory, databases: readonly string[]): void {
  for (const name of databases) {
    const path = join(data.state, name);
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size) continue;
    throw mismatch(
      `${path}: is ${size === 0 ? 'empty' : 'gone'}; restore it from a backup, or, to go on without what it held, run sluice region adopt on this data directory`,
    );
  }
}

function describe(place: OriginPlace): string {
  return place.kind === 'directory'
    ? place.directory
    : `s3://${place.bucket}/${place.prefix ?? ''}`;
}

function mismatch(why: string): SluiceError {
  return new SluiceError('REGION_MISMATCH', why);
}

function outdated(data: DataDirectory, state: RegionRecord, owner: OriginOwner): SluiceError {
  return mismatch(
    `${data.state}: is an old backup (generation ${state.generation}; the origin has seen ` +
      `${owner.generation}); restore the newest, or, to go on with this one, run sluice region adopt`,
  );
}
