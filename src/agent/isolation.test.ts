import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { sealDisk } from '../../test/support/sealed-disk.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { CHUNK_SIZE_BYTES, SeededRandom, SluiceError, systemClock } from '../base/mod.ts';
import type { Device, NearTiers, OpenDeviceRequest } from '../device/mod.ts';
import { HeldKeys } from '../keys/mod.ts';
import { LocalKeyService, memoryOrigin } from '../origin/mod.ts';
import { type ChunkRef, KeyReceiver, nameOf } from '../seal/mod.ts';
import { ManifestDevices } from './manifest-devices.ts';
import { ScopedTiers } from './scoped-tiers.ts';

const random = new SeededRandom(5);
const [mine, theirs] = ['111111111111', '222222222222'];
const hasCode = (code: string) => (error: unknown) =>
  error instanceof SluiceError && error.code === code;

test('tiers below memory, near and far, serve only what an open manifest names', async () => {
  const chunks = ['a', 'b', 'c'].map((fill) => Buffer.alloc(64, fill));
  const [a = '', b = '', c = ''] = chunks.map(nameOf);
  const bytesOf = ({ name }: ChunkRef) => chunks[[a, b, c].indexOf(name)] ?? assert.fail(name);
  const copy = (ref: ChunkRef, into: Buffer) => {
    bytesOf(ref).copy(into);
    return 'slab' as const;
  };
  const near: NearTiers = { readIntoSync: copy, readInto: async (ref, into) => copy(ref, into) };
  const tiers = new ScopedTiers({ get: async (ref) => bytesOf(ref) }, near);
  const readable = async () => {
    const found: string[] = [];
    for (const name of [a, b, c]) {
      const ref = { rootId: 'root', name };
      const [now, soon] = [Buffer.alloc(64), Buffer.alloc(64)];
      const tier = tiers.near.readIntoSync(ref, now);
      assert.equal(await tiers.near.readInto(ref, soon), tier);
      if (tier) {
        assert.ok(now.equals(bytesOf(ref)) && soon.equals(now));
        assert.equal(await tiers.source.get(ref), bytesOf(ref));
        found.push(name);
      } else {
        assert.ok(now.equals(Buffer.alloc(64)) && soon.equals(now), 'not a byte of it came');
        await assert.rejects(tiers.source.get(ref), hasCode('ACCESS_DENIED'));
      }
    }
    return found;
  };
  assert.deepEqual(await readable(), []);
  tiers.admit({ manifestId: 'one', names: () => [a, b] });
  tiers.admit({ manifestId: 'two', names: () => [b] });
  assert.deepEqual(await readable(), [a, b]);
  tiers.dismiss('one');
  assert.deepEqual(await readable(), [b], 'another manifest names it too');
  tiers.dismiss('two');
  assert.deepEqual(await readable(), []);
});

test('another account’s manifest opens no device: neither its key nor an agent is asked for', async (t) => {
  const origin = memoryOrigin({ clock: systemClock, random });
  const keyDirectory = join(temporaryDirectory(t, 'isolation'), 'keys');
  const sealed = await sealDisk(random.bytes(CHUNK_SIZE_BYTES), origin, keyDirectory, mine);
  await origin.putManifest(sealed.rootId, sealed.manifestId, sealed.manifestBytes);
  const keyService = new LocalKeyService(keyDirectory, systemClock, random);
  const unwrap = t.mock.method(keyService, 'unwrapDataKey');
  const secrets = { verifySecrets: assert.fail, dedupSecret: assert.fail };
  const opened: OpenDeviceRequest[] = [];
  const devices = new ManifestDevices(origin, new HeldKeys({ keyService, secrets, random }), {
    open: async (request) => {
      opened.push(request);
      return {} as Device;
    },
  });
  const request = { deviceId: 'd', manifestId: sealed.manifestId };
  await assert.rejects(devices.open({ ...request, accountId: theirs }), hasCode('ACCESS_DENIED'));
  assert.deepEqual([unwrap.mock.callCount(), opened.length], [0, 0]);
  await devices.open({ ...request, accountId: mine });
  assert.equal(unwrap.mock.callCount(), 0, 'no key before an agent says whom to seal it for');
  const agent = new KeyReceiver(random);
  const sealedKey = await opened[0]?.sealKey(agent.publicKey);
  assert.ok(sealedKey && agent.open(sealedKey, sealed).equals(sealed.dataKey));
  assert.ok(!Buffer.from(sealedKey).includes(sealed.dataKey));
});
