import { base256, directory, file, gnuLong, hardlink, layer, member, pax } from '../raw-tar.ts';
import type { TarCase } from '../tar-case.ts';

const formats = ['v7', 'ustar', 'gnu'] as const;

const kinds = [
  ['a file', '0'],
  ['an old file', '\0'],
  ['a contiguous file', '7'],
  ['a hard link', '1'],
  ['a symlink', '2'],
  ['a character device', '3'],
  ['a block device', '4'],
  ['a directory', '5'],
  ['a pipe', '6'],
] as const;

const CONTIGUOUS = 'POSIX has a reader without contiguous files take one for a file';

const deviceOf = (type: string) =>
  type === '3' || type === '4' ? { major: 259, minor: 70_000 } : {};

/** Every kind in every header format. */
const everyKind: TarCase[] = formats.flatMap((magic) =>
  kinds
    // V7 has no fields for a device's numbers.
    .filter(([, type]) => magic !== 'v7' || !'34'.includes(type))
    .map(([what, type]) => ({
      name: `${what}, ${magic}`,
      layers: [
        layer(
          file('f', 'content', { magic }),
          member(
            {
              ...{ name: type === '5' ? 'e/' : 'e', type, magic, uid: 12, gid: 34 },
              ...('12'.includes(type) && { link: 'f' }),
              ...deviceOf(type),
            },
            '07\0'.includes(type) ? 'text' : '',
          ),
        ),
      ],
      ...(type === '7' && { why: CONTIGUOUS, has: { '/e': { size: '4' } } }),
    })),
);

const one = (name: string, ...parts: readonly Buffer[]): TarCase => ({
  name,
  layers: [layer(...parts)],
});

export const formatCases: readonly TarCase[] = [
  ...everyKind,
  one('a V7 directory, told by its slash', member({ name: 'd/', type: '\0', magic: 'v7' })),
  one('numbers with spaces in front', file('f', 'abc', { mode: '   644 ', uid: '     7\0' })),
  one('numbers that end in spaces', file('f', 'abc', { mode: '000644 ', gid: '000007 ' })),
  one('numbers without an end', file('f', 'abc', { mode: '00000644', mtime: '014524555560' })),
  one('an empty field for a number', file('f', 'abc', { uid: '\0\0\0\0\0\0\0\0' })),
  one('a uid in base 256', file('f', 'x', { uid: base256(4_000_000_000n, 8) })),
  one('a size in base 256', file('f', 'x'.repeat(600), { size: base256(600n, 12) })),
  one('a time before 1970 in base 256', file('f', 'x', { mtime: base256(-1000n, 12) })),
  one('a time after 2038', file('f', 'x', { mtime: base256(4_294_967_296n, 12) })),
  one('a mode with the type in it', file('f', 'x', { mode: '0100755\0' })),
  one('set-uid, set-gid and sticky', file('f', 'x', { mode: 0o7755 })),
  one('a checksum of signed bytes', signedChecksum()),
  one('user and group names', file('f', 'x', { raw: { 265: 'nobody', 297: 'staff' } })),
  one('a PAX header for a size', pax({ size: '3' }), file('f', 'abc', { size: 3 })),
  one('a PAX size over the header’s', pax({ size: '3' }), member({ name: 'f', size: 0 }, 'abc')),
  one('a PAX uid and gid', pax({ uid: '70000', gid: '4000000000' }), file('f')),
  one('a PAX time with a fraction', pax({ mtime: '1700000001.123456789' }), file('f')),
  one('a PAX time with too many digits', pax({ mtime: '1700000001.1234567899999' }), file('f')),
  one('a PAX time before 1970', pax({ mtime: '-1.25' }), file('f')),
  one('PAX times of access and change', pax({ atime: '1.5', ctime: '2.5' }), file('f')),
  one(
    'a PAX comment, charset and unknown keys',
    pax({ comment: 'x', hdrcharset: 'BINARY', 'X.y': '1' }),
    file('f'),
  ),
  one('a PAX header twice for one member', pax({ uid: '1' }), pax({ gid: '2' }), file('f')),
  {
    ...one('a global PAX header', pax({ comment: 'commit 1234' }, 'g'), file('f')),
    why: 'git archive writes one, which is no member of the tree',
    has: { '/f': { size: '1' } },
  },
  one('PAX user names', pax({ uname: 'nobody', gname: 'näme' }), file('f')),
  one(
    'GNU long names and link targets',
    gnuLong('L', `${'d/'.repeat(60)}f`),
    file('cut', 'x', { magic: 'gnu' }),
  ),
  one(
    'a GNU long link target',
    file('f'),
    gnuLong('K', 'f'),
    hardlink('h', 'cut', { magic: 'gnu' }),
  ),
  one(
    'GNU long name and long target of one member',
    gnuLong('L', `${'n'.repeat(150)}`),
    gnuLong('K', `${'t'.repeat(200)}`),
    member({ name: 'cut', type: '2', link: 'cut', magic: 'gnu' }),
  ),
  one('a ustar prefix', directory('p/'), file('f', 'x', { prefix: 'p' })),
  one('a long ustar prefix', file('f', 'x', { prefix: 'q/'.repeat(77).slice(0, -1) })),
  one('a name that fills its field', file('n'.repeat(100), 'x')),
];

/** Old tars summed bytes as signed: one above 127 makes the difference. */
function signedChecksum(): Buffer {
  const made = file('n\xe9', 'x');
  let sum = 8 * 0x20;
  for (let at = 0; at < 512; at++) if (at < 148 || at >= 156) sum += made.readInt8(at);
  made.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return made;
}
