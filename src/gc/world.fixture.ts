import assert from 'node:assert/strict';
import { isSluiceError, type Random, VirtualClock } from '../base/mod.ts';
import {
  collectorView,
  followingMigrations,
  MemoryObjects,
  type Origin,
  StoredOrigin,
} from '../origin/mod.ts';
import {
  chunkSalt,
  type KeyService,
  type ManifestChunk,
  openManifest,
  openRange,
  readManifestHeader,
  sealChunk,
  sealManifest,
  unwrapDataKey,
} from '../seal/mod.ts';
import { CrashingObjects } from './crashing-objects.fixture.ts';
import { type CollectedOrigin, GarbageCollector } from './mod.ts';

export const SETTLE_MS = 60_000;
export const DWELL_MS = 120_000;
const CHUNK_BYTES = 64;
const dedupSecret = Buffer.alloc(32, 5);

/** Wraps nothing: the model looks at what is stored where, and keys have tests of their own. */
const openKeys = (random: Random): KeyService => ({
  generateDataKey: async () => {
    const plaintext = random.bytes(32);
    return { keyId: 'open', wrapped: Buffer.from(plaintext), plaintext };
  },
  unwrapDataKey: async ({ wrapped }) => Buffer.from(wrapped),
  rewrapDataKey: async (key) => key,
});

/** An upload on its way: its chunks are stored, then its manifest, then it is live. */
export interface Upload {
  readonly manifestId: string;
  readonly rootId: string;
  readonly blocks: readonly number[];
  readonly startedAtMs: number;
  readonly bytes: Buffer;
  stage: 'chunks' | 'manifest';
}

/** A device opened once, that goes on reading by where its manifest rested then. */
export interface OpenDevice {
  readonly manifestId: string;
  readonly rootId: string;
}

/** An origin with a worker's process, a collector's process and what functions need of it. */
export class World {
  readonly clock = new VirtualClock(1_700_000_000_000);
  readonly objects = new MemoryObjects();
  /** Live manifests, and the block of each of their chunks: what reads must answer. */
  readonly live = new Map<string, readonly number[]>();
  readonly devices: OpenDevice[] = [];
  uploads: Upload[] = [];
  /** Whether the origin is still this region's. */
  isOurs = true;
  origin: Origin;
  collector: GarbageCollector;
  readonly #random: Random;
  readonly #tamper: (origin: CollectedOrigin) => CollectedOrigin;
  #collectorObjects: CrashingObjects;
  /** A manifest names the same chunks wherever it rests. */
  readonly #names = new Map<string, readonly string[]>();
  #manifests = 0;

  constructor(random: Random, tamper = (origin: CollectedOrigin) => origin) {
    this.#random = random;
    this.#tamper = tamper;
    this.origin = new StoredOrigin(this.objects, { clock: this.clock, random });
    this.#collectorObjects = new CrashingObjects(this.objects);
    this.collector = this.#startCollector();
  }

