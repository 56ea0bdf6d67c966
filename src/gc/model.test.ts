import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSluiceError, SeededRandom } from '../base/mod.ts';
import type { GarbageCollector } from './mod.ts';
import { DWELL_MS, SETTLE_MS, World } from './world.fixture.ts';

const STEPS = 10_000;

/** What the model remembers besides the world. */
interface Model {
  /** While an alarm stands: all that expired roots hold, which must still be there afterwards. */
  guarded: ReadonlySet<string>;
  /** Manifests in roots that are not active, which may go and never come. */
  closed: ReadonlySet<string>;
  /** Roots that were not active before the last command. */
  old: ReadonlySet<string>;
}

/** How often what the model is about came to pass: a world in which nothing happens proves nothing. */
const happened = { copied: 0, deleted: 0, alarms: 0, stopped: 0, crashes: 0, lateUploads: 0 };

type Step = (world: World) => Promise<void>;

let steps = 0;

class Command implements fc.AsyncCommand<Model, World> {
  readonly #name: string;
  readonly #step: Step;

  constructor(name: string, step: Step) {
    this.#name = name;
    this.#step = step;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, world: World): Promise<void> {
    steps++;
    await this.#step(world);
    const keys = new Set(await world.keys('roots/'));
    const roots = await rootsOf(world);
    for (const key of model.guarded) {
      assert.ok(keys.has(key), `${key} was deleted while an alarm stood`);
    }
    const manifests = [...keys].filter((key) => key.includes('/manifests/'));
    for (const key of manifests) {
      const isNew = model.old.has(rootOf(key)) && !model.closed.has(key);
      assert.ok(!isNew, `${key} came into a root that was not active`);
    }
    for (const manifestId of world.live.keys()) {
      const holders = manifests.filter((key) => key.endsWith(`/${manifestId}`)).map(rootOf);
      const safe = holders.some((rootId) => !roots.expired.has(rootId));
      assert.ok(safe, `${manifestId} is live and in no root that may be read`);
    }
    await world.checkRootsAreWhole();
    const alarms = await world.keys('alarms/');
    const isGuarded = (key: string) => alarms.length > 0 && roots.expired.has(rootOf(key));
    model.guarded = new Set([...keys].filter(isGuarded));
    model.old = roots.old;
    model.closed = new Set(manifests.filter((key) => roots.old.has(rootOf(key))));
  }

  toString(): string {
    return this.#name;
  }
}

const rootOf = (key: string) => key.split('/')[1] ?? '';

/** Roots by the markers that rest in the origin, whatever any process remembers of them. */
async function rootsOf(world: World): Promise<{ old: Set<string>; expired: Set<string> }> {
  const old = new Set<string>();
  const expired = new Set<string>();
  for (const key of await world.keys('state/')) {
    const [, rootId = '', marker] = key.split('/');
    if (marker === 'retired') old.add(rootId);
    if (marker === 'expired') expired.add(rootId);
  }
  return { old, expired };
}

function pick<T>(items: readonly T[], index: number): T | undefined {
  return items[index % Math.max(1, items.length)];
}

const beginUpload =
  (blocks: number[]): Step =>
  async (world) => {
    world.uploads.push(await world.beginUpload(blocks));
  };

const upload =
  (blocks: number[]): Step =>
  async (world) => {
    // Lets the worker's view of the roots grow old enough to be read again.
    world.clock.jump(6000);
    await world.upload(...blocks);
  };

const continueUpload =
  (index: number): Step =>
  async (world) => {
    const upload = pick(world.uploads, index);
    if (!upload) return;
    const { old } = await rootsOf(world);
    if (upload.stage === 'chunks' && old.has(upload.rootId)) happened.lateUploads++;
    await world.continueUpload(upload);
  };

const deleteFunction =
  (index: number): Step =>
  async (world) => {
    world.live.delete(pick([...world.live.keys()], index) ?? '');
  };

const read =
  (index: number): Step =>
  async (world) => {
    const manifestId = pick([...world.live.keys()], index);
    if (manifestId) await withoutAlarm(world, () => world.read(manifestId));
  };

/** What is live is never read from an expired root, wherever its reader begins. */
async function withoutAlarm(world: World, work: () => Promise<void>): Promise<void> {
  const before = await world.keys('alarms/');
  await work();
  assert.deepEqual(await world.keys('alarms/'), before);
}

