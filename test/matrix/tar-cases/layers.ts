import { directory, file, hardlink, layer, symlink } from '../raw-tar.ts';
import type { TarCase } from '../tar-case.ts';

const base = layer(
  directory('d/'),
  directory('d/e/'),
  file('d/f', 'lower'),
  file('d/e/g', 'lower'),
  file('f', 'lower'),
  hardlink('h', 'f'),
  symlink('s', 'd'),
);

const over = (name: string, ...parts: readonly Buffer[]): TarCase => ({
  name,
  layers: [base, layer(...parts)],
});

export const layerCases: readonly TarCase[] = [
  { name: 'no layer at all', layers: [] },
  { name: 'a layer of nothing', layers: [Buffer.alloc(1024)] },
  { name: 'an empty blob', layers: [base, Buffer.alloc(0)] },
  { name: '130 layers', layers: Array.from({ length: 130 }, (_, i) => layer(file(`f${i}`, 'x'))) },
  over('a file taken away', file('.wh.f', '')),
  over('one name of a hard link taken away', file('.wh.h', '')),
  over('a directory taken away', file('.wh.d', '')),
  over('a file of a directory taken away', file('d/.wh.f', '')),
  over('what is not there taken away', file('.wh.nothing', '')),
  over('a symlink taken away, and not what it shows', file('.wh.s', '')),
  over('a directory made opaque', directory('d/'), file('d/.wh..wh..opq', '')),
  over('a directory made opaque, and filled', file('d/.wh..wh..opq', ''), file('d/new', 'x')),
  over('a directory filled, and then made opaque', file('d/new', 'x'), file('d/.wh..wh..opq', '')),
  over('a file taken away and put again', file('.wh.f', ''), file('f', 'upper')),
  over(
    'a directory taken away and put again',
    file('.wh.d', ''),
    directory('d/'),
    file('d/new', 'x'),
  ),
  over('a file in the place of a directory', file('d', 'x')),
  over('a directory in the place of a file', directory('f/'), file('f/new', 'x')),
  over('a symlink in the place of a directory', symlink('d', 'f')),
  over('a symlink in the place of a file', symlink('f', 'h')),
  over('a directory in the place of a symlink', directory('s/'), file('s/new', 'x')),
  over('a file in the place of a symlink', file('s', 'x')),
  over('a file over a hard link: the other name keeps the old', file('h', 'upper')),
  over('a directory again, with another mode', directory('d/', { mode: 0o700, uid: 5 })),
  over('the root again, with another mode', directory('./', { mode: 0o700 })),
  over('a hard link to a file below', hardlink('d/new', 'f')),
  over('a hard link over a file', hardlink('d/f', 'f')),
  over('a file below a symlink of the layer below', file('s/new', 'x')),
  over('a file twice in one layer', file('new', 'first'), file('new', 'second')),
  over('a file, then a directory of its name', file('new', 'x'), directory('new/')),
  {
    ...over(
      'AUFS’s own files',
      file('.wh..wh.aufs', ''),
      directory('.wh..wh.plnk/'),
      file('.wh..wh.plnk/1.2', 'x'),
    ),
    why: 'what AUFS kept for itself is passed over, as Docker and containerd do',
    has: { '/.wh..wh.plnk': null },
  },
  {
    ...over('a whiteout of no name', file('.wh.', '')),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
  {
    ...over('a whiteout of the directory above', file('d/.wh...', '')),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
];
