/**
 * The kernel's constants and structures that the launch programs use, named as in its headers
 * (`linux/*.h`, `asm-generic/*.h`); the same on x86_64 and aarch64 unless said.
 */

export const AT_FDCWD = -100;

// asm-generic/fcntl.h
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const F_SETFD = 2;
export const FD_CLOEXEC = 1;
export const AT_REMOVEDIR = 0x200;

// linux/sched.h
export const CLONE_VFORK = 0x4000;
export const CLONE_NEWNS = 0x20000;
export const CLONE_NEWCGROUP = 0x2000000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;
export const CLONE_INTO_CGROUP = 0x200000000n;
export const SIGKILL = 9;
export const SIGTERM = 15;
export const SIGCHLD = 17;
export const SIG_DFL = 0;
export const SIG_IGN = 1;
/** linux/wait.h */
export const WNOHANG = 1;

// linux/mount.h
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_REMOUNT = 32;
export const MS_BIND = 4096;
export const MS_REC = 16384;
export const MS_PRIVATE = 1 << 18;
export const MNT_DETACH = 2;
export const OPEN_TREE_CLONE = 1;
export const AT_RECURSIVE = 0x8000;
export const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
export const MOVE_MOUNT_T_SYMLINKS = 0x10;

// sys/stat.h
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

// linux/loop.h
/** linux/fs.h: read-ahead of a block device, in sectors. */
export const BLKRASET = 0x1262;
export const SECTOR_BYTES = 512;

export const LOOP_CTL_GET_FREE = 0x4c82;
export const LOOP_CONFIGURE = 0x4c0a;
export const LO_FLAGS_READ_ONLY = 1;
export const LO_FLAGS_AUTOCLEAR = 4;
export const LO_FLAGS_DIRECT_IO = 16;
/** `struct loop_config`: fd, block size, `struct loop_info64` of 232 bytes, reserved. */
export const LOOP_CONFIG_BYTES = 304;
export const LOOP_CONFIG_FD_OFFSET = 0;
export const LOOP_CONFIG_FLAGS_OFFSET = 8 + 52;

// linux/socket.h, linux/if.h
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_SEQPACKET = 5;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const SCM_RIGHTS = 1;
export const SOCK_NONBLOCK = 0o4000;
export const SIOCADDRT = 0x890b;
export const SIOCSIFFLAGS = 0x8914;
export const SIOCSIFADDR = 0x8916;
export const SIOCSIFNETMASK = 0x891c;
/** linux/route.h: `struct rtentry` with its destination, gateway, mask and flags. */
export const RTENTRY_BYTES = 120;
export const RTENTRY_DESTINATION_OFFSET = 8;
export const RTENTRY_GATEWAY_OFFSET = 24;
export const RTENTRY_MASK_OFFSET = 40;
export const RTENTRY_FLAGS_OFFSET = 56;
export const RTF_UP = 1;
export const RTF_GATEWAY = 2;
export const IFF_UP = 1;
export const IFF_RUNNING = 64;

// linux/in.h, linux/netlink.h
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const NETLINK_ROUTE = 0;

// linux/prctl.h, linux/capability.h, linux/seccomp.h, linux/keyctl.h
export const PR_SET_PDEATHSIG = 1;
export const PR_SET_DUMPABLE = 4;
export const PR_CAPBSET_DROP = 24;
export const PR_SET_NO_NEW_PRIVS = 38;
export const PR_CAP_AMBIENT = 47;
export const PR_CAP_AMBIENT_CLEAR_ALL = 4;
export const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
export const SECCOMP_SET_MODE_FILTER = 1;
export const KEYCTL_JOIN_SESSION_KEYRING = 1;

// asm-generic/resource.h
export const RLIM_INFINITY = 2n ** 64n - 1n;
export const RLIMITS = {
  cpu: 0,
  fileSize: 1,
  data: 2,
  stack: 3,
  core: 4,
  residentSet: 5,
  processes: 6,
  openFiles: 7,
  lockedMemory: 8,
  addressSpace: 9,
} as const;

// poll.h
export const POLLIN = 1;
export const POLLRDHUP = 0x2000;

// linux/mount.h, linux/fcntl.h: mounts by descriptor
export const MS_SLAVE = 1 << 19;
export const AT_EMPTY_PATH = 0x1000;
export const O_PATH = 0o10000000;
export const MOUNT_ATTR_RDONLY = 0x1;
export const MOUNT_ATTR_NOSUID = 0x2;
export const MOUNT_ATTR_NODEV = 0x4;
export const MOUNT_ATTR_NOEXEC = 0x8;
export const MOUNT_ATTR_IDMAP = 0x0010_0000;
/** `struct mount_attr`: what to set, to clear, the propagation, the user namespace. */
export const MOUNT_ATTR_BYTES = 32;

// linux/landlock.h
export const LANDLOCK_ACCESS_FS_READ_FILE = 1 << 2;
export const LANDLOCK_ACCESS_FS_REFER = 1 << 13;
export const LANDLOCK_RULE_PATH_BENEATH = 1;
