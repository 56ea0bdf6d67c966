import assert from 'node:assert/strict';
import { chownSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isSluiceError } from '../../src/base/mod.ts';
import { hostHas } from '../support/host.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { makeDisk, makeFactory, makeSpec, runScript, SANDBOX_NEEDS } from './sandbox-support.ts';

const OWNER = 54_321;
const GROUP = 54_322;

/** A directory of the owner's, with a file of the owner's and one of somebody else's. */
function sharedDirectory(t: TestContext): string {
  const directory = join(temporaryDirectory(t, 'shared'), 'files');
  mkdirSync(directory);
  for (const name of ['mine', 'other']) writeFileSync(join(directory, name), name, { mode: 0o644 });
  symlinkSync('/etc/hostname', join(directory, 'link'));
  for (const path of [directory, join(directory, 'mine')]) chownSync(path, OWNER, GROUP);
  return directory;
}

test('a directory of the host is mounted for reading and writing, as the sandbox’s own', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const directory = sharedDirectory(t);
  const factory = await makeFactory(t);
  const script = `cd /mnt/data && cat mine other && echo changed > mine && echo new > made
    mkdir sub && echo deep > sub/file && chmod 4755 made
    test "$(stat -c %u:%g mine made)" = "$(id -u):$(id -g)
$(id -u):$(id -g)" && echo owned
    echo no > other || echo refused
    cat link
    grep -c ' /mnt/data ' /proc/mounts; grep ' /mnt/data ' /proc/mounts | grep -o 'nosuid,nodev'
    touch /mnt/x || echo sealed; ls -d /mnt/data/..`;
  const spec = makeSpec(disk, { hostMounts: [{ directory, path: '/mnt/data' }] });
  for (const round of ['first', 'second']) {
    const own = round === 'first' ? 'mine' : 'changed\n';
    if (round === 'second')
      for (const name of ['made', 'sub/file']) assert.ok(statSync(join(directory, name)));
    const result = await runScript(
      factory,
      spec,
      round === 'first' ? script : 'cat /mnt/data/mine',
    );
    if (round === 'second') {
      assert.equal(result.stdout, own, 'another sandbox, of another user, finds what was written');
      continue;
    }
    const lines = [
      'mineotherowned',
      'refused',
      'sandbox',
      '1',
      'nosuid,nodev',
      'sealed',
      '/mnt/data/..',
    ];
    assert.deepEqual(result.stdout.trim().split('\n'), lines, result.stderr);
  }
  for (const name of ['made', 'sub', 'sub/file', 'mine']) {
    const { uid, gid } = statSync(join(directory, name));
    assert.deepEqual([uid, gid], [OWNER, GROUP], `${name} is the owner’s on the host`);
  }
  assert.equal(readFileSync(join(directory, 'other'), 'utf8'), 'other');
});

test('a directory of root’s, one that is not there, and a place beyond /mnt are refused', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const start = (directory: string, path = '/mnt/data') =>
    runScript(factory, makeSpec(disk, { hostMounts: [{ directory, path }] }), 'true');
  const refusedAs = (code: string, pattern: RegExp) => (error: unknown) =>
    isSluiceError(error) && error.code === code && pattern.test(error.message);
  const roots = temporaryDirectory(t, 'roots');
  const refused = (pattern: RegExp) => refusedAs('SANDBOX_START_FAILED', pattern);
  await assert.rejects(start(roots), refused(/^\/mnt\/data: .*belongs to root on the host/));
  await assert.rejects(start(join(roots, 'gone')), refused(/cannot be looked at \(ENOENT\)$/));
  for (const path of ['/mnt/..', '/mnt/.', '/mnt/a/b', '/etc', '/mnt']) {
    await assert.rejects(
      start(sharedDirectory(t), path),
      refusedAs('USAGE', /no place for a file/),
    );
  }
});
