import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants } from 'node:os';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { hostHas } from '../../../test/support/host.ts';
import { type MachineArchitecture, systemCallNumbers } from '../launch/system-call-numbers.ts';
import { allowedCalls } from './allowed-calls.ts';
import * as bpf from './bpf.ts';
import { seccompFilter, seccompInstructions } from './profile.ts';

const AUDIT = { x86_64: 0xc000003e, aarch64: 0xc00000b7 } as const;
const ARCHITECTURES = ['x86_64', 'aarch64'] as const;

interface Call {
  readonly architecture: number;
  readonly number: number;
  readonly values: readonly number[];
}

/** Runs a filter over one call as the kernel would; answers the return value. */
function evaluate(instructions: readonly bpf.Instruction[], call: Call): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number, 0);
  data.writeUInt32LE(call.architecture, 4);
  for (const [i, value] of call.values.entries()) data.writeBigUInt64LE(BigInt(value), 16 + i * 8);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const step = instructions[at];
    assert.ok(step, 'a filter ends in a return');
    const { code, constant } = step;
    if (code === bpf.RETURN) return constant;
    if (code === bpf.AND) accumulator &= constant;
    else if (code === bpf.LOAD_WORD) accumulator = data.readUInt32LE(constant);
    else {
      const holds = {
        [bpf.JUMP_IF_EQUAL]: accumulator === constant,
        [bpf.JUMP_IF_GREATER]: accumulator > constant,
        [bpf.JUMP_IF_AT_LEAST]: accumulator >= constant,
        [bpf.JUMP_IF_ANY_BIT]: (accumulator & constant) !== 0,
      }[code];
      assert.notEqual(holds, undefined, `code ${code}`);
      at += holds ? step.jumpTrue : step.jumpFalse;
    }
  }
}

function decide(architecture: MachineArchitecture, name: string, ...values: number[]): string {
  const number = systemCallNumbers[architecture].get(name);
  assert.ok(number !== undefined, name);
  const instructions = seccompInstructions(architecture);
  return describeReturn(
    evaluate(instructions, { architecture: AUDIT[architecture], number, values }),
  );
}

function describeReturn(value: number): string {
  if (value === bpf.ALLOW) return 'allow';
  if (value === bpf.KILL_PROCESS) return 'kill';
  const errno = value & 0xffff;
  if (errno === 0) return 'pretend';
  return Object.entries(constants.errno).find(([, each]) => each === errno)?.[0] ?? `${errno}`;
}

for (const architecture of ARCHITECTURES) {
  describe(`the filter for ${architecture}`, () => {
    test('allows listed calls and refuses all others, whatever the arguments', () => {
      const numbers = systemCallNumbers[architecture];
      const names = [...numbers.keys()];
      const conditional = 'clone clone3 socket socketpair ioctl personality setrlimit prlimit64';
      const special = new Set(conditional.split(' '));
      const allowed = new Set(allowedCalls);
      const word = fc.integer({ min: 0, max: 0xffff_ffff });
      const values = fc.array(word, { minLength: 6, maxLength: 6 });
      const instructions = seccompInstructions(architecture);
      for (const name of names.filter((each) => !special.has(each))) {
        const number = numbers.get(name) as number;
        fc.assert(
          fc.property(values, (sample) => {
            const call = { architecture: AUDIT[architecture], number, values: sample };
            const expected = allowed.has(name) ? 'allow' : 'EPERM';
            assert.equal(describeReturn(evaluate(instructions, call)), expected, name);
          }),
          { numRuns: 3 },
        );
      }
    });

    test('refuses what reaches the kernel behind the namespaces', () => {
      const refused = `mount umount2 pivot_root chroot setns unshare bpf keyctl add_key request_key
        kexec_load init_module finit_module delete_module io_uring_setup io_uring_enter
        io_uring_register io_setup io_submit io_cancel io_getevents io_destroy userfaultfd perf_event_open open_by_handle_at name_to_handle_at
        fsopen fsmount open_tree move_mount mount_setattr swapon reboot sethostname acct quotactl
        settimeofday clock_settime fanotify_init lookup_dcookie move_pages mbind syslog`;
      for (const name of refused.trim().split(/\s+/)) {
        assert.equal(decide(architecture, name), 'EPERM', name);
      }
    });

    test('refuses the calls of the probes, which are in no table of names', () => {
      for (const number of [335, 336]) {
        const call = { architecture: AUDIT[architecture], number, values: [] };
        const answer = describeReturn(evaluate(seccompInstructions(architecture), call));
        assert.equal(answer, 'EPERM', `${number}`);
      }
    });

    test('keeps the core file limit, without which the host could run a core handler', () => {
      const core = 4;
      const openFiles = 7;
      const high = 2 ** 40;
      assert.equal(decide(architecture, 'setrlimit', core, 4096), 'pretend');
      assert.equal(decide(architecture, 'setrlimit', openFiles, 4096), 'allow');
      assert.equal(decide(architecture, 'prlimit64', 0, core, 4096, 0), 'pretend');
      assert.equal(decide(architecture, 'prlimit64', 0, core, high, 0), 'pretend');
      assert.equal(decide(architecture, 'prlimit64', 0, core, 0, 4096), 'allow');
      assert.equal(decide(architecture, 'prlimit64', 0, openFiles, high, 0), 'allow');
    });

    test('lets threads and processes be made, namespaces not', () => {
      const thread = 0x3d0f00;
      assert.equal(decide(architecture, 'clone', thread), 'allow');
      assert.equal(decide(architecture, 'clone', constants.signals.SIGCHLD), 'allow');
      const namespaces = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000];
      for (const flag of [...namespaces, 0x40000000]) {
        assert.equal(decide(architecture, 'clone', flag | 17), 'EPERM', flag.toString(16));
      }
      assert.equal(decide(architecture, 'clone3'), 'ENOSYS');
    });

    for (const call of ['socket', 'socketpair']) {
      test(`${call}: families, types and protocols that the network namespace bounds`, () => {
        const flags = 0o2004000;
        const decided = (...values: number[]) => decide(architecture, call, ...values);
        for (const family of [2, 10]) {
          assert.equal(decided(family, 1 | flags, 0), 'allow');
          assert.equal(decided(family, 1, 6), 'allow');
          assert.equal(decided(family, 2 | flags, 17), 'allow');
          // SCTP, MPTCP, ICMP, and a datagram's protocol on a stream.
          for (const protocol of [132, 262, 1, 17]) {
            assert.equal(decided(family, 1, protocol), 'EPROTONOSUPPORT', `${protocol}`);
          }
          assert.equal(decided(family, 2, 136), 'EPROTONOSUPPORT');
          assert.equal(decided(family, 3, 1), 'EPERM', 'raw');
          for (const type of [4, 5, 6, 10])
            assert.equal(decided(family, type, 0), 'EPROTONOSUPPORT');
        }
        for (const type of [1, 2, 5]) assert.equal(decided(1, type | flags, 0), 'allow');
        assert.equal(decided(1, 1, 6), 'EPROTONOSUPPORT');
        assert.equal(decided(16, 3, 0), 'allow');
        assert.equal(decided(16, 3, 12), 'EPROTONOSUPPORT');
        assert.equal(decided(16, 1, 0), 'EPROTONOSUPPORT');
        for (const family of [0, 3, 9, 17, 29, 38, 40, 44]) {
          assert.equal(decided(family, 1, 0), 'EAFNOSUPPORT', `${family}`);
        }
      });
    }

    test('refuses typing into a terminal, and personalities that are not listed', () => {
      assert.equal(decide(architecture, 'ioctl', 0, 0x5412), 'EPERM');
      assert.equal(decide(architecture, 'ioctl', 0, 0x541c), 'EPERM');
      assert.equal(decide(architecture, 'ioctl', 0, 0x5401), 'allow');
      assert.equal(decide(architecture, 'personality', 0xffffffff), 'allow');
      assert.equal(decide(architecture, 'personality', 0x0040000), 'EPERM');
    });

    test('answers calls that came later as an older kernel would', () => {
      const instructions = seccompInstructions(architecture);
      const newest = Math.max(...systemCallNumbers[architecture].values());
      const call = { architecture: AUDIT[architecture], number: newest + 1, values: [] };
      assert.equal(describeReturn(evaluate(instructions, call)), 'ENOSYS');
    });

    test('ends a process that calls as another architecture', () => {
      const instructions = seccompInstructions(architecture);
      for (const foreign of [0x40000003, 0x40000028, AUDIT.x86_64, AUDIT.aarch64]) {
        if (foreign === AUDIT[architecture]) continue;
        const call = { architecture: foreign, number: 1, values: [] };
        assert.equal(describeReturn(evaluate(instructions, call)), 'kill');
      }
    });
  });
}

