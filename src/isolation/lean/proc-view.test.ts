import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MIB } from '../../base/mod.ts';
import type { SandboxShape } from '../spec.ts';
import { procViewOf, readHostProc, readLastCapability } from './proc-view.ts';

const shape: SandboxShape = {
  diskPath: '/disk',
  argv: ['/bin/run'],
  environment: {},
  runtimeOnlyVariables: [],
  workingDirectory: '/',
  memoryBytes: 512 * MIB,
  cpuMillis: 1200,
  tmpBytes: 512 * MIB,
  processes: 1024,
  openFiles: 1024,
};

const cpu = (number: number) => `processor\t: ${number}\nflags\t\t: fpu\n`;
const host = {
  files: ['cpuinfo', 'diskstats', 'meminfo', 'uptime', 'new-in-some-kernel'],
  directories: ['driver', 'fs', 'sys', 'sysvipc'],
  cpuinfo: `${[0, 1, 2, 3].map(cpu).join('\n')}\nHardware\t: board\n`,
  bootEpochSeconds: 1_700_000_000,
};

test('shows only the listed parts of /proc', () => {
  const { hiddenFiles, hiddenDirectories } = procViewOf(host, shape);
  for (const name of ['diskstats', 'new-in-some-kernel', 'mdstat']) {
    assert.ok(hiddenFiles.includes(name), name);
  }
  assert.ok(!hiddenFiles.includes('uptime') && !hiddenFiles.includes('meminfo'));
  assert.deepEqual(hiddenDirectories, ['asound', 'driver', 'fs', 'scsi']);
});

test('tells memory and processors of the sandbox, not of the host', () => {
  const { files } = procViewOf(host, shape);
  assert.match(files['meminfo'] ?? '', /^MemTotal: +524288 kB\nMemFree: /);
  assert.match(files['meminfo'] ?? '', /\nMemAvailable: +524288 kB\n/);
  assert.equal(files['cpuinfo'], `${cpu(0)}\n${cpu(1)}\n`);
  assert.match(
    files['stat'] ?? '',
    /^cpu {2}[\d ]+\ncpu0 [\d ]+\ncpu1 [\d ]+\nintr .*btime 17000/s,
  );
  assert.ok(!files['stat']?.includes('cpu2'));
});

test('reads this host', () => {
  const { files, directories, bootEpochSeconds, cpuinfo } = readHostProc();
  assert.ok(files.includes('meminfo') && directories.includes('sys'));
  assert.ok(!files.includes('kcore'), 'of what others cannot read nothing needs hiding');
  assert.ok(readLastCapability() >= 37 && readLastCapability() < 64);
  assert.ok(bootEpochSeconds > 1_000_000_000);
  assert.match(cpuinfo, /^processor/);
});
