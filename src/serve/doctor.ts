import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatBytes, limits, MIB, systemRandom, toSluiceError } from '../base/mod.ts';
import { hostLanguage } from '../install/mod.ts';
import { HelperNetwork, Jails } from '../isolation/mod.ts';
import { diskSpaceOf, floorOf } from './disk-guard.ts';
import { mayRaiseOpenFiles, openFilesLimit } from './open-files.ts';

export interface HostFinding {
  readonly name: string;
  readonly present: boolean;
  readonly required: boolean;
  readonly detail: string;
  readonly remedy: string;
}

function fileFinding(name: string, path: string, remedy: string): HostFinding {
  return { name, present: existsSync(path), required: true, detail: path, remedy };
}

function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** `purpose`: of a program that a region starts without. */
function programFinding(name: string, debianPackage: string, purpose?: string): HostFinding {
  const path = findProgram(name);
  return {
    name,
    present: path !== undefined,
    required: purpose === undefined,
    detail: path ?? '',
    remedy: `apt-get install ${debianPackage}${purpose ? ` (for ${purpose})` : ''}`,
  };
}

/** Of the host's Python, which the gathered bases take. */
async function boto3Finding(): Promise<HostFinding> {
  const language = await hostLanguage('python3', { python: 'host', nodejs: 'off' }).catch(
    () => undefined,
  );
  return {
    name: 'boto3',
    present: language?.sdk !== undefined,
    required: false,
    detail: language?.sdk?.name ?? '',
    remedy: 'apt-get install python3-boto3, or sdk.python DIR (for import boto3 in zip functions)',
  };
}

function fileSystemFinding(name: string): HostFinding {
  const known = readFileSync('/proc/filesystems', 'utf8').split('\n');
  return {
    name: `kernel: ${name}`,
    present: known.some((line) => line.trim().split(/\s+/).pop() === name),
    required: true,
    detail: 'in /proc/filesystems',
    remedy: `modprobe ${name}`,
  };
}

function cgroupFinding(): HostFinding {
  const v2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const v1 = existsSync('/sys/fs/cgroup/memory');
  return {
    name: 'cgroups',
    present: v1 || v2,
    required: true,
    detail: v2 ? 'version 2' : 'version 1',
    remedy: 'mount cgroup2 on /sys/fs/cgroup',
  };
}

/** Of the working directory, where a region keeps its data unless it is told another place. */
function diskFinding(): HostFinding {
  const space = diskSpaceOf('.');
  return {
    name: 'disk space',
    present: space.availableBytes > floorOf(space),
    required: false,
    detail: `${formatBytes(space.availableBytes)} of ${formatBytes(space.totalBytes)} here`,
    remedy: `below ${formatBytes(floorOf(space))} starts, creates and events are refused`,
  };
}

function openFilesFinding(): HostFinding {
  const limit = openFilesLimit();
  const { openFiles, openFilesLeast } = limits.host;
  const mayRaise = mayRaiseOpenFiles() && findProgram('prlimit') !== undefined;
  return {
    name: 'open files',
    present: limit >= openFilesLeast || mayRaise,
    required: true,
    detail: mayRaise && limit < openFiles ? `${limit}; up makes them ${openFiles}` : `${limit}`,
    remedy: `ulimit -n ${openFiles}, or LimitNOFILE=${openFiles}`,
  };
}

/** Tries one, on the file system of temporary files. */
async function jailFinding(): Promise<HostFinding> {
  const finding = {
    name: 'jails for agents and flatteners',
    required: true,
    remedy: 'Linux 5.12, user namespaces, a file system with idmapped mounts; or helpers.jail off',
  };
  const jails = new Jails({ random: systemRandom });
  if (!jails.jails) return { ...finding, present: false, detail: '', remedy: 'run as root' };
  try {
    const helper = await jails.spawn({
      name: 'doctor',
      ...{ flags: ['--eval'], main: '0', environment: {}, niceness: 0, stderr: 'inherit' },
      mounts: [{ path: tmpdir(), access: 'write' }],
      network: 'none',
      memoryBytes: limits.helpers.agentMemoryBytes,
      processes: limits.helpers.processes,
      openFiles: limits.helpers.openFiles,
      fileBytes: MIB,
    });
    helper.kill('SIGKILL');
    return { ...finding, present: true, detail: `tried in ${tmpdir()}` };
  } catch (error) {
    const { message } = toSluiceError(error);
    return { ...finding, present: false, detail: '', remedy: `${message}; ${finding.remedy}` };
  }
}

/** Tries nftables by user id. A region starts without, and says so at its first flattener that pulls. */
async function boundsFinding(): Promise<HostFinding> {
  const refusal = await HelperNetwork.tryOut().then(
    () => undefined,
    (error: unknown) => toSluiceError(error).message,
  );
  return {
    name: 'bounds of what flatteners reach',
    present: refusal === undefined,
    required: false,
    detail: 'nftables by user id',
    remedy: `${refusal ?? ''}; without, one that pulls is on the host’s network unbounded`,
  };
}

/** What `up` needs of the host, each with how to get it. */
export async function examineHost(): Promise<HostFinding[]> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return [
    {
      name: 'Node.js 22.18 or later',
      present: major > 22 || (major === 22 && minor >= 18),
      required: true,
      detail: process.version,
      remedy: 'npm ci brings Node 24 along',
    },
    {
      name: 'root',
      present: process.getuid?.() === 0,
      required: true,
      detail: 'uid 0',
      remedy: 'run as root: mounts, namespaces and cgroups need it',
    },
    fileFinding('FUSE', '/dev/fuse', 'modprobe fuse'),
    fileFinding('loop devices', '/dev/loop-control', 'modprobe loop'),
    fileSystemFinding('ext4'),
    cgroupFinding(),
    await jailFinding(),
    await boundsFinding(),
    openFilesFinding(),
    diskFinding(),
    programFinding('mount', 'mount'),
    programFinding('unshare', 'util-linux'),
    programFinding('setpriv', 'util-linux', 'up without capabilities that it does not need'),
    programFinding('mke2fs', 'e2fsprogs'),
    programFinding('ip', 'iproute2', 'up --network outbound'),
    programFinding('nft', 'nftables', 'up --network outbound'),
    programFinding('python3', 'python3', 'zip functions of python3.*'),
    await boto3Finding(),
    programFinding('curl', 'curl', 'zip functions whose bootstrap is a shell script'),
  ];
}
