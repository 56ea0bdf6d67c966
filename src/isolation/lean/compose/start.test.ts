import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MIB } from '../../../base/mod.ts';
import type { CgroupJoin } from '../../cgroup/types.ts';
import { systemCallNumbers } from '../../launch/system-call-numbers.ts';
import type { SandboxSpec } from '../../spec.ts';
import { entrypointCandidates } from './entrypoint.ts';
import { composeEntrypoint, composeExtensions } from './extensions.ts';
import { composeStart } from './start.ts';

const shape: SandboxSpec['shape'] = {
  diskPath: '/disks/one',
  argv: ['handler', '--flag'],
  environment: { PATH: '/opt/bin:/bin', KEY: 'value' },
  runtimeOnlyVariables: [],
  workingDirectory: '/var/task',
  memoryBytes: 128 * MIB,
  cpuMillis: 1000,
  tmpBytes: 512 * MIB,
  processes: 64,
  openFiles: 1024,
};
const identity: SandboxSpec['identity'] = {
  sandboxId: 'sandbox-1',
  logStream: 'stream',
  initializationType: 'on-demand',
  credentials: {},
  deadlineMs: 1000,
};
const spec: SandboxSpec = { shape, identity };

const privileges = { uid: 2_031_616, gid: 2_031_616, lastCapability: 40 };
const proc = {
  hiddenFiles: ['kcore'],
  hiddenDirectories: ['fs'],
  files: { meminfo: 'MemTotal: 1 kB\n' },
};
const cgroups = [{ name: 'memory', directory: '/cg/memory' }];
const tmp = { kind: 'disk', path: '/scratch/1', isUsed: false } as const;

const joins: Record<string, CgroupJoin> = {
  'version 1': { kind: 'write', files: ['/cg/memory/tasks'], freezerState: '/cg/freezer.state' },
  'version 2': { kind: 'clone', directory: '/cg/one' },
};

for (const [version, join] of Object.entries(joins)) {
  for (const architecture of ['x86_64', 'aarch64'] as const) {
    describe(`the start program for ${architecture}, cgroups ${version}`, () => {
      const program = composeStart(spec, {
        architecture,
        join,
        cgroups,
        launcherId: 7,
        directIo: true,
        tmp,
        privileges,
        proc,
      });
      const numbers = systemCallNumbers[architecture];
      const places = (call: string) =>
        program.steps.flatMap((step, index) =>
          step.operation === 'call' && step.number === numbers.get(call) ? [index] : [],
        );
      const first = (call: string) => places(call)[0] ?? Number.NaN;
      const last = (call: string) => places(call).at(-1) ?? Number.NaN;
      const named = (name: string) => program.steps.findIndex((step) => step.name === name);

      test('leaves the host before the image can influence anything', () => {
        assert.ok(first('clone3') < first('mount'));
        assert.ok(first('mount') < first('pivot_root'));
        assert.ok(first('pivot_root') < first('umount2'));
        // What follows links of the image happens only when the host can no longer be reached.
        assert.ok(first('umount2') < named('mount /tmp'));
        assert.ok(first('umount2') < named('write /etc/hosts'));
        assert.ok(named('write /etc/hosts') < named('make / read-only'));
      });

      test('gives up privileges in the only order that works', () => {
        const order = [
          last('mount'),
          named('empty the bounding set'),
          first('setgroups'),
          first('setresgid'),
          first('setresuid'),
          first('capset'),
          named('die with the monitor'),
          named('forbid new privileges'),
          first('seccomp'),
          first('execve'),
        ];
        assert.deepEqual(
          order,
          [...order].sort((a, b) => a - b),
        );
        assert.ok(order.every((place) => place >= 0));
      });

      test('changes nothing of itself between the filter and the entrypoint', () => {
        const after = program.steps.slice(first('seccomp') + 1);
        const calls = new Set(
          after.filter((each) => each.operation === 'call').map((each) => each.number),
        );
        const expected = ['clone', 'close', 'write', 'wait4', 'exit_group', 'setsid', 'dup3'];
        const allowed = [...expected, 'chdir', 'execve'].map((call) => numbers.get(call));
        for (const call of calls) assert.ok(allowed.includes(call), `${call}`);
      });

      test('gives up what extensions must not have before running them', () => {
        const { environment } = shape;
        const names = ['one', 'two'];
        const second = composeExtensions({ architecture, names, environment, ...privileges });
        const third = composeEntrypoint(architecture, shape, names.length);
        const at = (call: string) =>
          second.steps.findIndex((step) => step.number === numbers.get(call));
        const order = ['setresuid', 'capset', 'seccomp', 'clone', 'execve'].map(at);
        assert.ok(order.every((place, index) => place > (order[index - 1] ?? 0)));
        const filtered = [...second.steps.slice(at('seccomp') + 1), ...third.steps];
        const expected = ['clone', 'close', 'write', 'wait4', 'exit_group', 'setsid', 'dup3'];
        const allowed = [...expected, 'chdir', 'execve', 'ppoll', 'getpid'];
        const permitted = new Set(allowed.map((call) => numbers.get(call)));
        for (const step of filtered) {
          assert.ok(step.operation !== 'call' || permitted.has(step.number), step.name);
        }
      });

      test('tries the entrypoint along the PATH, and only the last miss counts', () => {
        const tries = places('execve').map((index) => program.steps[index]);
        assert.equal(tries.length, 2);
        assert.ok((tries[0]?.tolerated.length ?? 0) > 0);
        assert.deepEqual(tries[1]?.tolerated, []);
      });

      test('refuses what does not fit', () => {
        const argv = ['handler', 'x'.repeat(600 * 1024)];
        const huge = { shape: { ...shape, argv }, identity };
        const compose = () =>
          composeStart(huge, {
            architecture,
            join,
            cgroups,
            launcherId: 7,
            directIo: true,
            tmp,
            privileges,
            proc,
          });
        assert.throws(() => compose().encode(), { code: 'USAGE' });
        assert.ok(program.encode().length < 64 * 1024);
      });
    });
  }
}

test('an entrypoint is looked up as execvp does', () => {
  const environment = { PATH: '/a::/b' };
  assert.deepEqual(entrypointCandidates(['run'], environment), ['/a/run', './run', '/b/run']);
  assert.deepEqual(entrypointCandidates(['./run'], environment), ['./run']);
  assert.deepEqual(entrypointCandidates(['/x/run'], {}), ['/x/run']);
  assert.equal(entrypointCandidates(['run'], {}).at(-1), '/bin/run');
});
