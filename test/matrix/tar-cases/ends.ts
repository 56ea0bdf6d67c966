import { file, header, layer, member, padded, pax, unended } from '../raw-tar.ts';
import type { TarCase } from '../tar-case.ts';

const one = (name: string, layer: Buffer): TarCase => ({ name, layers: [layer] });
const cut = (bytes: Buffer, by: number) => bytes.subarray(0, bytes.length - by);
const refused = (name: string, refuses: TarCase['refuses'], layer: Buffer): TarCase => ({
  ...one(name, layer),
  ...(refuses && { refuses }),
});

const CHECKED = 'what a tar reader passes over in silence would be an image with a part missing';

export const endCases: readonly TarCase[] = [
  one('no end mark', unended(file('f', 'x'))),
  one('half an end mark', Buffer.concat([unended(file('f', 'x')), Buffer.alloc(512)])),
  one('a long end mark', Buffer.concat([layer(file('f', 'x')), Buffer.alloc(9216)])),
  one('what stands behind the end mark', Buffer.concat([layer(file('f', 'x')), file('g', 'y')])),
  one(
    'garbage behind the end mark',
    Buffer.concat([layer(file('f', 'x')), Buffer.from('garbage')]),
  ),
  one('the padding of the last file cut off', cut(unended(file('f', 'abc')), 509)),
  one('a part of the padding cut off', cut(unended(file('f', 'abc')), 100)),
  one('a part of the end mark cut off', cut(layer(file('f', 'abc')), 512)),
  one(
    'padding that is not zeros',
    unended(Buffer.concat([header({ name: 'f', size: 3 }), Buffer.alloc(512, 'abc')])),
  ),
  one('a file of no bytes at the end', unended(file('f', ''))),
  refused(
    'the last file cut off',
    'IMAGE_LAYER_TRUNCATED',
    cut(unended(file('f', 'x'.repeat(600))), 600),
  ),
  refused('a header cut off', 'IMAGE_LAYER_TRUNCATED', cut(unended(file('f', '')), 100)),
  refused(
    'a PAX header cut off',
    'IMAGE_LAYER_TRUNCATED',
    cut(unended(pax({ path: 'x'.repeat(600) })), 600),
  ),
  refused(
    'a wrong checksum',
    'IMAGE_LAYER_CORRUPT',
    layer(file('f', 'x', { checksum: '000123\0 ' })),
  ),
  refused(
    'no checksum',
    'IMAGE_LAYER_CORRUPT',
    layer(file('f', 'x', { checksum: '\0\0\0\0\0\0\0\0' })),
  ),
  refused(
    'garbage in the place of a header',
    'IMAGE_LAYER_CORRUPT',
    unended(file('f', 'x'), Buffer.alloc(512, 'garbage')),
  ),
  refused(
    'a size that is no number',
    'IMAGE_ENTRY_INVALID',
    layer(member({ name: 'f', size: 'twelve bytes' }, 'x')),
  ),
  refused(
    'a negative size',
    'IMAGE_ENTRY_INVALID',
    layer(member({ name: 'f', size: '\xff'.repeat(12) }, 'x')),
  ),
  refused(
    'a PAX record with a wrong length',
    'IMAGE_ENTRY_INVALID',
    layer(member({ name: 'pax', type: 'x' }, '99 path=f\n'), file('f')),
  ),
  refused(
    'a PAX record without a length',
    'IMAGE_ENTRY_INVALID',
    layer(member({ name: 'pax', type: 'x' }, 'path=f\n'), file('f')),
  ),
  refused(
    'a PAX record without a key',
    'IMAGE_ENTRY_INVALID',
    layer(member({ name: 'pax', type: 'x' }, '6 =ab\n'), file('f')),
  ),
  refused(
    'a PAX record without a sign',
    'IMAGE_ENTRY_INVALID',
    layer(member({ name: 'pax', type: 'x' }, '7 path\n'), file('f')),
  ),
  refused(
    'a PAX size that is no number',
    'IMAGE_ENTRY_INVALID',
    layer(pax({ size: 'x' }), file('f')),
  ),
  refused(
    'a PAX time that is none',
    'IMAGE_ENTRY_INVALID',
    layer(pax({ mtime: 'now' }), file('f')),
  ),
  refused(
    'a PAX uid that is no number',
    'IMAGE_ENTRY_INVALID',
    layer(pax({ uid: 'root' }), file('f')),
  ),
  {
    ...one('a lone zero block between members', unended(Buffer.alloc(512), file('f', 'x'))),
    refuses: 'IMAGE_LAYER_CORRUPT',
  },
  {
    ...one('a member of a kind that nobody knows', layer(member({ name: 'f', type: 'Z' }, 'x'))),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
  {
    ...one('the rest of a file of several volumes', layer(member({ name: 'f', type: 'M' }, 'x'))),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
  {
    ...one('a volume’s label', layer(member({ name: 'label', type: 'V' }), file('f', 'x'))),
    why: 'a label is no member of the tree, as GNU tar and libarchive read it',
    has: { '/f': { size: '1' }, '/label': null },
  },
  {
    ...one('a uid beyond 32 bits', layer(pax({ uid: '4294967296' }), file('f', 'x'))),
    refuses: 'IMAGE_ENTRY_INVALID',
    why: CHECKED,
  },
];

const sparseMap = padded(Buffer.from('2\n0\n4\n8192\n4\n'));
const octal = (value: number) => `${value.toString(8).padStart(11, '0')}\0`;

export const sparseCases: readonly TarCase[] = [
  {
    ...one(
      'a sparse file, GNU’s old format',
      layer(
        member(
          {
            ...{ name: 'f', type: 'S', magic: 'gnu', size: 8 },
            raw: {
              386: octal(0) + octal(4) + octal(8192) + octal(4),
              483: octal(10_000),
            },
          },
          'headtail',
        ),
      ),
    ),
    why: 'GNU tar writes sparse files of its own format so',
    has: { '/f': { size: '10000' } },
  },
  one('a sparse file, PAX 0.0', layer(sparse00([0, 4, 8192, 4], 10_000), file('f', 'headtail'))),
  one(
    'a sparse file, PAX 0.1',
    layer(
      pax({
        'GNU.sparse.major': '0',
        'GNU.sparse.minor': '1',
        'GNU.sparse.name': 'f',
        'GNU.sparse.size': '10000',
        'GNU.sparse.numblocks': '2',
        'GNU.sparse.map': '0,4,8192,4',
      }),
      file('GNUSparseFile.1/f', 'headtail'),
    ),
  ),
  one('a sparse file, PAX 1.0', layer(sparse10('10000'), sparseMember())),
  one('a sparse file that ends in a hole', layer(sparse10('1000000'), sparseMember())),
  {
    ...one('a sparse file that is shorter than its map', layer(sparse10('100'), sparseMember())),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
  {
    ...one(
      'a sparse map that is no text',
      layer(sparse10('10000'), file('f', Buffer.alloc(520, 'x'))),
    ),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
];

/** Format 0.0 says offset and length again and again under the same keys, which no map can hold. */
function sparse00(map: readonly number[], size: number): Buffer {
  const records = [pax({ 'GNU.sparse.size': `${size}`, 'GNU.sparse.numblocks': '2' })];
  for (let i = 0; i < map.length; i += 2) {
    records.push(pax({ 'GNU.sparse.offset': `${map[i]}`, 'GNU.sparse.numbytes': `${map[i + 1]}` }));
  }
  const body = Buffer.concat(
    records.map((each) => {
      const size = Number.parseInt(each.toString('latin1', 124, 135), 8);
      return each.subarray(512, 512 + size);
    }),
  );
  return member({ name: 'pax', type: 'x' }, body);
}

function sparse10(size: string): Buffer {
  return pax({
    'GNU.sparse.major': '1',
    'GNU.sparse.minor': '0',
    'GNU.sparse.name': 'f',
    'GNU.sparse.realsize': size,
  });
}

function sparseMember(): Buffer {
  return file('GNUSparseFile.1/f', Buffer.concat([sparseMap, Buffer.from('headtail')]));
}
