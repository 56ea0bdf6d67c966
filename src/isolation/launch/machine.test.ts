import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type HostNeed, hostHas } from '../../../test/support/host.ts';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { LaunchProgram, register } from './program.ts';
import type { MachineArchitecture } from './system-call-numbers.ts';

const STATUS = 4;
const ENOENT = 2;
const EINVAL = 22;

interface Outcome {
  readonly status: Buffer;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

const binaryOf = (architecture: MachineArchitecture) =>
  join(import.meta.dirname, `launch.${architecture}`);

/** Feeds programs to the machine, closes the control channel, and gathers what it reports. */
async function run(
  architecture: MachineArchitecture,
  programs: readonly Buffer[],
): Promise<Outcome> {
  const binary = binaryOf(architecture);
  const emulated = architecture === 'aarch64' && process.arch !== 'arm64';
  const [command, ...rest] = emulated ? ['qemu-aarch64-static', binary] : [binary];
  const stdio = ['ignore', 'ignore', 'inherit', 'pipe', 'pipe'] as const;
  const child = spawn(command as string, rest, { stdio: [...stdio], env: {} });
  const control = child.stdio[3] as NodeJS.WritableStream;
  control.on('error', () => {});
  control.end(Buffer.concat(programs));
  const exit = new Promise<[number | null, string | null]>((resolve) => {
    child.once('exit', (code, signal) => resolve([code, signal]));
  });
  const status = await buffer(child.stdio[4] as NodeJS.ReadableStream);
  const [exitCode, signal] = await exit;
  return { status, exitCode, signal };
}

function failure(program: number, step: number, errno: number): Buffer {
  const record = Buffer.alloc(16);
  for (const [index, word] of [1, program, step, errno].entries()) {
    record.writeUInt32LE(word, index * 4);
  }
  return record;
}

const needsOf: Record<MachineArchitecture, readonly HostNeed[]> = {
  x86_64: process.arch === 'x64' ? [] : ['tool:qemu-x86_64-static'],
  aarch64: process.arch === 'arm64' ? [] : ['tool:qemu-aarch64-static'],
};

for (const architecture of ['x86_64', 'aarch64'] as const) {
  const ready = (t: TestContext) => hostHas(t, ...needsOf[architecture]);

  describe(`launch on ${architecture}`, () => {
    test('counts: registers, branches, decimals and calls', async (t) => {
      if (!ready(t)) return;
      const program = new LaunchProgram(architecture);
      const count = register(1);
      const text = program.bytes(Buffer.alloc(24));
      const again = program.label();
      program.place(again);
      // The machine has no arithmetic: each dup answers the next free descriptor.
      program.call('count', 'dup', [STATUS], { result: count });
      program.branchUnlessEqual('again', count, 103, again);
      program.decimal('write out', text, 0, count);
      program.call('say', 'write', [count, text, 4]);
      const { status, exitCode } = await run(architecture, [program.encode()]);
      assert.equal(status.toString(), '103\0');
      assert.equal(exitCode, 0);
    });

    test('keeps registers from one program to the next', async (t) => {
      if (!ready(t)) return;
      const first = new LaunchProgram(architecture);
      first.call('duplicate', 'dup3', [STATUS, 9, 0], { result: register(3) });
      const second = new LaunchProgram(architecture);
      const text = second.text('over nine');
      second.call('say', 'write', [register(3), text, 9]);
      const { status } = await run(architecture, [first.encode(), second.encode()]);
      assert.equal(status.toString(), 'over nine');
    });

    test('reports which step of which program failed, and why', async (t) => {
      if (!ready(t)) return;
      const first = new LaunchProgram(architecture);
      first.call('nothing', 'getpid', []);
      const second = new LaunchProgram(architecture);
      const path = second.text('/no/such/file');
      const options = { tolerate: ['EPERM', 'ENOENT'] } as const;
      second.call('tolerated', 'openat', [-100, path, 0, 0], options);
      second.call('not tolerated', 'openat', [-100, path, 0, 0], { tolerate: ['EPERM'] });
      second.call('never reached', 'write', [STATUS, path, 1]);
      const outcome = await run(architecture, [first.encode(), second.encode()]);
      assert.deepEqual(outcome.status, failure(1, 1, ENOENT));
      assert.equal(outcome.exitCode, 1);
      assert.equal(second.stepName(1), 'not tolerated');
    });

    test('follows pointers that it was told to make', async (t) => {
      if (!ready(t)) return;
      const program = new LaunchProgram(architecture);
      const words = ['scattered', ' ', 'words'].map((each) => program.text(each));
      const vector = Buffer.alloc(48);
      for (const [index, word] of words.entries()) {
        vector.writeBigUInt64LE(BigInt(word.dataOffset), index * 16);
        vector.writeBigUInt64LE(BigInt([9, 1, 5][index] as number), index * 16 + 8);
      }
      const at = program.bytes(vector);
      for (const index of [0, 1, 2]) program.point('point', at, index * 16);
      program.call('say', 'writev', [STATUS, at, 3]);
      const { status } = await run(architecture, [program.encode()]);
      assert.equal(status.toString(), 'scattered words');
    });

    test('runs a program with arguments and environment', async (t) => {
      if (!ready(t)) return;
      const program = new LaunchProgram(architecture);
      const argv = ['sh', '-c', 'echo "$1 $NAME" >&4', 'sh', 'argument'];
      const texts = argv.map((each) => program.text(each));
      const path = program.text('/bin/sh');
      const argvAt = program.pointers('argv', texts);
      const environment = program.pointers('environment', [program.text('NAME=value')]);
      program.call('run', 'execve', [path, argvAt, environment]);
      const { status } = await run(architecture, [program.encode()]);
      assert.equal(status.toString(), 'argument value\n');
    });

    test('ends when nobody is left to talk to, even in the middle of a program', async (t) => {
      if (!ready(t)) return;
      const program = new LaunchProgram(architecture);
      program.call('never run', 'write', [STATUS, program.text('x'), 1]);
      const whole = program.encode();
      for (const length of [0, 3, 8, 40, whole.length - 1]) {
        const { status, exitCode } = await run(architecture, [whole.subarray(0, length)]);
        assert.deepEqual([status.length, exitCode], [0, 0]);
      }
    });

    test('refuses a program whose sizes do not add up', async (t) => {
      if (!ready(t)) return;
      for (const [bytes, steps] of [
        [512 * 1024 + 1, 0],
        [8, 1],
        [100, 0xffff_ffff],
        [0, 0],
        [7, 0],
      ] as const) {
        const header = Buffer.alloc(8);
        header.writeUInt32LE(bytes, 0);
        header.writeUInt32LE(steps, 4);
        const { status, exitCode } = await run(architecture, [header]);
        assert.deepEqual(status, failure(0, 0, EINVAL));
        assert.equal(exitCode, 1);
      }
    });
  });
}

test('never reads or writes outside of its data, whatever the step says', async (t) => {
  if (!hostHas(t, ...needsOf.x86_64)) return;
  const wide = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const near = fc.bigInt({ min: 0n, max: 200n });
  const word = fc.oneof(wide, near);
  const step = fc.record({
    // No calls: what they would do is what the composer asked for.
    operation: fc.constantFrom(1, 2, 3, 5, 0xffff),
    number: fc.oneof(fc.constantFrom(4n, 8n), wide),
    values: fc.array(word, { minLength: 6, maxLength: 6 }),
    kinds: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 8, maxLength: 8 }),
  });
  const property = fc.asyncProperty(fc.array(step, { maxLength: 4 }), async (steps) => {
    const program = Buffer.alloc(8 + steps.length * 88 + 64);
    program.writeUInt32LE(program.length, 0);
    program.writeUInt32LE(steps.length, 4);
    for (const [index, { operation, number, values, kinds }] of steps.entries()) {
      const at = 8 + index * 88;
      program.writeUInt32LE(operation, at);
      program.writeInt32LE(-1, at + 4);
      program.writeBigUInt64LE(number, at + 8);
      for (const [i, value] of values.entries()) program.writeBigUInt64LE(value, at + 16 + i * 8);
      for (const [i, kind] of kinds.entries()) program.writeUInt8(kind, at + 64 + i);
    }
    const { status, exitCode, signal } = await run('x86_64', [program]);
    assert.equal(signal, null);
    assert.ok(exitCode === 0 ? status.length === 0 : status.readUInt32LE(12) === EINVAL);
  });
  await fc.assert(property, { numRuns: propertyRuns(40) });
});

test('the committed binaries are what the source compiles to', (t) => {
  const compilers = ['x86_64-linux-gnu-gcc', 'aarch64-linux-gnu-gcc'];
  if (!hostHas(t, ...compilers.map((each) => `tool:${each}` as const))) return;
  for (const compiler of compilers) {
    const version = execFileSync(compiler, ['-dumpfullversion'], { encoding: 'utf8' }).trim();
    if (version !== '12.2.0') return t.skip(`${compiler} is ${version}, not Debian 12's 12.2.0`);
  }
  const directory = temporaryDirectory(t, 'launch');
  execFileSync(join(import.meta.dirname, 'build.sh'), [directory]);
  for (const architecture of ['x86_64', 'aarch64'] as const) {
    const built = readFileSync(join(directory, `launch.${architecture}`));
    assert.ok(built.equals(readFileSync(binaryOf(architecture))), `${architecture}: run build.sh`);
  }
});
