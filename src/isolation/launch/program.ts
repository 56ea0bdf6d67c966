import { constants } from 'node:os';
import { assert, SluiceError } from '../../base/mod.ts';
import { type MachineArchitecture, systemCallNumbers } from './system-call-numbers.ts';

/** A place in the program's data; in a call it stands for that place's address. */
export interface DataReference {
  readonly dataOffset: number;
}

/** One of the machine's 16 words, kept from one program to the next and inherited by a fork. */
export interface Register {
  readonly register: number;
}

export type Value = number | bigint | DataReference | Register;

/** A step's position, known once the step that it names is placed. */
export interface Label {
  position: number | undefined;
}

export type ErrnoName = keyof typeof constants.errno;

export interface CallOptions {
  /** Takes the result, a negative errno if the call failed and that was tolerated. */
  readonly result?: Register;
  /** At most four errors after which the program goes on. */
  readonly tolerate?: readonly ErrnoName[];
}

const OPERATIONS = { call: 0, point: 1, store: 2, decimal: 3, branch: 4 } as const;
const KIND_IMMEDIATE = 0;
const KIND_DATA = 1;
const KIND_REGISTER = 2;
const HEADER_BYTES = 8;
const STEP_BYTES = 88;
const MAX_PROGRAM_BYTES = 512 * 1024;
const NO_RESULT = -1;
const NULL_POINTER = 2n ** 64n - 1n;

export interface Step {
  readonly name: string;
  readonly operation: keyof typeof OPERATIONS;
  readonly number: number;
  readonly values: readonly (Value | Label)[];
  readonly result: number;
  readonly tolerated: readonly number[];
}

/** Register 0 to 15. */
export function register(index: number): Register {
  assert(index >= 0 && index < 16, `register ${index} is one of 16`);
  return { register: index };
}

/**
 * A program for `launch`: system calls with their arguments, in order. A step that fails ends
 * the process that runs it and is reported by its index; `stepName` says what that step was.
 *
 * On the wire, little-endian: `u32 bytes`, `u32 steps`, the steps of 88 bytes each (`u32
 * operation`, `i32 result register`, `u64 number`, six `u64` values, their eight kind bytes, four
 * `i32` tolerated errnos), then the data that they refer to.
 */
export class LaunchProgram {
  readonly architecture: MachineArchitecture;
  readonly #steps: Step[] = [];
  readonly #data: Buffer[] = [];
  #dataBytes = 0;

  constructor(architecture: MachineArchitecture) {
    this.architecture = architecture;
  }

  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** Appends bytes, 8-byte aligned. */
  bytes(content: Uint8Array): DataReference {
    const dataOffset = this.#dataBytes;
    const padding = (8 - (content.length % 8)) % 8;
    this.#data.push(Buffer.from(content), Buffer.alloc(padding));
    this.#dataBytes += content.length + padding;
    return { dataOffset };
  }

  /** Appends a NUL-terminated string. */
  text(content: string): DataReference {
    if (content.includes('\0')) {
      throw new SluiceError('USAGE', `${JSON.stringify(content)}: holds a NUL character`);
    }
    return this.bytes(Buffer.from(`${content}\0`));
  }

  /** Appends a null-terminated array of pointers and the step that fills it in. */
  pointers(name: string, targets: readonly DataReference[]): DataReference {
    const table = Buffer.alloc((targets.length + 1) * 8);
    for (const [index, target] of targets.entries()) {
      table.writeBigUInt64LE(BigInt(target.dataOffset), index * 8);
    }
    table.writeBigUInt64LE(NULL_POINTER, targets.length * 8);
    const at = this.bytes(table);
    this.#place(name, 'point', 0, [at.dataOffset, targets.length + 1]);
    return at;
  }

  /** Turns the 8-byte data offset at `at` + `offset` into an address. */
  point(name: string, at: DataReference, offset: number): void {
    this.#place(name, 'point', 0, [at.dataOffset + offset, 1]);
  }

