import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { sharedLibraries } from '../../examples/demo/host-files.ts';
import { MIB } from '../../src/base/mod.ts';
import type { SandboxShape } from '../../src/isolation/mod.ts';
import { hostHas } from '../support/host.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { makeDisk, makeFactory, makeSpec, runScript, SANDBOX_NEEDS } from './sandbox-support.ts';

const OF_512_MB: Partial<SandboxShape> = { memoryBytes: 512 * MIB, cpuMillis: 289, processes: 256 };

/** A disk with programs of this host, the libraries they need, and further files. */
function diskOf(
  t: TestContext,
  programs: readonly (string | { readonly source: string; readonly target: string })[],
  files: readonly string[] = [],
): string {
  const directory = temporaryDirectory(t, 'programs');
  const root = join(directory, 'root');
  const place = (source: string, target: string) => {
    mkdirSync(dirname(join(root, target)), { recursive: true });
    cpSync(source, join(root, target), { recursive: true, dereference: true });
  };
  for (const each of programs) {
    const program = typeof each === 'string' ? { source: each, target: each } : each;
    for (const { source, target } of sharedLibraries(program.source)) place(source, target);
    place(program.source, program.target);
  }
  for (const file of files) place(file, file);
  const disk = join(directory, 'disk.ext4');
  const format = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-O', '^has_journal', '-d', root, disk];
  execFileSync('mke2fs', [...format, '400M'], { stdio: 'ignore' });
  return disk;
}

async function outputOf(t: TestContext, disk: string, argv: readonly string[]): Promise<string> {
  const factory = await makeFactory(t);
  const sandbox = await factory.start(makeSpec(disk, { ...OF_512_MB, argv }));
  const [stdout, stderr, exit] = await Promise.all([
    text(sandbox.stdout),
    text(sandbox.stderr),
    sandbox.exited,
  ]);
  await sandbox.stop();
  assert.equal(exit.exitCode, 0, `${stderr}${stdout}`);
  return stdout;
}

test('/proc and the cgroups’ files tell the sandbox’s memory and processors', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const script = `head -3 /proc/meminfo | tr -s ' '; grep -c ^processor /proc/cpuinfo
    grep -c '^cpu[0-9]' /proc/stat; cat /proc/loadavg
    cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
    cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null`;
  const spec = makeSpec(disk, { ...OF_512_MB, cpuMillis: 1769 });
  const { stdout } = await runScript(factory, spec, script);
  const kib = 512 * 1024;
  const cpus = Math.min(2, availableParallelism());
  const meminfo = ['MemTotal', 'MemFree', 'MemAvailable'].map((name) => `${name}: ${kib} kB`);
  const lines = [...meminfo, cpus, cpus, '0.00 0.00 0.00 1/1 1', 512 * MIB, 257];
  assert.equal(stdout, `${lines.join('\n')}\n`);
});

test('Node sizes itself by 512 MB, and knows its user', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  // Not where it lies here: that may be below /tmp, which is the sandbox's own inside.
  const node = { source: realpathSync(process.execPath), target: '/usr/bin/node' };
  const source = `const os = require('node:os');
    const heapBytes = require('node:v8').getHeapStatistics().heap_size_limit;
    const { username, homedir } = os.userInfo();
    console.log(JSON.stringify([os.totalmem(), os.freemem(), process.constrainedMemory(), heapBytes,
      os.cpus().length, username, homedir, os.homedir()]));`;
  const output = await outputOf(t, diskOf(t, [node]), [node.target, '-e', source]);
  const [total, free, constrained, heapBytes, ...rest] = JSON.parse(output);
  assert.deepEqual([total, free, constrained], [512 * MIB, 512 * MIB, 512 * MIB]);
  assert.ok(heapBytes < 512 * MIB, `${heapBytes}`);
  assert.deepEqual(rest, [1, 'sbx_user1051', '/home/sbx_user1051', '/home/sbx_user1051']);
});

test('a JVM sizes itself by 512 MB', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS, 'tool:java')) return;
  const java = realpathSync('/usr/bin/java');
  const home = dirname(dirname(java));
  const libraries = ['libjli.so', 'libjava.so', 'libjimage.so', 'libverify.so', 'server/libjvm.so'];
  const more = ['modules', 'jvm.cfg', 'libzip.so', 'libnio.so', 'libnet.so'];
  const files = [...libraries, ...more].map((name) => join(home, 'lib', name));
  const programs = [java, join(home, 'lib/server/libjvm.so')];
  const disk = diskOf(t, programs, [...files, join(home, 'conf')]);
  const flags = ['-XX:+PrintFlagsFinal', '-Xshare:off', '-version'];
  const output = await outputOf(t, disk, [java, ...flags]);
  const flag = (name: string) => Number(new RegExp(`\\b${name} += (\\d+)`).exec(output)?.[1]);
  assert.equal(flag('MaxHeapSize'), 128 * MIB, 'a quarter of its memory');
  assert.equal(/UseSerialGC += (\w+)/.exec(output)?.[1], 'true', 'one processor');
});
