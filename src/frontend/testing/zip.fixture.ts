import { writeZip } from '../../zip/mod.ts';

/** A zip archive of text files, for tests. */
export function makeZip(files: Readonly<Record<string, string>>): Buffer {
  const members = Object.entries(files).map(([name, text]) => ({
    name,
    content: Buffer.from(text),
  }));
  return writeZip(members);
}
