/*
 * The first process of a lean sandbox: a machine that runs system calls and decides nothing.
 *
 * It reads programs from the control descriptor and runs their steps in order. Which calls, in
 * which order, with which bytes is composed in TypeScript (program.ts documents the format), so
 * what a sandbox is can be read and tested there. No libc: nothing of the host but the kernel's
 * system call interface is needed, on x86_64 and aarch64, both little-endian with 8-byte words.
 *
 * A step that fails is reported on the status descriptor and ends the process that ran it.
 */

typedef unsigned char u8;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long u64;
typedef long i64;

enum { CONTROL = 3, STATUS = 4 };
enum { OP_CALL, OP_POINT, OP_STORE, OP_DECIMAL, OP_BRANCH };
enum { KIND_IMMEDIATE, KIND_DATA, KIND_REGISTER };
enum { RECORD_FAILED = 1 };
enum { REGISTERS = 16, PROGRAM_BYTES = 512 * 1024 };
enum { EINTR_ = 4, EINVAL_ = 22 };

#if defined(__x86_64__)
enum { SYS_read = 0, SYS_write = 1, SYS_exit_group = 231 };

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall machine\n\thlt\n");

static i64 system_call(i64 number, const u64 *a) {
  i64 result;
  register u64 r10 __asm__("r10") = a[3];
  register u64 r8 __asm__("r8") = a[4];
  register u64 r9 __asm__("r9") = a[5];
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
enum { SYS_read = 63, SYS_write = 64, SYS_exit_group = 94 };

__asm__(".globl _start\n_start:\n\tmov x29, xzr\n\tmov x30, xzr\n\tbl machine\n\tbrk #0\n");

static i64 system_call(i64 number, const u64 *a) {
  register u64 x8 __asm__("x8") = (u64)number;
  register u64 x0 __asm__("x0") = a[0];
  register u64 x1 __asm__("x1") = a[1];
  register u64 x2 __asm__("x2") = a[2];
  register u64 x3 __asm__("x3") = a[3];
  register u64 x4 __asm__("x4") = a[4];
  register u64 x5 __asm__("x5") = a[5];
  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return (i64)x0;
}
#else
#error "launch knows x86_64 and aarch64"
#endif

struct step {
  u32 op;
  i32 result; /* the register that takes the result, or -1 */
  u64 number; /* OP_CALL: the call; OP_STORE: bytes; OP_BRANCH: 0 if equal, 1 if not */
  u64 values[6];
  u8 kinds[8];
  i32 tolerated[4]; /* errnos after which the program goes on; 0 is none */
};

struct program {
  u32 bytes; /* of the whole program, this header included */
  u32 steps;
  struct step step[];
};

static union {
  struct program program;
  u8 bytes[PROGRAM_BYTES];
} memory __attribute__((aligned(16)));

static i64 registers[REGISTERS];
static u32 program_index;

static i64 call3(i64 number, u64 a, u64 b, u64 c) {
  u64 arguments[6] = {a, b, c, 0, 0, 0};
  return system_call(number, arguments);
}

static void __attribute__((noreturn)) quit(u64 code) {
  for (;;) call3(SYS_exit_group, code, 0, 0);
}

static void __attribute__((noreturn)) fail(u32 step, i64 error) {
  u32 record[4] = {RECORD_FAILED, program_index, step, (u32)error};
  call3(SYS_write, STATUS, (u64)record, sizeof record);
  quit(1);
}

/* Fills `bytes` from the control descriptor; its end means that whoever composes is gone. */
static void receive(u8 *into, u32 bytes) {
  while (bytes > 0) {
    i64 got = call3(SYS_read, CONTROL, (u64)into, bytes);
    if (got == -EINTR_) continue;
    if (got <= 0) quit(0);
    into += got;
    bytes -= (u32)got;
  }
}

static u8 *data;
static u64 data_bytes;

static u8 *data_at(u32 index, u64 offset, u64 bytes) {
  if (offset > data_bytes || bytes > data_bytes - offset) fail(index, EINVAL_);
  return data + offset;
}

static u64 value(u32 index, const struct step *step, u32 position) {
  u64 raw = step->values[position];
  switch (step->kinds[position]) {
    case KIND_IMMEDIATE:
      return raw;
    case KIND_DATA:
      return (u64)data_at(index, raw, 0);
    case KIND_REGISTER:
      if (raw < REGISTERS) return (u64)registers[raw];
  }
  fail(index, EINVAL_);
}

static void call(u32 index, const struct step *step) {
  u64 arguments[6];
  for (u32 i = 0; i < 6; i++) arguments[i] = value(index, step, i);
  i64 result = system_call((i64)step->number, arguments);
  if (result < 0 && result > -4096) {
    u32 tolerated = 0;
    for (u32 i = 0; i < 4; i++) tolerated |= step->tolerated[i] == -result;
    if (!tolerated) fail(index, -result);
  }
  if (step->result >= 0 && step->result < REGISTERS) registers[step->result] = result;
}

/* Turns `count` data offsets, as 8-byte words, into addresses; all ones becomes a null pointer. */
static void point(u32 index, const struct step *step) {
  u64 count = step->values[1];
  if (count > PROGRAM_BYTES / 8) fail(index, EINVAL_);
  volatile u64 *word = (volatile u64 *)data_at(index, step->values[0], count * 8);
  for (u64 i = 0; i < count; i++) word[i] = word[i] == ~0UL ? 0 : (u64)data_at(index, word[i], 0);
}

static void store(u32 index, const struct step *step) {
  u64 stored = value(index, step, 1);
  if (step->number != 4 && step->number != 8) fail(index, EINVAL_);
  u8 *at = data_at(index, step->values[0], step->number);
  if (step->number == 4) *(volatile u32 *)at = (u32)stored;
  else *(volatile u64 *)at = stored;
}

static void decimal(u32 index, const struct step *step) {
  u64 left = value(index, step, 1);
  u8 digits[20];
  u32 count = 0;
  do {
    digits[count++] = (u8)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  volatile u8 *at = data_at(index, step->values[0], count + 1);
  for (u32 i = 0; i < count; i++) at[i] = digits[count - 1 - i];
  at[count] = 0;
}

static u32 branch(u32 index, const struct step *step) {
  u32 equal = value(index, step, 0) == value(index, step, 1);
  return equal == (step->number == 0) ? (u32)step->values[2] : index + 1;
}

static void interpret(void) {
  const struct program *program = &memory.program;
  u32 next = 0;
  while (next < program->steps) {
    const struct step *step = &program->step[next];
    switch (step->op) {
      case OP_CALL:
        call(next++, step);
        break;
      case OP_POINT:
        point(next++, step);
        break;
      case OP_STORE:
        store(next++, step);
        break;
      case OP_DECIMAL:
        decimal(next++, step);
        break;
      case OP_BRANCH:
        next = branch(next, step);
        break;
      default:
        fail(next, EINVAL_);
    }
  }
}

void __attribute__((noreturn, used)) machine(void) {
  for (;; program_index++) {
    receive(memory.bytes, sizeof(struct program));
    u64 bytes = memory.program.bytes;
    u64 steps_end = sizeof(struct program) + (u64)memory.program.steps * sizeof(struct step);
    if (bytes > PROGRAM_BYTES || steps_end > bytes) fail(0, EINVAL_);
    receive(memory.bytes + sizeof(struct program), (u32)(bytes - sizeof(struct program)));
    data = memory.bytes + steps_end;
    data_bytes = bytes - steps_end;
    interpret();
  }
}
