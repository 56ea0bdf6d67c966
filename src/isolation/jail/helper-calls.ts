import { allowedCalls } from '../seccomp/allowed-calls.ts';

/**
 * Calls that a sandbox's program may want and a helper never makes: other processes' memory, their
 * descriptors, System V objects and queues, device nodes, asynchronous I/O of the kernel, further
 * filters, and another user.
 */
const NOT_FOR_HELPERS: ReadonlySet<string> = new Set(
  `ptrace process_vm_readv process_vm_writev kcmp pidfd_open pidfd_getfd pidfd_send_signal
  process_madvise process_mrelease
  shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open
  mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr
  mknod mknodat chown fchown lchown fchownat setxattr lsetxattr fsetxattr
  io_setup io_destroy io_getevents io_pgetevents io_submit io_cancel
  memfd_secret seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
  setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset`
    .trim()
    .split(/\s+/),
);

/** Names of the calls that agents and flatteners, which are Node, may make. */
export const helperCalls: readonly string[] = allowedCalls.filter(
  (name) => !NOT_FOR_HELPERS.has(name),
);
