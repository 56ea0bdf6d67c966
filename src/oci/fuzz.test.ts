import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { SluiceError } from '../base/mod.ts';
import { parseImageDocument } from './documents.ts';
import { parseImageConfig } from './image-config.ts';
import { parseImageReference } from './reference.ts';
import { parsePaxRecords, paxRecord } from './tar/pax.ts';
import { readTar } from './tar/tar-reader.ts';
import { TarWriter } from './tar/tar-writer.ts';

/** A seed that once failed goes here, and stays. */
const KEPT_SEEDS: readonly number[] = [1, 20_261_121];

/** Runs the kept seeds first, then new ones; prints the seed on failure. */
async function fuzz<T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => Promise<void>) {
  const property = fc.asyncProperty(arbitrary, check);
  for (const seed of KEPT_SEEDS) await fc.assert(property, { seed, numRuns: 50 });
  await fc.assert(property, { numRuns: propertyRuns(600) });
}

/** Whatever the bytes are, the reader answers or refuses in its own words. */
async function onlyOwnErrors(work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    assert.notEqual(error.code, 'INTERNAL', error.message);
  }
}

async function drainTar(bytes: Buffer, pieceBytes: number): Promise<void> {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      yield bytes.subarray(at, at + pieceBytes);
    }
  }
  let seen = 0;
  for await (const entry of readTar(pieces())) {
    assert.ok(++seen <= bytes.length / 512);
    assert.ok(Number.isSafeInteger(entry.sizeBytes) && entry.sizeBytes >= 0);
    assert.ok(entry.mtimeNanoseconds >= 0 && entry.mtimeNanoseconds < 1e9);
    assert.ok(entry.mode >= 0 && entry.mode <= 0o7777);
    let end = 0;
    for (const { offset, length } of entry.sparse ?? []) {
      assert.ok(offset >= end && length > 0);
      end = offset + length;
    }
    assert.ok(end <= entry.sizeBytes);
    let read = 0;
    for await (const part of entry.content()) read += part.length;
    assert.equal(read, entry.storedBytes);
  }
}

/** A valid archive with a bit of everything, to be damaged. */
async function validArchive(): Promise<Buffer> {
  const parts: Buffer[] = [];
  const tar = new TarWriter((bytes) => void parts.push(Buffer.from(bytes)));
  await tar.add({ path: 'd', kind: 'directory' });
  await tar.add({ path: `d/${'x'.repeat(200)}`, mtimeNanoseconds: 5 }, Buffer.from('content'));
  await tar.add({ path: 'l', kind: 'symlink', linkTarget: 'd' });
  await tar.add(
    { path: 's', xattrs: new Map([['user.a', Buffer.from([0, 1])]]) },
    Buffer.alloc(900),
  );
  await tar.end();
  return Buffer.concat(parts);
}

/** Header fields overwritten, with the checksum made right again, so that parsing goes on. */
function damage(archive: Buffer, edits: readonly { at: number; bytes: Uint8Array }[]): Buffer {
  const damaged = Buffer.from(archive);
  for (const { at, bytes } of edits) {
    const start = at % damaged.length;
    damaged.set(bytes.subarray(0, damaged.length - start), start);
  }
  for (let block = 0; block < damaged.length; block += 512) {
    if (damaged.toString('latin1', block + 257, block + 262) !== 'ustar') continue;
    damaged.fill(' ', block + 148, block + 156);
    const sum = damaged.subarray(block, block + 512).reduce((total, byte) => total + byte, 0);
    damaged.write(`${sum.toString(8).padStart(6, '0')}\0 `, block + 148, 'latin1');
  }
  return damaged;
}

test('the tar reader on damaged archives', async () => {
  const archive = await validArchive();
  const edit = fc.record({
    at: fc.nat(archive.length - 1),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 12 }),
      fc
        .constantFrom('S', 'x', 'g', 'L', 'K', '7', '1', '77777777777')
        .map((text) => Buffer.from(text)),
      fc.constant(
        Buffer.from('22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n26 GNU.sparse.realsize=99\n'),
      ),
    ),
  });
  // Half of the edits fall on the fields that steer the reader: sizes and types.
  const steering = fc
    .record({
      block: fc.nat(archive.length / 512 - 1),
      field: fc.constantFrom(0, 124, 156, 482, 386),
    })
    .chain(({ block, field }) => edit.map(({ bytes }) => ({ at: block * 512 + field, bytes })));
  await fuzz(
    fc.record({
      edits: fc.array(fc.oneof(edit, steering), { maxLength: 6 }),
      cut: fc.nat(archive.length),
      pieceBytes: fc.integer({ min: 1, max: archive.length }),
    }),
    ({ edits, cut, pieceBytes }) =>
      onlyOwnErrors(() =>
        drainTar(damage(archive, edits).subarray(0, cut || undefined), pieceBytes),
      ),
  );
});

