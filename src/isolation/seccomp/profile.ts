import { assert } from '../../base/mod.ts';
import * as linux from '../launch/linux.ts';
import { type MachineArchitecture, systemCallNumbers } from '../launch/system-call-numbers.ts';
import { allowedCalls } from './allowed-calls.ts';
import * as bpf from './bpf.ts';

/** AUDIT_ARCH_* of linux/audit.h. */
const AUDIT_ARCHITECTURE: Readonly<Record<MachineArchitecture, number>> = {
  x86_64: 0xc000_003e,
  aarch64: 0xc000_00b7,
};
/** Calls of the x32 ABI carry this bit and would else pass as x86_64 (asm/unistd.h). */
const X32_BIT = 0x4000_0000;

const NEW_NAMESPACES =
  linux.CLONE_NEWNS |
  linux.CLONE_NEWUTS |
  linux.CLONE_NEWIPC |
  linux.CLONE_NEWUSER |
  linux.CLONE_NEWPID |
  linux.CLONE_NEWNET |
  linux.CLONE_NEWCGROUP;

/** asm-generic/ioctls.h: types into a terminal, or into the console. */
const TERMINAL_INJECTIONS = [0x5412, 0x541c];
/** linux/personality.h: Linux, its 32-bit uname, both with UNAME26, and asking which it is. */
const PERSONALITIES = [0, 0x0008, 0x0002_0000, 0x0002_0008, 0xffff_ffff];

/** linux/net.h: of `socket`'s second argument, what is the type and not a flag. */
const SOCKET_TYPE_MASK = 0xf;
/** By family: of which types a socket may be, and of which protocols; 0 is the type's own. */
type SocketFamilies = Readonly<Record<number, Readonly<Record<number, readonly number[]>>>>;
const SOCKETS: SocketFamilies = {
  [linux.AF_UNIX]: {
    [linux.SOCK_STREAM]: [0, linux.AF_UNIX],
    [linux.SOCK_DGRAM]: [0, linux.AF_UNIX],
    [linux.SOCK_SEQPACKET]: [0, linux.AF_UNIX],
  },
  [linux.AF_INET]: {
    [linux.SOCK_STREAM]: [0, linux.IPPROTO_TCP],
    [linux.SOCK_DGRAM]: [0, linux.IPPROTO_UDP],
  },
  [linux.AF_INET6]: {
    [linux.SOCK_STREAM]: [0, linux.IPPROTO_TCP],
    [linux.SOCK_DGRAM]: [0, linux.IPPROTO_UDP],
  },
  [linux.AF_NETLINK]: {
    [linux.SOCK_RAW]: [linux.NETLINK_ROUTE],
    [linux.SOCK_DGRAM]: [linux.NETLINK_ROUTE],
  },
};

/**
 * Sockets of one machine and of its network namespace, by family, type and protocol. AF_VSOCK
 * would reach a hypervisor past the namespace; AF_ALG, and protocols such as SCTP, kernel code that
 * few have looked at. Raw sockets are refused as the kernel refuses whom it does not trust.
 */
function socketRules(families: SocketFamilies): bpf.Instruction[] {
  return [
    bpf.statement(bpf.LOAD_WORD, bpf.argumentOffset(0)),
    ...Object.entries(families).flatMap(([family, types]) =>
      bpf.whenEqual(Number(family), [
        bpf.statement(bpf.LOAD_WORD, bpf.argumentOffset(1)),
        bpf.statement(bpf.AND, SOCKET_TYPE_MASK),
        ...Object.entries(types).flatMap(([type, protocols]) =>
          bpf.whenEqual(Number(type), [
            bpf.statement(bpf.LOAD_WORD, bpf.argumentOffset(2)),
            ...bpf.whenAny(protocols, [bpf.allow]),
            bpf.refuse('EPROTONOSUPPORT'),
          ]),
        ),
        ...bpf.whenEqual(linux.SOCK_RAW, [bpf.refuse('EPERM')]),
        bpf.refuse('EPROTONOSUPPORT'),
      ]),
    ),
    bpf.refuse('EAFNOSUPPORT'),
  ];
}

/**
 * A limit of 1 keeps the host's handler of core dumps from being run for a sandbox; 0 would not
 * (core(5)). So nobody changes it, and who sets it to 0, meaning just that, need not know.
 */
const keepCoreLimit = bpf.whenEqual(linux.RLIMITS.core, [bpf.pretend]);

