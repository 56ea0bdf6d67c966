import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import {
  flattenedTree,
  type LayerEntry,
  layoutOf,
  umociTree,
} from '../../test/support/oci-judge.ts';
import { byteString } from '../oci/mod.ts';

const time = { mtimeSeconds: 1_700_000_000, mtimeNanoseconds: 123_456_789 };
const directory = (path: string, more: Partial<LayerEntry> = {}): LayerEntry => ({
  ...{ path, kind: 'directory', ...time, ...more },
});
const file = (path: string, content = path, more: Partial<LayerEntry> = {}): LayerEntry => ({
  ...{ path, content: Buffer.from(content), ...time, ...more },
});
const symlink = (path: string, linkTarget: string): LayerEntry => ({
  ...{ path, kind: 'symlink', mode: 0o777, linkTarget, ...time },
});
const hardlink = (path: string, linkTarget: string): LayerEntry => ({
  ...{ path, kind: 'hardlink', linkTarget },
});
const root = directory('./');

/** Flattens the layers and mounts the disk; umoci unpacks the same image; the two are equal. */
async function judge(t: TestContext, ...layers: LayerEntry[][]): Promise<void> {
  if (!hostHas(t, 'root', 'loop', 'tool:umoci', 'tool:e2fsck', 'tool:getfattr')) return;
  const layout = await layoutOf(t, layers);
  const ours = await flattenedTree(t, layout);
  const theirs = await umociTree(t, layout);
  assert.deepEqual(Object.fromEntries(ours), Object.fromEntries(theirs));
  assert.ok(ours.size > 1);
}

test('every kind of file, with its owner, mode, time and attributes', (t) =>
  judge(t, [
    root,
    directory('d', { mode: 0o1777 }),
    file('d/empty', ''),
    file('d/setuid', 'x', { mode: 0o6755, uid: 70_000, gid: 4_000_000_000 }),
    file('d/old', 'x', { mtimeSeconds: -1_000_000, mtimeNanoseconds: 5 }),
    file('d/new', 'x', { mtimeSeconds: 4_294_967_296, mtimeNanoseconds: 999_999_999 }),
    file('d/big', 'content '.repeat(300_000)),
    symlink('d/fast', 'old'),
    symlink('d/slow', `${'../'.repeat(30)}etc/something/far/away`),
    hardlink('d/hard', 'd/big'),
    hardlink('d/hard-symlink', 'd/fast'),
    { path: 'd/fifo', kind: 'fifo', mode: 0o600, ...time },
    { path: 'd/null', kind: 'character', mode: 0o666, deviceMajor: 1, deviceMinor: 3, ...time },
    { path: 'd/disk', kind: 'block', mode: 0o660, deviceMajor: 259, deviceMinor: 70_000, ...time },
    file('d/attributes', 'x', {
      xattrs: new Map([
        ['user.binary', Buffer.from([0, 255, 10, 61])],
        ['security.capability', Buffer.from('0100000200040000000000000000000000000000', 'hex')],
      ]),
    }),
    file(byteString('d/naïve'), 'utf-8'),
    file('d/\xff\xfe', 'no encoding'),
    file(`d/${'n'.repeat(255)}`, 'a long name'),
    ...Array.from({ length: 20 }, (_, i) => directory(`d/${'p/'.repeat(i + 1)}`)),
    file(`d/${'p/'.repeat(20)}deep`, 'a deep one'),
  ]));

test('whiteouts, opaque directories, and one kind replaced by another', (t) =>
  judge(
    t,
    [
      root,
      ...['a', 'b', 'c', 'c/d'].map((path) => directory(path)),
      ...['a/1', 'a/2', 'b/1', 'b/2', 'c/d/1', 'f', 'g'].map((path) => file(path)),
      symlink('s', 'a'),
      hardlink('h', 'f'),
    ],
    [
      file('a/.wh.1', ''),
      file('b/.wh..wh..opq', ''),
      file('b/3'),
      file('.wh.g', ''),
      file('.wh.never-there', ''),
      file('c', 'a file where a directory was'),
      directory('f'),
      file('f/inside'),
      file('s', 'a file where a symlink was'),
    ],
    [
      directory('c', { mode: 0o700 }),
      file('c/again'),
      file('f/.wh.inside', ''),
      file('b/late'),
      file('b/.wh..wh..opq', ''),
      hardlink('h2', 'h'),
      file('.wh.h', ''),
    ],
  ));

test('entries that come twice in a layer, and whiteouts of what their own layer adds', (t) =>
  judge(
    t,
    [root, directory('d'), file('d/x', 'first'), file('d/x', 'second'), directory('d/keep')],
    [
      file('d/y', 'new'),
      file('d/.wh.y', ''),
      file('d/.wh.x', ''),
      file('d/x', 'third'),
      directory('d', { mode: 0o711, mtimeSeconds: 5 }),
    ],
  ));

test('paths through symbolic links stay inside the image', (t) =>
  judge(
    t,
    [
      root,
      directory('real'),
      directory('real/sub'),
      symlink('absolute', '/real'),
      symlink('relative', 'real/sub'),
      symlink('climbing', '../../../../real'),
      directory('deep'),
      symlink('deep/chain', '../relative'),
    ],
    [
      file('absolute/1'),
      file('relative/2'),
      file('climbing/3'),
      file('deep/chain/4'),
      hardlink('absolute/5', 'climbing/3'),
      file('relative/.wh.nothing', ''),
      file('/rooted'),
      file('./dotted'),
      file('real/../up'),
      directory('real', time),
      directory('real/sub', time),
      directory('deep', time),
    ],
    [file('climbing/.wh.1', ''), directory('real', time)],
  ));
