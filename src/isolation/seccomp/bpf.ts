import { constants } from 'node:os';
import { assert } from '../../base/mod.ts';

/** One classic BPF instruction (`struct sock_filter`, linux/filter.h). */
export interface Instruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly constant: number;
}

// linux/bpf_common.h
export const LOAD_WORD = 0x20;
export const JUMP_IF_EQUAL = 0x15;
export const JUMP_IF_GREATER = 0x25;
export const JUMP_IF_AT_LEAST = 0x35;
export const JUMP_IF_ANY_BIT = 0x45;
export const AND = 0x54;
export const RETURN = 0x06;

// linux/seccomp.h
export const ALLOW = 0x7fff_0000;
export const KILL_PROCESS = 0x8000_0000;
const ERRNO = 0x0005_0000;
/** `struct seccomp_data`: the call's number, the architecture, the caller's address, arguments. */
export const NUMBER_OFFSET = 0;
export const ARCHITECTURE_OFFSET = 4;
const ARGUMENTS_OFFSET = 16;

const INSTRUCTION_BYTES = 8;
/** BPF_MAXINSNS. */
const MAX_INSTRUCTIONS = 4096;

export function statement(code: number, constant: number): Instruction {
  return { code, jumpTrue: 0, jumpFalse: 0, constant: constant >>> 0 };
}

/** Skips so many instructions by whether the comparison holds. */
export function jump(
  code: number,
  constant: number,
  jumpTrue: number,
  jumpFalse: number,
): Instruction {
  assert(jumpTrue < 256 && jumpFalse < 256, 'a jump reaches 255 instructions');
  return { code, jumpTrue, jumpFalse, constant: constant >>> 0 };
}

export const allow = statement(RETURN, ALLOW);

/** The call answers as if it had succeeded, and does nothing. */
export const pretend = statement(RETURN, ERRNO);

/** The call answers with this errno and does nothing. */
export function refuse(errno: keyof typeof constants.errno): Instruction {
  return statement(RETURN, ERRNO | constants.errno[errno]);
}

/** The low or high half of an argument; filters see two halves, never 64 bits. */
export function argumentOffset(index: number, half: 'low' | 'high' = 'low'): number {
  return ARGUMENTS_OFFSET + index * 8 + (half === 'high' ? 4 : 0);
}

/** If the word just loaded equals `constant`, runs `body`, which ends in a return. */
export function whenEqual(constant: number, body: readonly Instruction[]): Instruction[] {
  return [jump(JUMP_IF_EQUAL, constant, 0, body.length), ...body];
}

/** If the word just loaded is one of them, runs `body`, which ends in a return. */
export function whenAny(constants: readonly number[], body: readonly Instruction[]): Instruction[] {
  return constants
    .flatMap((constant, index) => {
      const toBody = constants.length - 1 - index;
      const isLast = toBody === 0;
      return [jump(JUMP_IF_EQUAL, constant, toBody, isLast ? body.length : 0)];
    })
    .concat(body);
}

export function encodeFilter(instructions: readonly Instruction[]): Buffer {
  assert(instructions.length <= MAX_INSTRUCTIONS, 'the filter fits into BPF_MAXINSNS');
  const out = Buffer.alloc(instructions.length * INSTRUCTION_BYTES);
  for (const [index, { code, jumpTrue, jumpFalse, constant }] of instructions.entries()) {
    const at = index * INSTRUCTION_BYTES;
    out.writeUInt16LE(code, at);
    out.writeUInt8(jumpTrue, at + 2);
    out.writeUInt8(jumpFalse, at + 3);
    out.writeUInt32LE(constant, at + 4);
  }
  return out;
}