/** Rules for calls that depend on an argument; each ends in a return. */
const conditionalCalls: Readonly<Record<string, readonly bpf.Instruction[]>> = {
  clone: [
    bpf.statement(bpf.LOAD_WORD, bpf.argumentOffset(0)),
    bpf.jump(bpf.JUMP_IF_ANY_BIT, NEW_NAMESPACES, 1, 0),
    bpf.allow,
    bpf.refuse('EPERM'),
  ],
  // Its flags are in memory, which a filter cannot read; libc falls back to clone.
  clone3: [bpf.refuse('ENOSYS')],
  socket: socketRules(SOCKETS),
  socketpair: socketRules(SOCKETS),
  setrlimit: [bpf.statement(bpf.LOAD_WORD, bpf.argumentOffset(0)), ...keepCoreLimit, bpf.allow],
  prlimit64: [
    // Without new limits it only asks for the old ones.
    bpf.statement(bpf.LOAD_WORD, bpf.argumentOffset(2)),
    bpf.jump(bpf.JUMP_IF_EQUAL, 0, 0, 3),
    bpf.statement(bpf.LOAD_WORD, bpf.argumentOffset(2, 'high')),
    ...bpf.whenEqual(0, [bpf.allow]),
    bpf.statement(bpf.LOAD_WORD, bpf.argumentOffset(1)),
    ...keepCoreLimit,
    bpf.allow,
  ],
  ioctl: [
    bpf.statement(bpf.LOAD_WORD, bpf.argumentOffset(1)),
    ...TERMINAL_INJECTIONS.flatMap((request) => bpf.whenEqual(request, [bpf.refuse('EPERM')])),
    bpf.allow,
  ],
  personality: [
    bpf.statement(bpf.LOAD_WORD, bpf.argumentOffset(0)),
    ...PERSONALITIES.flatMap((persona) => bpf.whenEqual(persona, [bpf.allow])),
    bpf.refuse('EPERM'),
  ],
};

/**
 * Without sockets of this machine: a helper on the host's network would find there what listens at
 * abstract addresses, which belong to a network namespace and to no file system.
 */
const { [linux.AF_UNIX]: _, ...socketsOfNetworks } = SOCKETS;
const callsOfHelpers = { ...conditionalCalls, socket: socketRules(socketsOfNetworks) };

/**
 * The filter of every lean sandbox: what is not allowed answers EPERM; calls newer than our
 * tables answer ENOSYS, so that libc falls back as on an older kernel. Another architecture's
 * calls end the process. Helpers have a shorter list of what is allowed, and fewer sockets.
 */
export function seccompInstructions(
  architecture: MachineArchitecture,
  helperCalls?: readonly string[],
): bpf.Instruction[] {
  const allowed = helperCalls ?? allowedCalls;
  const conditional = helperCalls ? callsOfHelpers : conditionalCalls;
  const numbers = systemCallNumbers[architecture];
  const newest = Math.max(...numbers.values());
  const instructions = [
    bpf.statement(bpf.LOAD_WORD, bpf.ARCHITECTURE_OFFSET),
    bpf.jump(bpf.JUMP_IF_EQUAL, AUDIT_ARCHITECTURE[architecture], 1, 0),
    bpf.statement(bpf.RETURN, bpf.KILL_PROCESS),
    bpf.statement(bpf.LOAD_WORD, bpf.NUMBER_OFFSET),
  ];
  if (architecture === 'x86_64') {
    instructions.push(bpf.jump(bpf.JUMP_IF_AT_LEAST, X32_BIT, 0, 1), bpf.refuse('EPERM'));
  }
  instructions.push(bpf.jump(bpf.JUMP_IF_GREATER, newest, 0, 1), bpf.refuse('ENOSYS'));
  for (const [name, body] of Object.entries(conditional)) {
    const number = numbers.get(name);
    assert(number !== undefined, `${architecture} has the conditional call ${name}`);
    instructions.push(...bpf.whenEqual(number, body));
  }
  for (const [first, last] of ranges(allowedNumbers(numbers, allowed))) {
    instructions.push(
      bpf.jump(bpf.JUMP_IF_AT_LEAST, first, 0, 2),
      bpf.jump(bpf.JUMP_IF_GREATER, last, 1, 0),
      bpf.allow,
    );
  }
  instructions.push(bpf.refuse('EPERM'));
  return instructions;
}

const filters = new Map<MachineArchitecture, Buffer>();

/** The filter's bytes, composed once. */
export function seccompFilter(architecture: MachineArchitecture): Buffer {
  let filter = filters.get(architecture);
  if (filter === undefined) {
    filter = bpf.encodeFilter(seccompInstructions(architecture));
    filters.set(architecture, filter);
  }
  return filter;
}

function allowedNumbers(
  numbers: ReadonlyMap<string, number>,
  allowed: readonly string[],
): number[] {
  const known = allowed.map((name) => numbers.get(name));
  return known.filter((number) => number !== undefined).sort((a, b) => a - b);
}

/** Sorted numbers as closed ranges. */
function ranges(sorted: readonly number[]): [number, number][] {
  const out: [number, number][] = [];
  for (const number of sorted) {
    const last = out.at(-1);
    if (last !== undefined && number <= last[1] + 1) last[1] = number;
    else out.push([number, number]);
  }
  return out;
}