  async beginUpload(blocks: readonly number[]): Promise<Upload> {
    const rootId = await this.origin.activeRoot();
    const manifestId = `m-${++this.#manifests}`;
    const parts = { rootId, epoch: 0, scope: 'region', placement: '' } as const;
    const salt = chunkSalt(dedupSecret, parts);
    const chunks: ManifestChunk[] = [];
    for (const block of blocks) {
      const { name, key, ciphertext } = sealChunk(salt, Buffer.alloc(CHUNK_BYTES, block));
      await this.origin.put({ rootId, name }, ciphertext);
      chunks.push({ name, key });
    }
    const bytes = await sealManifest(
      {
        ...{ manifestId, rootId, chunks },
        accountId: '000000000000',
        diskBytes: blocks.length * CHUNK_BYTES,
        chunkSizeBytes: CHUNK_BYTES,
        createdAtMs: this.clock.nowMs(),
        metadata: {},
      },
      openKeys(this.#random),
      this.#random,
    );
    const startedAtMs = this.clock.nowMs();
    return { manifestId, rootId, blocks, startedAtMs, bytes, stage: 'chunks' };
  }

  /** One step further; an upload whose root was retired meanwhile fails, and that is all. */
  async continueUpload(upload: Upload): Promise<void> {
    this.uploads = this.uploads.filter((each) => each !== upload);
    if (this.clock.nowMs() - upload.startedAtMs >= SETTLE_MS) return;
    if (upload.stage === 'manifest') {
      this.live.set(upload.manifestId, upload.blocks);
      return;
    }
    try {
      await this.origin.putManifest(upload.rootId, upload.manifestId, upload.bytes);
      this.uploads.push({ ...upload, stage: 'manifest' });
    } catch (error) {
      assert.ok(isSluiceError(error, 'ROOT_READ_ONLY'), String(error));
      const bytes = await this.origin.readManifestForCopy(upload.rootId, upload.manifestId);
      assert.equal(bytes, undefined, 'an upload that failed leaves no manifest');
    }
  }

  /** Uploads all at once, a millisecond later than what was before. */
  async upload(...blocks: number[]): Promise<string> {
    const begun = await this.beginUpload(blocks);
    this.clock.jump(1);
    await this.continueUpload(begun);
    const stored = this.uploads.find(({ manifestId }) => manifestId === begun.manifestId);
    if (stored) await this.continueUpload(stored);
    assert.ok(this.live.has(begun.manifestId));
    return begun.manifestId;
  }

  /** Reads all of a live manifest, as a start does; each byte must be the one that was uploaded. */
  async read(manifestId: string, from?: string): Promise<void> {
    const located = await this.origin.findManifest(manifestId);
    const rootId = from ?? located.rootId;
    const dataKey = await unwrapDataKey(located.bytes, openKeys(this.#random));
    const manifest = openManifest(located.bytes, dataKey);
    const source = followingMigrations(this.origin, this.origin);
    const blocks = this.live.get(manifestId) ?? assert.fail('only what is live is read whole');
    for (const [index, block] of blocks.entries()) {
      const name = manifest.chunkName(index) ?? assert.fail('the model uploads no zero chunks');
      const ciphertext = await source.get({ rootId, name });
      const plaintext = openRange(manifest.chunkKey(index), ciphertext, 0, CHUNK_BYTES);
      assert.deepEqual(plaintext, Buffer.alloc(CHUNK_BYTES, block));
    }
  }

  /** The collector's process dies at its n-th write, or works to the end; and is started again. */
  async collectUntilCrash(
    writes: number,
    work: (collector: GarbageCollector) => Promise<unknown>,
  ): Promise<'done' | 'stopped' | 'crashed'> {
    let ended: 'done' | 'stopped' | 'crashed' = 'done';
    this.#collectorObjects.dieAfter(writes);
    try {
      await work(this.collector);
    } catch (error) {
      ended = this.#collectorObjects.crashed ? 'crashed' : 'stopped';
      if (ended === 'stopped' && !isSluiceError(error, 'DELETION_STOPPED')) throw error;
    }
    this.#collectorObjects = new CrashingObjects(this.objects);
    this.collector = this.#startCollector();
    return ended;
  }

  /** Keys below a prefix, as they rest. */
  async keys(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const key of this.objects.list(prefix)) keys.push(key);
    return keys;
  }

  /** Invariant 2: a manifest in a root has all its chunks in that root. */
  async checkRootsAreWhole(): Promise<void> {
    const keys = await this.keys('roots/');
    const present = new Set(keys);
    for (const key of keys.filter((each) => each.includes('/manifests/'))) {
      const [, rootId, , manifestId = ''] = key.split('/');
      for (const name of await this.#namesOf(manifestId, key)) {
        const chunk = `roots/${rootId}/chunks/${name.slice(0, 2)}/${name}`;
        assert.ok(present.has(chunk), `${key} lacks ${name}`);
      }
    }
  }

  async #namesOf(manifestId: string, key: string): Promise<readonly string[]> {
    const known = this.#names.get(manifestId);
    if (known) return known;
    const bytes = (await this.objects.get(key)) ?? assert.fail(key);
    const names = [...readManifestHeader(bytes).names()];
    this.#names.set(manifestId, names);
    return names;
  }

  #startCollector(): GarbageCollector {
    const { clock } = this;
    const origin = new StoredOrigin(this.#collectorObjects, { clock, random: this.#random });
    const live = this.live;
    async function* liveManifests(): AsyncIterable<string> {
      yield* [...live.keys()];
    }
    return new GarbageCollector(
      this.#tamper(collectorView(origin)),
      { liveManifests },
      {
        clock,
        settleMs: SETTLE_MS,
        dwellMs: DWELL_MS,
        mayDelete: async () => assert.ok(this.isOurs, 'another region has it'),
      },
    );
  }
}
