import type { InitializationType } from '../assignment/mod.ts';
import { formatBytes, limits, SluiceError } from '../base/mod.ts';
import { imageFault } from './image-fault.ts';

/** A directory of the host that a sandbox has to itself, read and write. */
export interface HostMount {
  /** On the host. */
  readonly directory: string;
  /** In the sandbox: `/mnt/NAME`. */
  readonly path: string;
}

/**
 * What a sandbox is made of, the same for every sandbox of one function version. All of it may be
 * captured, restored and forked from, so nothing in it may belong to one sandbox alone; that is
 * what {@link SandboxIdentity} is for.
 */
export interface SandboxShape {
  /** The file that holds the ext4 disk; may be a FUSE file under `/proc/PID/root/`. */
  readonly diskPath: string;
  /** The program and its arguments; a name without a slash is sought on the environment's PATH. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Names of the environment that the programs in `/opt/extensions` do not find. */
  readonly runtimeOnlyVariables: readonly string[];
  readonly workingDirectory: string;
  /** Memory of all processes together, without swap; more ends in the out-of-memory killer. */
  readonly memoryBytes: number;
  /** Thousandths of a CPU. */
  readonly cpuMillis: number;
  /** Size of the writable `/tmp`. */
  readonly tmpBytes: number;
  /** Processes and threads at once. */
  readonly processes: number;
  /** RLIMIT_NOFILE of each process. */
  readonly openFiles: number;
  readonly hostMounts?: readonly HostMount[];
}

/** What tells one sandbox from another of the same shape; given to it when it comes to life. */
export interface SandboxIdentity {
  /** Names the sandbox in logs and errors: `[a-z0-9-]{1,64}`, unique within the worker. */
  readonly sandboxId: string;
  readonly logStream: string;
  readonly initializationType: InitializationType;
  /** Variables with the keys that it signs requests with; empty without. */
  readonly credentials: Readonly<Record<string, string>>;
  /** When it has to run, by the clock's monotonic milliseconds; a start that takes longer fails. */
  readonly deadlineMs: number;
}

export interface SandboxSpec {
  readonly shape: SandboxShape;
  readonly identity: SandboxIdentity;
}

const LOG_STREAM_VARIABLE = 'AWS_LAMBDA_LOG_STREAM_NAME';

/** What the entrypoint finds: the shape's variables, and those of its identity (contract 2.8). */
export function sandboxEnvironment({ shape, identity }: SandboxSpec): Record<string, string> {
  return {
    ...shape.environment,
    AWS_LAMBDA_INITIALIZATION_TYPE: identity.initializationType,
    [LOG_STREAM_VARIABLE]: identity.logStream,
    ...identity.credentials,
  };
}

/** What the programs in `/opt/extensions` find. */
export function extensionEnvironmentOf(spec: SandboxSpec): Record<string, string> {
  const withheld = new Set([...spec.shape.runtimeOnlyVariables, LOG_STREAM_VARIABLE]);
  const variables = Object.entries(sandboxEnvironment(spec));
  return Object.fromEntries(variables.filter(([name]) => !withheld.has(name)));
}

type IntegerOfShape = {
  [K in keyof SandboxShape]-?: SandboxShape[K] extends number ? K : never;
}[keyof SandboxShape];

/**
 * Throws `USAGE` for a spec that no sandbox can be started from, and `SANDBOX_START_FAILED` with a
 * reason code where the fault is the image's.
 */
export function checkSpec(spec: SandboxSpec): void {
  const { shape, identity } = spec;
  const refuse = (what: string): never => {
    throw new SluiceError('USAGE', `sandbox ${JSON.stringify(identity.sandboxId)}: ${what}`);
  };
  const checkInteger = (name: IntegerOfShape, least: number, most: number) => {
    const value = shape[name];
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      refuse(`${name} is ${value}, which is no integer from ${least} to ${most}`);
    }
  };
  if (!/^[a-z0-9-]{1,64}$/.test(identity.sandboxId))
    refuse('its id is not 1 to 64 of a-z, 0-9 and -');
  if (!Number.isFinite(identity.deadlineMs)) refuse('its deadline is no moment');
  checkInteger('memoryBytes', 1, Number.MAX_SAFE_INTEGER);
  checkInteger('cpuMillis', 1, 1_000_000);
  checkInteger('tmpBytes', 4096, Number.MAX_SAFE_INTEGER);
  checkInteger('processes', 1, 1_000_000);
  checkInteger('openFiles', 3, 1_048_576);
  for (const { path, directory } of shape.hostMounts ?? []) {
    const isName = /^\/mnt\/[A-Za-z0-9_.-]+$/.test(path) && !/\/\.\.?$/.test(path);
    if (!isName || !directory.startsWith('/')) refuse(`${path} is no place for a file system`);
  }
  checkImage(spec);
}

/** What the image, or the function's configuration over it, says. */
function checkImage(spec: SandboxSpec): void {
  const { argv, workingDirectory } = spec.shape;
  const step = { sandboxId: spec.identity.sandboxId, step: 'read the configuration' };
  const environment = Object.entries(sandboxEnvironment(spec));
  if (!argv[0]) {
    const message = 'entrypoint: there is none; set ENTRYPOINT or CMD in the image';
    throw imageFault('FunctionError.InvalidEntryPoint', message, step);
  }
  const texts = [...argv, ...environment.flat()];
  if (texts.some((each) => each.includes('\0'))) {
    const message = 'entrypoint: an argument or variable has a zero byte';
    throw imageFault('FunctionError.InvalidEntryPoint', message, step);
  }
  const sizeBytes = texts.reduce((sum, each) => sum + Buffer.byteLength(each), 0);
  if (sizeBytes > limits.sandbox.argumentBytes) {
    const most = formatBytes(limits.sandbox.argumentBytes);
    const message = `entrypoint: arguments and environment are longer than ${most}`;
    throw imageFault('FunctionError.InvalidEntryPoint', message, step);
  }
  if (!workingDirectory.startsWith('/')) {
    const shown = JSON.stringify(workingDirectory);
    const message = `working directory ${shown}: is not absolute; set WORKDIR in the image to a path that begins with /`;
    throw imageFault('FunctionError.InvalidWorkingDirectory', message, step);
  }
  const unnamed = environment.find(([name]) => name === '' || name.includes('='));
  if (unnamed) {
    const shown = JSON.stringify(unnamed.join('='));
    const message = `environment: ${shown} names no variable; remove it from the image`;
    throw imageFault('FunctionError.InvalidEnvironment', message, step);
  }
}