const openDevice =
  (index: number): Step =>
  async (world) => {
    const manifestId = pick([...world.live.keys()], index);
    if (!manifestId) return;
    const { rootId } = await world.origin.findManifest(manifestId);
    world.devices.push({ manifestId, rootId });
  };

const readDevice =
  (index: number): Step =>
  async (world) => {
    const device = pick(world.devices, index);
    if (device && world.live.has(device.manifestId)) {
      await withoutAlarm(world, () => world.read(device.manifestId, device.rootId));
    }
  };

/** Someone reads what nobody counts as live, where it was: it may be gone, or raise an alarm. */
const readDead =
  (index: number): Step =>
  async (world) => {
    const device = pick(world.devices, index);
    if (!device) return;
    const { state } = await world.origin.rootStatus(device.rootId);
    const before = (await world.keys('alarms/')).length;
    const bytes = await world.origin
      .getManifest(device.rootId, device.manifestId)
      .catch((error) => {
        assert.ok(isSluiceError(error, 'MANIFEST_NOT_FOUND'), String(error));
        return undefined;
      });
    const after = await world.keys('alarms/');
    const key = `alarms/${device.rootId}/manifest/${device.manifestId}`;
    if (state !== 'expired' || !bytes) return assert.equal(after.length, before);
    assert.ok(after.includes(key), 'an expired read alarms');
    happened.alarms++;
  };

const advance =
  (byMs: number): Step =>
  async (world) => {
    world.clock.jump(byMs);
  };

const collections: Record<string, (collector: GarbageCollector) => Promise<unknown>> = {
  rotate: (collector) => collector.rotate(),
  migrate: async (collector) => {
    happened.copied += (await collector.migrate()).manifestsCopied;
  },
  expire: (collector) => collector.expire(),
  delete: async (collector) => {
    happened.deleted += (await collector.delete()).deleted.length;
  },
  resume: (collector) => collector.resume(),
};

const collect =
  (name: string, writes: number): Step =>
  async (world) => {
    const work = collections[name] ?? assert.fail(name);
    const ended = await world.collectUntilCrash(writes, work);
    if (ended === 'crashed') happened.crashes++;
    if (ended === 'stopped') happened.stopped++;
  };

const commands = (() => {
  const index = fc.nat(20);
  const on = (name: string, step: (index: number) => Step) =>
    index.map((each) => new Command(`${name}(${each})`, step(each)));
  const blocks = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 });
  const collecting = Object.keys(collections).flatMap((name) => [
    fc.constant(new Command(name, collect(name, Number.POSITIVE_INFINITY))),
    fc.nat(8).map((each) => new Command(`${name}, killed at ${each}`, collect(name, each))),
  ]);
  const often = (times: number, command: fc.Arbitrary<Command>) => Array(times).fill(command);
  const waits = fc.constantFrom(100, 6000, SETTLE_MS, DWELL_MS);
  return [
    ...often(
      4,
      blocks.map((each) => new Command(`upload(${each})`, upload(each))),
    ),
    ...often(
      2,
      blocks.map((each) => new Command(`begin upload(${each})`, beginUpload(each))),
    ),
    ...often(3, on('continue upload', continueUpload)),
    ...often(2, on('delete function', deleteFunction)),
    ...often(3, on('read', read)),
    ...often(2, on('open device', openDevice)),
    ...often(3, on('read device', readDevice)),
    ...often(3, on('read dead', readDead)),
    ...often(
      3,
      waits.map((each) => new Command(`wait ${each} ms`, advance(each))),
    ),
    ...collecting,
  ];
})();

test(`whatever happens in whatever order, over ${STEPS} steps, nothing is lost`, async (t) => {
  const none: ReadonlySet<string> = new Set();
  const seed = Number(process.env['SEED'] ?? 20_261_121);
  for (let batch = 0; steps < STEPS; batch++) {
    const property = fc.asyncProperty(
      fc.commands(commands, { maxCommands: 150, size: 'max' }),
      async (run) => {
        const setup = () => ({
          model: { guarded: none, closed: none, old: none },
          real: new World(new SeededRandom(1)),
        });
        await fc.asyncModelRun(setup, run);
      },
    );
    await fc.assert(property, { numRuns: 10, seed: seed + batch });
  }
  t.diagnostic(`${steps} steps from seed ${seed}: ${JSON.stringify(happened)}`);
  for (const [what, times] of Object.entries(happened)) assert.ok(times >= 10, `${what}: ${times}`);
});
