import type { EntryKind } from './tar-entry.ts';
import { TarFieldError, type TarHeader } from './tar-header.ts';

const kinds: Readonly<Record<string, EntryKind>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** What the type field says. Throws `TarFieldError` for types that no image has. */
export function entryKind(header: TarHeader): EntryKind {
  // V7 had no type for directories, only the slash.
  if (header.type === '\0' && header.path.endsWith('/')) return 'directory';
  const kind = kinds[header.type];
  if (kind !== undefined) return kind;
  throw new TarFieldError(`type ${JSON.stringify(header.type)} is not supported`);
}
