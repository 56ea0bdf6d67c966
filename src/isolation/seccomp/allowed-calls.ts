/**
 * What ordinary programs need, by purpose. Not here, and so refused, is what reaches the kernel
 * behind the namespaces (mounts, modules, clocks, BPF, io_uring and its forerunner, whose requests
 * the kernel counts for the whole host, performance counters, keys,
 * handles of files, other namespaces) or only serves to administer a machine.
 */
const allowedByPurpose = {
  files: `read write open close stat fstat lstat lseek pread64 pwrite64 readv writev preadv pwritev
    preadv2 pwritev2 access faccessat faccessat2 pipe pipe2 dup dup2 dup3 fcntl flock fsync fdatasync
    truncate ftruncate getdents getdents64 getcwd chdir fchdir rename renameat renameat2 mkdir
    mkdirat rmdir creat link linkat unlink unlinkat symlink symlinkat readlink readlinkat chmod
    fchmod fchmodat fchmodat2 chown fchown lchown fchownat umask utime utimes futimesat utimensat
    mknod mknodat statfs fstatfs sync syncfs sync_file_range openat openat2 newfstatat statx sendfile
    splice tee vmsplice copy_file_range fallocate fadvise64 readahead close_range setxattr lsetxattr
    fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr
    fremovexattr cachestat statmount`,
  events: `poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait
    epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime
    inotify_init inotify_init1 inotify_add_watch inotify_rm_watch`,
  memory: `mmap mprotect munmap brk mremap msync mincore madvise mlock mlock2 munlock mlockall
    munlockall remap_file_pages memfd_create memfd_secret pkey_mprotect pkey_alloc pkey_free membarrier
    mseal map_shadow_stack process_madvise process_mrelease`,
  sockets: `connect accept accept4 sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg shutdown bind
    listen getsockname getpeername setsockopt getsockopt`,
  processes: `fork vfork execve execveat exit exit_group wait4 waitid kill tkill tgkill getpid getppid
    gettid getpgid setpgid getpgrp getsid setsid pidfd_open pidfd_send_signal pidfd_getfd prctl
    arch_prctl set_tid_address set_robust_list get_robust_list rseq futex futex_wait futex_wake
    futex_requeue futex_waitv sched_yield sched_getparam sched_setparam sched_getscheduler
    sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval
    sched_setaffinity sched_getaffinity sched_setattr sched_getattr getpriority setpriority ioprio_get
    ioprio_set getcpu set_thread_area get_thread_area ptrace process_vm_readv process_vm_writev
    kcmp restart_syscall`,
  signals: `rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigqueueinfo
    rt_tgsigqueueinfo rt_sigsuspend sigaltstack pause`,
  time: `nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times alarm getitimer
    setitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete`,
  identity: `getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid
    setregid setresuid setresgid setgroups setfsuid setfsgid capget capset`,
  limits: `getrlimit getrusage sysinfo uname getrandom seccomp
    landlock_create_ruleset landlock_add_rule landlock_restrict_self`,
  systemV: `shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl
    mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr`,
} as const;

/** Names of the calls that are allowed whatever their arguments. */
export const allowedCalls: readonly string[] = Object.values(allowedByPurpose).flatMap((names) =>
  names.trim().split(/\s+/),
);
