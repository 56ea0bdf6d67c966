import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { CHUNK_SIZE_BYTES, GIB, isSluiceError, MIB, SeededRandom } from '../base/mod.ts';
import {
  type DataKeyContext,
  type KeyService,
  type ManifestContents,
  openManifest,
  readManifestHeader,
  rewrapManifest,
  sealManifest,
  unwrapDataKey,
  unwrapKey,
  type WrappedDataKey,
  wrapKey,
} from './mod.ts';

const random = new SeededRandom(7);

/** Key services of one account's key each, numbered: rotation moves from one to the next. */
class NumberedKeys implements KeyService {
  readonly #keys: readonly Buffer[];

  constructor(...keys: Buffer[]) {
    this.#keys = keys;
  }

  async generateDataKey(context: DataKeyContext) {
    const plaintext = random.bytes(32);
    return { plaintext: Buffer.from(plaintext), ...this.#wrap(plaintext, context) };
  }

  async unwrapDataKey({ keyId, wrapped }: WrappedDataKey, context: DataKeyContext) {
    const key = this.#keys[Number(keyId)] ?? assert.fail(`no key ${keyId}`);
    return unwrapKey(key, wrapped, [context.accountId, context.manifestId], keyId);
  }

  async rewrapDataKey(key: WrappedDataKey, context: DataKeyContext) {
    return this.#wrap(await this.unwrapDataKey(key, context), context);
  }

  #wrap(dataKey: Buffer, { accountId, manifestId }: DataKeyContext): WrappedDataKey {
    const key = this.#keys.at(-1) as Buffer;
    const wrapped = wrapKey(key, dataKey, [accountId, manifestId], random);
    return { keyId: String(this.#keys.length - 1), wrapped };
  }
}

const firstKey = Buffer.alloc(32, 1);
const keys = new NumberedKeys(firstKey);

function contents(chunkCount: number, storedShare = 0.7): ManifestContents {
  const chunks = Array.from({ length: chunkCount }, () =>
    random.float() < storedShare
      ? { name: random.bytes(32).toString('hex'), key: random.bytes(32) }
      : undefined,
  );
  return {
    manifestId: random.uuid(),
    rootId: 'root-1',
    accountId: '000000000000',
    diskBytes: chunkCount * CHUNK_SIZE_BYTES,
    createdAtMs: 1_700_000_000_000,
    chunks,
    metadata: { imageDigest: 'sha256:00', environment: ['SECRET=hunter2'] },
  };
}

test('what is sealed is what opens', async () => {
  const property = fc.asyncProperty(
    fc.nat(40),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.dictionary(fc.string(), fc.jsonValue()),
    async (count, share, metadata) => {
      const sealed = { ...contents(count, share), metadata: JSON.parse(JSON.stringify(metadata)) };
      const bytes = await sealManifest(sealed, keys, random);
      const opened = openManifest(bytes, await unwrapDataKey(bytes, keys));
      assert.deepEqual(opened.metadata, sealed.metadata);
      assert.equal(opened.chunkCount, count);
      assert.equal(opened.diskBytes, sealed.diskBytes);
      assert.equal(opened.manifestId, sealed.manifestId);
      sealed.chunks.forEach((chunk, index) => {
        assert.equal(opened.chunkName(index), chunk?.name);
        if (chunk) assert.ok(opened.chunkKey(index).equals(chunk.key));
      });
      const names = sealed.chunks.flatMap((chunk) => chunk?.name ?? []);
      assert.deepEqual([...readManifestHeader(bytes).names()], names);
    },
  );
  await fc.assert(property, { numRuns: propertyRuns(100) });
});

test('every flipped bit is found, with and without repaired digest', async () => {
  const bytes = await sealManifest(contents(5), keys, random);
  const dataKey = await unwrapDataKey(bytes, keys);
  const bodyBytes = bytes.length - 32;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Buffer.from(bytes);
    damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.throws(() => readManifestHeader(damaged), { code: 'MANIFEST_MALFORMED' }, `bit ${bit}`);
    if (bit >> 3 >= bodyBytes) continue;
    // A forger can compute the digest, and still opens nothing.
    const digest = createHash('sha256').update(damaged.subarray(0, bodyBytes)).digest();
    digest.copy(damaged, bodyBytes);
    await assert.rejects(openForged(damaged, dataKey), (error) => {
      const codes = ['MANIFEST_TAMPERED', 'MANIFEST_MALFORMED', 'MANIFEST_VERSION_UNKNOWN'];
      return isSluiceError(error) && [...codes, 'KEY_DENIED', 'KEY_NOT_FOUND'].includes(error.code);
    });
  }
});

/** As a worker opens a manifest; a key id that was altered is a key that is not found. */
async function openForged(bytes: Buffer, dataKey: Buffer): Promise<void> {
  const { keyId } = readManifestHeader(bytes);
  if (keyId !== '0') return openManifest(bytes, Buffer.alloc(32)).wipe();
  const unwrapped = await unwrapDataKey(bytes, keys);
  assert.ok(unwrapped.equals(dataKey));
  openManifest(bytes, unwrapped);
}

test('arbitrary bytes and cut manifests are refused with a code, never a crash', async () => {
  const whole = await sealManifest(contents(20), keys, random);
  const cut = fc.nat(whole.length - 1).map((length) => whole.subarray(0, length));
  const noise = fc.uint8Array({ maxLength: 400 }).map((each) => {
    const body = Buffer.concat([whole.subarray(0, 10), each]);
    return Buffer.concat([body, createHash('sha256').update(body).digest()]);
  });
  const property = fc.property(fc.oneof(cut, noise), (bytes) => {
    assert.throws(
      () => openManifest(Buffer.from(bytes), Buffer.alloc(32)),
      (error) => {
        return (
          isSluiceError(error, 'MANIFEST_MALFORMED') || isSluiceError(error, 'MANIFEST_TAMPERED')
        );
      },
    );
  });
  fc.assert(property, { numRuns: 2000 });
});

test('a later version is refused by its number', async () => {
  const bytes = await sealManifest(contents(1), keys, random);
  const later = Buffer.from(bytes.subarray(0, -32));
  later.writeUInt16BE(2, 8);
  const digest = createHash('sha256').update(later).digest();
  assert.throws(() => readManifestHeader(Buffer.concat([later, digest])), {
    code: 'MANIFEST_VERSION_UNKNOWN',
    data: { version: 2 },
  });
});

test('another data key, another account and another manifest do not open it', async () => {
  const bytes = await sealManifest(contents(3), keys, random);
  assert.throws(() => openManifest(bytes, Buffer.alloc(32)), { code: 'MANIFEST_TAMPERED' });
  await assert.rejects(unwrapDataKey(bytes, new NumberedKeys(Buffer.alloc(32, 2))), {
    code: 'KEY_DENIED',
  });
  const { manifestId } = readManifestHeader(bytes);
  const key = await keys.generateDataKey({ accountId: '000000000000', manifestId });
  const foreign = { accountId: '000000000001', manifestId };
  await assert.rejects(keys.unwrapDataKey(key, foreign), { code: 'KEY_DENIED' });
});

test('rewrapping changes the key that wraps, and nothing that was sealed', async () => {
  const bytes = await sealManifest(contents(50), keys, random);
  const rotated = new NumberedKeys(firstKey, Buffer.alloc(32, 2));
  const rewrapped = await rewrapManifest(bytes, rotated);
  assert.equal(readManifestHeader(rewrapped).keyId, '1');
  const before = openManifest(bytes, await unwrapDataKey(bytes, keys));
  const after = openManifest(rewrapped, await unwrapDataKey(rewrapped, rotated));
  assert.deepEqual(after.metadata, before.metadata);
  for (let i = 0; i < 50; i++) assert.equal(after.chunkName(i), before.chunkName(i));
  const sealedEnd = bytes.length - 32 - 61 - 1 - 4;
  assert.ok(rewrapped.subarray(0, sealedEnd).equals(bytes.subarray(0, sealedEnd)));
});

test('nothing secret stands in clear', async () => {
  const sealed = contents(10, 1);
  const bytes = await sealManifest(sealed, keys, random);
  assert.ok(!bytes.includes('hunter2'));
  for (const chunk of sealed.chunks) assert.ok(chunk && !bytes.includes(chunk.key));
});

test('a manifest of 16 GiB stays under 3 MiB and 96 bytes a chunk', async () => {
  const count = (16 * GIB) / CHUNK_SIZE_BYTES;
  const bytes = await sealManifest(contents(count, 1), keys, random);
  assert.ok(bytes.length < 3 * MIB, `${bytes.length} bytes`);
  assert.ok(bytes.length / count <= 96);
  const zeros = await sealManifest(contents(count, 0), keys, random);
  assert.ok(zeros.length < 5000, `${zeros.length} bytes`);
});

test('a wiped manifest holds no keys', async () => {
  const bytes = await sealManifest(contents(3, 1), keys, random);
  const opened = openManifest(bytes, await unwrapDataKey(bytes, keys));
  const key = opened.chunkKey(2);
  opened.wipe();
  assert.ok(key.equals(Buffer.alloc(32)));
  assert.throws(() => opened.chunkName(3), { code: 'INTERNAL' });
});