/** A header block, then its content: its first bytes as given, cut or filled up to `size`. */
function entryOf(type: string, size: number, start: Buffer, sparseFields = none): Buffer {
  const block = Buffer.alloc(512);
  block.write('name', 0);
  block.write(size.toString(8).padStart(11, '0'), 124);
  block.write(`${type}ustar\x0000`, 156);
  block.copyWithin(257, 157, 165);
  block.fill(0, 157, 165);
  block.set(sparseFields.subarray(0, 109), 386);
  const content = Buffer.alloc(Math.ceil(size / 512) * 512);
  start.copy(content, 0, 0, size);
  return Buffer.concat([block, content]);
}

const none = Buffer.alloc(0);
const smallNumber = fc.oneof(
  fc.constantFrom('0', '1', '5', '100', '512', '-1', '99999999999999999999', 'x', ''),
  fc.nat(2000).map(String),
);
const paxKey = fc.constantFrom(
  ...['GNU.sparse.major', 'GNU.sparse.minor', 'GNU.sparse.realsize', 'GNU.sparse.size'],
  ...['GNU.sparse.offset', 'GNU.sparse.numbytes', 'GNU.sparse.numblocks', 'GNU.sparse.name'],
  ...['size', 'uid', 'mtime', 'path', 'linkpath', 'SCHILY.xattr.user.x', 'SCHILY.devmajor'],
);
const numbers = fc.array(smallNumber, { maxLength: 6 });
const record = fc.oneof(
  fc.tuple(paxKey, smallNumber),
  fc.tuple(
    fc.constant('GNU.sparse.map'),
    numbers.map((all) => all.join(',')),
  ),
);
const sparseEntry = fc
  .record({
    type: fc.constantFrom('0', 'S', '7', '2', '5'),
    records: fc.array(record, { maxLength: 8 }),
    size: fc.nat(1500),
    lines: numbers,
    fields: fc.array(fc.tuple(fc.nat(3000), fc.nat(1000)), { maxLength: 4 }),
    realSize: fc.nat(5000),
  })
  .map(({ type, records, size, lines, fields, realSize }) => {
    const pax = Buffer.concat(records.map(([key, value]) => paxRecord(key, Buffer.from(value))));
    const octal = (value: number) => value.toString(8).padStart(11, '0');
    const extents = fields.map(([at, length]) => `${octal(at)}\0${octal(length)}\0`).join('');
    const oldMap = Buffer.from(`${extents.padEnd(97, '\0')}${octal(realSize)}\0`);
    return Buffer.concat([
      entryOf('x', pax.length, pax),
      entryOf(type, size, Buffer.from(`${lines.join('\n')}\n`), type === 'S' ? oldMap : none),
    ]);
  });

test('the tar reader on PAX and sparse headers that contradict themselves', () =>
  fuzz(fc.array(sparseEntry, { minLength: 1, maxLength: 3 }), (entries) =>
    onlyOwnErrors(() => drainTar(damage(Buffer.concat(entries), []), 700)),
  ));

test('the tar reader on any bytes', () =>
  fuzz(fc.uint8Array({ maxLength: 4096 }), (bytes) =>
    onlyOwnErrors(() => drainTar(Buffer.from(bytes), 512)),
  ));

test('PAX records survive a round trip, binary values and all', () =>
  fuzz(
    fc.array(fc.tuple(fc.stringMatching(/^[a-zA-Z.]{1,30}$/), fc.uint8Array({ maxLength: 2000 }))),
    async (pairs) => {
      const bytes = Buffer.concat(pairs.map(([key, value]) => paxRecord(key, Buffer.from(value))));
      const read = parsePaxRecords(bytes).map(({ key, value }) => [key, [...value]]);
      assert.deepEqual(
        read,
        pairs.map(([key, value]) => [key, [...value]]),
      );
    },
  ));

const digest = `sha256:${'a'.repeat(64)}`;
const descriptor = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: 1 };
const json = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(descriptor, digest, -1, 2 ** 60, null, [], {}, 'application/x'),
);

test('the readers of manifests, indexes and configurations on any JSON and any bytes', () =>
  fuzz(
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc
        .record(
          {
            schemaVersion: fc.constantFrom(1, 2, 'x'),
            mediaType: fc.constantFrom('application/vnd.oci.image.manifest.v1+json', 'x', 5),
            manifests: fc.oneof(json, fc.array(json)),
            layers: fc.oneof(json, fc.array(json)),
            config: json,
            rootfs: fc.oneof(json, fc.record({ diff_ids: fc.oneof(json, fc.array(json)) })),
            history: json,
            os: json,
          },
          { requiredKeys: [] },
        )
        .map((document) => Buffer.from(JSON.stringify(document))),
    ),
    async (bytes) => {
      await onlyOwnErrors(() => parseImageDocument(bytes, 'x'));
      await onlyOwnErrors(() => parseImageConfig(bytes, 'x'));
    },
  ));

test('the reader of references on any text', () =>
  fuzz(
    fc.oneof(
      fc.string(),
      fc.string().map((text) => `oci:${text}`),
    ),
    (text) => onlyOwnErrors(() => parseImageReference(text)),
  ));
