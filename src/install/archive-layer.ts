import { limits, SluiceError } from '../base/mod.ts';
import type { TarWriter } from '../oci/mod.ts';
import { readZipContent, readZipDirectory, type ZipEntry } from '../zip/mod.ts';

/** What all archives of one function may unpack to together; counted as they are unpacked. */
export class UnpackedBudget {
  #leftBytes: number = limits.lambda.codeSizeUnzippedBytes;

  /** Throws `CODE_TOO_LARGE`. */
  take(bytes: number): void {
    this.#leftBytes -= bytes;
    if (this.#leftBytes >= 0) return;
    const limitBytes = limits.lambda.codeSizeUnzippedBytes;
    throw new SluiceError(
      'CODE_TOO_LARGE',
      `zip archive: Unzipped size must be smaller than ${limitBytes} bytes`,
      { data: { limitBytes } },
    );
  }
}

/** Whoever packed it is not who runs it: what the owner may read and run, all may. */
function modeOf({ mode }: ZipEntry): number {
  const owners = (mode & 0o500) >> 6;
  return mode | (owners << 3) | owners;
}

/** Names that the layer format gives another meaning cannot be files. */
const WHITEOUT = /(^|\/)\.wh\./;

/** No entry may stand below a link of its own archive, which could lead anywhere on the disk. */
function refuseUnkeepable(entries: readonly ZipEntry[]): void {
  const links = new Set(entries.filter(({ kind }) => kind === 'symlink').map(({ name }) => name));
  for (const { name } of entries) {
    if (WHITEOUT.test(name)) throw invalid(name, 'names that begin with .wh. cannot be kept');
    for (let at = name.indexOf('/'); at > 0; at = name.indexOf('/', at + 1)) {
      if (links.has(name.slice(0, at))) throw invalid(name, 'it lies below a symbolic link');
    }
  }
}

function invalid(name: string, why: string): SluiceError {
  const text = Buffer.from(name, 'latin1').toString();
  return new SluiceError('CODE_INVALID', `zip archive: ${JSON.stringify(text)}: ${why}`);
}

async function readAll(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}

/**
 * Writes an archive's members below `root` (`var/task`). Throws `CODE_INVALID` for what is damaged
 * or cannot be kept, `CODE_TOO_LARGE` beyond the budget.
 */
export async function writeArchive(
  tar: TarWriter,
  archive: Buffer,
  root: string,
  budget: UnpackedBudget,
): Promise<void> {
  const entries = readZipDirectory(archive);
  refuseUnkeepable(entries);
  await tar.add({ path: root, kind: 'directory' });
  for (const entry of entries) {
    const { name, kind, mtimeSeconds, sizeBytes } = entry;
    const common = { path: `${root}/${name}`, kind, mode: modeOf(entry), mtimeSeconds };
    budget.take(sizeBytes);
    const content = readZipContent(archive, entry);
    if (kind === 'file') await tar.add({ ...common, sizeBytes }, content);
    else if (kind === 'directory') await tar.add(common);
    else {
      if (sizeBytes > limits.image.symlinkBytes) throw invalid(name, 'its target is too long');
      await tar.add({ ...common, linkTarget: (await readAll(content)).toString('latin1') });
    }
  }
}
