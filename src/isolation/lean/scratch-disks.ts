import { execFile } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { mkdir, open as openFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  limits,
  MIB,
  PAGE_SIZE_BYTES,
  SingleFlight,
  SluiceError,
  systemErrorCode,
} from '../../base/mod.ts';

/** One inode for so many bytes, as mke2fs has it by default. */
const BYTES_PER_INODE = 16 * 1024;
const INODE_BYTES = 256;
/** Room for superblock, group descriptors, bitmaps and the root directory. */
const METADATA_BYTES = 8 * MIB;
/** mke2fs leaves gaps; how much further to look for what it wrote. */
const GAP_BYTES = 64 * MIB;
/** One flex group over all, no journal and no copies: what is not zero lies at the beginning. */
const FORMAT = [
  ...['-q', '-F', '-t', 'ext4', '-b', '4096', '-m', '0', '-I', `${INODE_BYTES}`, '-G', '4096'],
  ...['-O', '^has_journal,^resize_inode,sparse_super2'],
  ...['-E', 'num_backup_sb=0,lazy_itable_init=1,nodiscard,root_owner=0:0'],
];

interface Template {
  readonly sizeBytes: number;
  readonly extents: readonly { readonly offset: number; readonly content: Buffer }[];
}

/**
 * The files behind the sandboxes' /tmp: sparse, of one empty file system each, of which a file is
 * made for each sandbox without formatting it again. A file is there until its sandbox has gone for
 * good, so that one that is reset finds what it wrote.
 */
export class ScratchDisks {
  readonly #directory: string;
  readonly #templates = new Map<number, Template>();
  readonly #making = new SingleFlight<number, Template>();
  #counter = 0;

  /** `directory` is this instance's alone. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** A new file with at least `tmpBytes` of room; the caller removes it. */
  async create(tmpBytes: number): Promise<string> {
    const template = await this.#template(tmpBytes);
    const path = join(this.#directory, `scratch-${this.#counter++}`);
    writeTemplate(path, template);
    return path;
  }

  /** Formats ahead what a first start with so much room would have to wait for. */
  async prepare(tmpBytes: number): Promise<void> {
    await this.#template(tmpBytes);
  }

  async remove(path: string): Promise<void> {
    await rm(path, { force: true });
  }

  /** Removes files that a killed instance left. */
  async sweep(): Promise<void> {
    const left = await readdir(this.#directory).catch(() => []);
    for (const name of left) await this.remove(join(this.#directory, name));
  }

  async #template(tmpBytes: number): Promise<Template> {
    const known = this.#templates.get(tmpBytes);
    if (known !== undefined) return known;
    const template = await this.#making.run(tmpBytes, () => this.#makeTemplate(tmpBytes));
    if (this.#templates.size >= limits.sandbox.scratchTemplates) {
      const [oldest] = this.#templates.keys();
      this.#templates.delete(oldest as number);
    }
    this.#templates.set(tmpBytes, template);
    return template;
  }

  async #makeTemplate(tmpBytes: number): Promise<Template> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const inodes = Math.max(1024, Math.ceil(tmpBytes / BYTES_PER_INODE));
    const headBytes = inodes * INODE_BYTES + METADATA_BYTES;
    const sizeBytes = Math.ceil((tmpBytes + headBytes) / PAGE_SIZE_BYTES) * PAGE_SIZE_BYTES;
    const path = join(this.#directory, `template-${tmpBytes}`);
    try {
      const blocks = `${sizeBytes / PAGE_SIZE_BYTES}`;
      await promisify(execFile)('mke2fs', [...FORMAT, '-N', `${inodes}`, path, blocks]);
      const extents = await readExtents(path, headBytes + GAP_BYTES);
      const template = { sizeBytes, extents };
      await this.remove(path);
      writeTemplate(path, template);
      await promisify(execFile)('e2fsck', ['-f', '-n', path]);
      return template;
    } catch (error) {
      throw cannotFormat(error);
    } finally {
      await this.remove(path);
    }
  }
}

function writeTemplate(path: string, { sizeBytes, extents }: Template): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    ftruncateSync(file, sizeBytes);
    for (const { offset, content } of extents) {
      writeSync(file, content, 0, content.length, offset);
    }
  } finally {
    closeSync(file);
  }
}

/** The pages that are not zero among the first `bytes`, neighbours together. */
async function readExtents(path: string, bytes: number): Promise<Template['extents']> {
  const zero = Buffer.alloc(PAGE_SIZE_BYTES);
  const extents: { offset: number; content: Buffer }[] = [];
  const file = await openFile(path, 'r');
  try {
    const window = Buffer.alloc(MIB);
    for (let at = 0; at < bytes; at += MIB) {
      const { bytesRead } = await file.read(window, 0, MIB, at);
      for (let within = 0; within < bytesRead; within += PAGE_SIZE_BYTES) {
        const page = window.subarray(within, within + PAGE_SIZE_BYTES);
        if (!page.equals(zero)) addPage(extents, at + within, page);
      }
    }
  } finally {
    await file.close();
  }
  return extents;
}

function addPage(
  extents: { offset: number; content: Buffer }[],
  offset: number,
  page: Buffer,
): void {
  const last = extents.at(-1);
  if (last !== undefined && last.offset + last.content.length === offset) {
    last.content = Buffer.concat([last.content, page]);
  } else extents.push({ offset, content: Buffer.from(page) });
}

function cannotFormat(cause: unknown): SluiceError {
  if (systemErrorCode(cause) === 'ENOENT') {
    return new SluiceError(
      'HOST_LACKS',
      'mke2fs, e2fsck: not found; install them (apt-get install e2fsprogs)',
      { cause },
    );
  }
  return new SluiceError('SANDBOX_START_FAILED', 'mke2fs: cannot format the disk of /tmp', {
    data: { step: 'format /tmp' },
    cause,
  });
}