test('no call gets through with the x32 bit', () => {
  const instructions = seccompInstructions('x86_64');
  for (const number of [...systemCallNumbers.x86_64.values(), 512, 547]) {
    const call = { architecture: AUDIT.x86_64, number: (number | 0x40000000) >>> 0, values: [] };
    assert.equal(describeReturn(evaluate(instructions, call)), 'EPERM');
  }
});

test('an instruction is eight bytes, little-endian', () => {
  const bytes = bpf.encodeFilter([bpf.jump(bpf.JUMP_IF_EQUAL, 0xc000003e, 1, 2), bpf.allow]);
  assert.equal(bytes.toString('hex'), '150001023e0000c0060000000000ff7f');
  assert.equal(seccompFilter('x86_64').length, seccompInstructions('x86_64').length * 8);
});

test('names only calls that exist, each once', () => {
  assert.equal(new Set(allowedCalls).size, allowedCalls.length);
  for (const name of allowedCalls) assert.ok(systemCallNumbers.x86_64.has(name), name);
});

/** What arm64's own header defines before it includes the generic one. */
const ARM64_WANTS = ['RENAMEAT', 'NEW_STAT', 'SET_GET_RLIMIT', 'SYS_CLONE3', 'MEMFD_SECRET'];

for (const [architecture, header, defines] of [
  ['x86_64', 'asm/unistd_64.h', []],
  ['aarch64', 'asm-generic/unistd.h', ARM64_WANTS.map((each) => `-D__ARCH_WANT_${each}`)],
] as const) {
  test(`numbers calls as the kernel's header for ${architecture} does`, (t) => {
    if (!hostHas(t, 'tool:x86_64-linux-gnu-gcc')) return;
    const numbers = systemCallNumbers[architecture];
    const input = [`#include <${header}>`, ...[...numbers.keys()].map(askFor)].join('\n');
    const command = ['-E', '-P', ...defines, '-'];
    const output = execFileSync('x86_64-linux-gnu-gcc', command, { input, encoding: 'utf8' });
    let compared = 0;
    for (const [, name = '', expression = ''] of output.matchAll(/^ask (\w+) = (.+)$/gm)) {
      if (expression.startsWith('__NR')) continue;
      assert.match(expression, /^\d+$/);
      assert.equal(numbers.get(name), Number(expression), name);
      compared++;
    }
    assert.ok(compared > 290, `${compared} compared`);
  });
}

function askFor(name: string): string {
  return `ask ${name} = __NR_${name}`;
}
