import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { hostHas } from '../../test/support/host.ts';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import {
  checkWithE2fsck,
  type LayerStep,
  type MemoryDisk,
  plain,
  writeLayers,
} from './disk.fixture.ts';
import { readDisk } from './reader.ts';

/** A step of a generated layer: what to do, and two paths, of which hard links use the second. */
interface Plan {
  action: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'remove' | 'removeChildren';
  path: string;
  other: string;
  size: number;
  fill: number;
}

const name = fc.constantFrom('a', 'b', 'c', '\xfe', 'long'.repeat(40));
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
const size = fc.oneof(
  fc.constantFrom(0, 1, 4096, 4097, 524_287, 524_288, 524_289, 1_100_000),
  fc.nat(20_000),
);
const plan: fc.Arbitrary<Plan> = fc.record({
  action: fc.constantFrom<Plan['action']>(
    ...(['file', 'file', 'directory', 'directory', 'symlink', 'hardlink'] as const),
    ...(['fifo', 'remove', 'removeChildren'] as const),
  ),
  path,
  other: path,
  size,
  fill: fc.nat(255),
});
const layers = fc.array(fc.array(plan, { maxLength: 25 }), { minLength: 1, maxLength: 4 });

interface ModelFile {
  kind: string;
  facts: string;
  layer: number;
  /** Equal for names of one file. */
  identity: number;
}

/**
 * The tree as a plain map from path to file: slow, obvious, and knowing nothing of inodes. Answers
 * the steps that are possible, since an image has no entry without a parent.
 */
class Model {
  readonly files = new Map<string, ModelFile>([
    ['', { kind: 'directory', facts: '', layer: 0, identity: 0 }],
  ]);
  #identity = 1;

  apply(step: Plan, layer: number): LayerStep | undefined {
    if (step.action === 'remove' || step.action === 'removeChildren') {
      const self = step.action === 'remove';
      for (const [at, file] of [...this.files]) {
        const below = at.startsWith(`${step.path}/`);
        const keeps = [...this.files].some(
          ([other, { layer: of }]) => of === layer && `${other}/`.startsWith(`${at}/`),
        );
        if ((below || (self && at === step.path)) && file.layer < layer && !keeps) {
          this.files.delete(at);
        }
      }
      if (this.files.get(step.path)?.kind !== 'directory' && !self) return undefined;
      return self ? { remove: step.path } : { removeChildren: step.path };
    }
    const parent = step.path.slice(0, Math.max(0, step.path.lastIndexOf('/')));
    if (this.files.get(parent)?.kind !== 'directory') return undefined;
    return this.#add(step, step.action, layer);
  }

  #add(step: Plan, action: Plan['action'], layer: number): LayerStep | undefined {
    const target = this.files.get(step.other);
    if (action === 'hardlink') {
      if (!target || target.kind === 'directory' || step.other.startsWith(`${step.path}/`)) {
        return undefined;
      }
      this.#put(step.path, { ...target, layer });
      const link = { path: step.path, kind: 'hardlink', linkTarget: step.other } as const;
      return { add: { ...plain, ...link } };
    }
    const kind = action as 'file' | 'directory' | 'symlink' | 'fifo';
    const mode = 0o400 + step.fill;
    const content = kind === 'file' ? Buffer.alloc(step.size, step.fill) : undefined;
    const facts =
      kind === 'file' ? `${step.size} of ${step.fill}` : kind === 'symlink' ? step.other : '';
    const shown = `${kind === 'symlink' ? 0o777 : mode} ${facts}`;
    this.#put(step.path, { kind, facts: shown, layer, identity: this.#identity++ });
    return {
      add: {
        ...{ ...plain, path: step.path, kind, mode },
        ...(kind === 'symlink' && { linkTarget: step.other }),
        ...(content && { sizeBytes: content.length }),
      },
      ...(content && { content }),
    };
  }

  #put(at: string, file: ModelFile): void {
    if (file.kind !== 'directory' || this.files.get(at)?.kind !== 'directory') {
      for (const other of [...this.files.keys()]) {
        if (other.startsWith(`${at}/`)) this.files.delete(other);
      }
    }
    this.files.set(at, file);
  }
}

async function describe(disk: MemoryDisk): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const entry of readDisk(disk)) {
    let facts = entry.linkTarget ?? '';
    if (entry.kind === 'file') {
      const pieces: Buffer[] = [];
      for await (const piece of entry.content()) pieces.push(Buffer.from(piece));
      const content = Buffer.concat(pieces);
      assert.equal(content.length, entry.sizeBytes);
      assert.ok(content.every((byte) => byte === content[0]));
      facts = `${content.length} of ${content[0] ?? '?'}`;
    }
    found.set(entry.path, `${entry.kind} ${entry.mode} ${facts}`);
  }
  return found;
}

function expected(model: Model): Map<string, string> {
  const all = new Map<string, string>();
  for (const [at, file] of model.files) {
    const facts = file.facts.replace(/^(\d+ 0 of) .*/, '$1 ?');
    all.set(at, `${file.kind} ${at === '' ? 0o755 : ''}${at === '' ? ' ' : ''}${facts}`);
  }
  return all;
}

test('whatever the layers do, the disk holds the tree of a simple model', async (t) => {
  const work = temporaryDirectory(t, 'ext4-property');
  const e2fsck = hostHas(t, 'tool:e2fsck');
  await fc.assert(
    fc.asyncProperty(layers, async (plans) => {
      const model = new Model();
      const steps = plans.map((layer, i) =>
        layer.flatMap((step) => model.apply(step, i + 1) ?? []),
      );
      const { disk } = await writeLayers(steps, work);
      assert.deepEqual([...(await describe(disk))].sort(), [...expected(model)].sort());
      const again = await writeLayers(steps, work);
      assert.deepEqual(again.disk.chunks, disk.chunks);
      if (e2fsck) {
        const image = join(work, 'disk');
        disk.save(image);
        checkWithE2fsck(image);
      }
    }),
    { numRuns: propertyRuns(20) },
  );
});
