import { SeededRandom } from '../base/mod.ts';
import { directory, file, type LayerStep, plain } from './disk.fixture.ts';

const random = new SeededRandom(42);
const someBytes = random.bytes(2_000_000);
const bytes = (count: number): Buffer => someBytes.subarray(count % 1000, (count % 1000) + count);
/** Owner rw, user 45112 r, group r, mask rw, others r. */
const acl = Buffer.from(
  '0200000001000600ffffffff0200060038b0010004000400ffffffff10000600ffffffff20000400ffffffff',
  'hex',
);

/** One of everything that a layer can hold. */
export function everything(): LayerStep[][] {
  const sparse = Array.from({ length: 400 }, (_, i) => ({
    offset: 5 * 2 ** 30 + i * 12_288 + (i % 7),
    length: 5000,
  }));
  const lower: LayerStep[] = [
    directory('', { mtimeSeconds: 1 }),
    directory('d', { mode: 0o1777, uid: 70_000, gid: 4_000_000_000 }),
    file('d/empty', Buffer.alloc(0)),
    file('d/one', Buffer.from('1'), { mode: 0o4755, mtimeSeconds: -1, mtimeNanoseconds: 5 }),
    file('d/far', bytes(4096), { mtimeSeconds: 2 ** 33, mtimeNanoseconds: 999_999_999 }),
    file('d/chunk', bytes(524_288)),
    file('d/large', bytes(1_900_000)),
    file('d/replaced', bytes(700_000)),
    { add: { ...plain, path: 'd/fast', kind: 'symlink', linkTarget: 'x'.repeat(59) } },
    { add: { ...plain, path: 'd/slow', kind: 'symlink', linkTarget: 'y'.repeat(60) } },
    { add: { ...plain, path: 'd/slowest', kind: 'symlink', linkTarget: 'z/'.repeat(2047) } },
    { add: { ...plain, path: 'd/hard', kind: 'hardlink', linkTarget: 'd/one' } },
    { add: { ...plain, path: 'null', kind: 'character', deviceMajor: 1, deviceMinor: 3 } },
    { add: { ...plain, path: 'disk', kind: 'block', deviceMajor: 300, deviceMinor: 70_000 } },
    { add: { ...plain, path: 'fifo', kind: 'fifo' } },
    file('n'.repeat(255), bytes(10)),
    file('\xff\x01 \xe9', bytes(20)),
    file('capable', bytes(30), {
      xattrs: new Map([
        ['security.capability', Buffer.from('AQAAAgAgAAAAAAAAAAAAAAAAAAA=', 'base64')],
      ]),
    }),
    file('acl', bytes(40), { xattrs: new Map([['system.posix_acl_access', acl]]) }),
    file('attributes', bytes(50), {
      xattrs: new Map([
        ['user.small', Buffer.from([0, 255, 1])],
        ['user.empty', Buffer.alloc(0)],
        ['user.large', bytes(2000)],
        ['user.\xfc', bytes(1000)],
        ['trusted.t', bytes(100)],
      ]),
    }),
    file('same-attributes', bytes(50), { xattrs: new Map([['user.large', bytes(3800)]]) }),
    file('equal-attributes', bytes(60), { xattrs: new Map([['user.large', bytes(3800)]]) }),
    {
      add: { ...plain, path: 'sparse', kind: 'file', sizeBytes: 6 * 2 ** 30, sparse },
      content: bytes(2_000_000 - 1000).subarray(0, 400 * 5000 - 1000),
    },
  ];
  const sparseStep = lower.at(-1) as { content: Buffer };
  sparseStep.content = Buffer.concat([sparseStep.content, bytes(1000)]);
  const many: LayerStep[] = [directory('many')];
  for (let i = 0; i < 3000; i++) many.push(file(`many/${i}`, bytes(i % 40)));
  const upper: LayerStep[] = [
    { remove: 'd/chunk' },
    file('d/replaced', bytes(123)),
    { add: { ...plain, path: 'hard-to-lower', kind: 'hardlink', linkTarget: 'd/far' } },
    { removeChildren: 'many' },
    file('many/new', bytes(5)),
  ];
  return [lower, many, upper];
}
