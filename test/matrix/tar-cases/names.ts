import { directory, file, hardlink, layer, member, pax, symlink } from '../raw-tar.ts';
import type { TarCase } from '../tar-case.ts';

const one = (name: string, ...parts: readonly Buffer[]): TarCase => ({
  name,
  layers: [layer(...parts)],
});
const refused = (name: string, why: string, ...parts: readonly Buffer[]): TarCase => ({
  ...one(name, ...parts),
  refuses: 'IMAGE_PATH_ESCAPES',
  why,
});

const CLIMBS = 'a path that climbs out of the image is refused, and not bent back into it';

export const nameCases: readonly TarCase[] = [
  one('a leading slash', file('/f', 'x')),
  one('a leading dot', file('./f', 'x')),
  one('doubled slashes', directory('d/'), file('d//f', 'x')),
  one('a dot inside', directory('d/'), file('d/./f', 'x')),
  one('dots inside', directory('d/'), directory('d/e/'), file('d/e/../f', 'x')),
  one('a file with a slash at its end', file('f/', '')),
  one('a directory without a slash', directory('d')),
  one('a directory in a file’s format with a slash', member({ name: 'd/', type: '0' })),
  one('UTF-8 in the header', file('na\xc3\xafve', 'x')),
  one('no encoding at all', file('\xff\xfe', 'x')),
  one('a newline and a tab', file('a\nb\tc', 'x')),
  one('a backslash and quotes', file('a\\b"c\'', 'x')),
  one('a name of 255 bytes', pax({ path: 'n'.repeat(255) }), file('cut', 'x')),
  one('a PAX name in UTF-8', pax({ path: 'd\xc3\xbcr/na\xc3\xafve' }), file('cut', 'x')),
  one('a PAX name with a slash at its end', pax({ path: 'd/e/' }), directory('cut')),
  one('a deep path, of which no directory is there', file(`${'p/'.repeat(40)}f`, 'x')),
  one('a long symlink target', pax({ linkpath: `${'t/'.repeat(600)}end` }), symlink('s', 'cut')),
  one('a symlink to nothing, and one to itself', symlink('s', 'nothing'), symlink('t', 't')),
  one('an absolute symlink', directory('d/'), symlink('s', '/d')),
  one('a symlink that climbs', symlink('s', '../../../../etc/passwd')),
  one(
    'a member below a symlink to a directory',
    directory('d/'),
    symlink('s', 'd'),
    file('s/f', 'x'),
  ),
  one('a member below an absolute symlink', directory('d/'), symlink('s', '/d'), file('s/f', 'x')),
  one(
    'a member below a symlink that climbs: it stays inside',
    directory('etc/'),
    symlink('s', '../../../etc'),
    file('s/f', 'x'),
  ),
  one('a hard link by a leading slash', file('f'), hardlink('h', '/f')),
  one('a hard link by a leading dot', file('f'), hardlink('h', './f')),
  one('a hard link across directories', directory('d/'), file('f'), hardlink('d/h', 'f')),
  one('a hard link to a symlink', symlink('s', 'f'), hardlink('h', 's')),
  one(
    'hard links of one file, one after another',
    file('f'),
    hardlink('g', 'f'),
    hardlink('h', 'g'),
  ),
  one('a hard link with a size', file('f', 'abc'), hardlink('h', 'f', { size: 3 })),
  one(
    'a hard link below a symlink',
    directory('d/'),
    file('d/f'),
    symlink('s', 'd'),
    hardlink('h', 's/f'),
  ),
  refused('a path that climbs', CLIMBS, file('../f', 'x')),
  refused('a path that climbs from a directory', CLIMBS, directory('d/'), file('d/../../f', 'x')),
  refused('an absolute path that climbs', CLIMBS, file('/../f', 'x')),
  {
    ...one('a hard link that climbs', hardlink('h', '../../etc/passwd')),
    refuses: 'IMAGE_PATH_ESCAPES',
  },
  one('a name that repeats slashes and climbs', file('a//../b/./f', 'x')),
  {
    ...one('a hard link to nothing', hardlink('h', 'nothing')),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
  {
    ...one('a hard link to itself', hardlink('h', 'h')),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
  {
    ...one('a hard link to a directory', directory('d/'), hardlink('h', 'd')),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
  {
    ...one('a name of 256 bytes', pax({ path: 'n'.repeat(256) }), file('cut', 'x')),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
  {
    ...one('a member below a file', file('f', 'x'), file('f/g', 'x')),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
  {
    ...one('a NUL in a PAX name', pax({ path: 'a\0b' }), file('cut', 'x')),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
  {
    ...one('a symlink to nowhere at all', symlink('s', '')),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
];