  call(name: string, call: string, values: readonly Value[], options: CallOptions = {}): void {
    const number = systemCallNumbers[this.architecture].get(call);
    assert(number !== undefined, `${this.architecture} has the system call ${call}`);
    assert(values.length <= 6, `${call} takes at most six values`);
    const tolerated = (options.tolerate ?? []).map((errno) => constants.errno[errno]);
    assert(tolerated.length <= 4, `${name} tolerates at most four errors`);
    this.#place(name, 'call', number, values, options.result?.register ?? NO_RESULT, tolerated);
  }

  /** Writes a value into data, as 4 or 8 bytes. */
  store(name: string, at: DataReference, offset: number, bytes: 4 | 8, value: Value): void {
    this.#place(name, 'store', bytes, [at.dataOffset + offset, value]);
  }

  /** Writes a register as decimal digits and a NUL into data that has room for 21 bytes. */
  decimal(name: string, at: DataReference, offset: number, value: Register): void {
    this.#place(name, 'decimal', 0, [at.dataOffset + offset, value]);
  }

  branchIfEqual(name: string, left: Value, right: Value, target: Label): void {
    this.#place(name, 'branch', 0, [left, right, target]);
  }

  branchUnlessEqual(name: string, left: Value, right: Value, target: Label): void {
    this.#place(name, 'branch', 1, [left, right, target]);
  }

  label(): Label {
    return { position: undefined };
  }

  place(label: Label): void {
    assert(label.position === undefined, 'a label is placed once');
    label.position = this.#steps.length;
  }

  stepName(index: number): string {
    return this.#steps[index]?.name ?? `step ${index}`;
  }

  encode(): Buffer {
    const stepsBytes = this.#steps.length * STEP_BYTES;
    const bytes = HEADER_BYTES + stepsBytes + this.#dataBytes;
    if (bytes > MAX_PROGRAM_BYTES) {
      throw new SluiceError(
        'USAGE',
        `arguments and environment make a launch program of ${bytes} bytes, ` +
          `more than ${MAX_PROGRAM_BYTES}; make them smaller`,
      );
    }
    const head = Buffer.alloc(HEADER_BYTES + stepsBytes);
    head.writeUInt32LE(bytes, 0);
    head.writeUInt32LE(this.#steps.length, 4);
    for (const [index, step] of this.#steps.entries()) {
      encodeStep(step, head.subarray(HEADER_BYTES + index * STEP_BYTES));
    }
    return Buffer.concat([head, ...this.#data]);
  }

  #place(
    name: string,
    operation: Step['operation'],
    number: number,
    values: readonly (Value | Label)[],
    result = NO_RESULT,
    tolerated: readonly number[] = [],
  ): void {
    this.#steps.push({ name, operation, number, values, result, tolerated });
  }
}

function encodeStep(step: Step, into: Buffer): void {
  into.writeUInt32LE(OPERATIONS[step.operation], 0);
  into.writeInt32LE(step.result, 4);
  into.writeBigUInt64LE(BigInt(step.number), 8);
  for (const [index, value] of step.values.entries()) {
    const { kind, word } = encodeValue(value, step.name);
    into.writeBigUInt64LE(word, 16 + index * 8);
    into.writeUInt8(kind, 64 + index);
  }
  for (const [index, errno] of step.tolerated.entries()) into.writeInt32LE(errno, 72 + index * 4);
}

function encodeValue(value: Value | Label, name: string): { kind: number; word: bigint } {
  if (typeof value === 'number' || typeof value === 'bigint') {
    return { kind: KIND_IMMEDIATE, word: BigInt.asUintN(64, BigInt(value)) };
  }
  if ('dataOffset' in value) return { kind: KIND_DATA, word: BigInt(value.dataOffset) };
  if ('register' in value) return { kind: KIND_REGISTER, word: BigInt(value.register) };
  assert(value.position !== undefined, `${name}: its target is placed`);
  return { kind: KIND_IMMEDIATE, word: BigInt(value.position) };
}
