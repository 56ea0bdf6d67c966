import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiskTarget } from './disk-target.ts';
import type { ImageProcess } from './image-process.ts';
import { missingOnDisk } from './process-on-disk.ts';

/** A disk of names: `''` is a file, `/` a directory, anything else a link's target. */
function diskOf(names: Readonly<Record<string, string>>): DiskTarget {
  const refuse = () => assert.fail('only looked at');
  return {
    ...{ beginLayer: refuse, add: refuse, remove: refuse, removeChildren: refuse },
    endLayer: refuse,
    lookup: (path) => {
      const what = names[path];
      if (what === undefined) return undefined;
      if (what === '') return { kind: 'file' };
      return what === '/' ? { kind: 'directory' } : { kind: 'symlink', linkTarget: what };
    },
  };
}

const disk = diskOf({
  ...{ usr: '/', 'usr/bin': '/', 'usr/bin/python3': 'python3.11', 'usr/bin/python3.11': '' },
  ...{ bin: 'usr/bin', app: '/', 'app/run': '', 'app/loop': 'loop', 'app/out': '../../../app/run' },
  ...{ 'app/far': '/tmp/made', work: 'app' },
});

const process: ImageProcess = {
  ...{ entrypoint: ['/app/run'], command: [], environment: [], workingDirectory: '/', user: '' },
};

test('a process that is on the disk, by links and by its PATH, has no warning', () => {
  const fine: Partial<ImageProcess>[] = [
    {},
    { workingDirectory: '/work' },
    { entrypoint: ['/bin/python3'] },
    { entrypoint: [], command: ['python3'] },
    { entrypoint: ['run'], environment: ['PATH=/none:/app'] },
    { entrypoint: ['./run'], workingDirectory: '/app' },
    { entrypoint: [], command: [] },
  ];
  for (const change of fine) assert.deepEqual(missingOnDisk(disk, { ...process, ...change }), []);
});

test('what a sandbox mounts over the disk is not said to be missing', () => {
  for (const change of [
    { workingDirectory: '/tmp/work' },
    { workingDirectory: '/mnt/data' },
    { entrypoint: ['/app/far'] },
    { entrypoint: ['/app/out'] },
  ]) {
    assert.deepEqual(missingOnDisk(disk, { ...process, ...change }), []);
  }
});

test('a missing or wrong entrypoint and working directory are warned about by name', () => {
  const cases: [Partial<ImageProcess>, string][] = [
    [{ workingDirectory: '/gone' }, 'config: WorkingDir "/gone" is not there'],
    [{ workingDirectory: '/app/run' }, 'config: WorkingDir "/app/run" is no directory'],
    [{ entrypoint: ['/app/gone'] }, 'config: the entrypoint "/app/gone" is not there'],
    [{ entrypoint: ['/app'] }, 'config: the entrypoint "/app" is no file'],
    [{ entrypoint: ['/app/loop'] }, 'config: the entrypoint "/app/loop" is not there'],
    [
      { entrypoint: ['node'], environment: ['PATH=/bin:/app'] },
      'config: the entrypoint "node" is in no directory of its PATH',
    ],
  ];
  for (const [change, warning] of cases) {
    assert.deepEqual(missingOnDisk(disk, { ...process, ...change }), [warning]);
  }
});
