import { lstat, readdir } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { limits, SluiceError } from '../../base/mod.ts';
import type { LaunchProgram } from '../launch/program.ts';
import type { ExtensionExit, SandboxExtension, SandboxSpec } from '../types.ts';
import { EXTENSIONS_READ_FD, PROGRAMS_WRITE_FD } from './compose/common.ts';
import {
  composeEntrypoint,
  composeExtensions,
  EXTENSIONS_DIRECTORY,
  runExtensionStep,
} from './compose/extensions.ts';
import { errnoName, hostArchitecture, type Launcher, openPipe } from './launcher/launcher.ts';
import { exitOfWaitStatus } from './wait-status.ts';

interface Running extends SandboxExtension {
  readonly end: (exit: ExtensionExit) => void;
  launchError: string | undefined;
}

/** The init of a sandbox whose disk has extensions: it runs them, and then the entrypoint. */
export class ExtendedInit {
  readonly extensions: readonly SandboxExtension[];
  readonly output: Readable;
  readonly #spec: SandboxSpec;
  readonly #launcher: Launcher;
  readonly #programs: Writable;
  readonly #running: readonly Running[];

  private constructor(spec: SandboxSpec, launcher: Launcher, initPid: number, names: string[]) {
    this.#spec = spec;
    this.#launcher = launcher;
    this.#running = names.map(runningExtension);
    this.extensions = this.#running;
    this.output = openPipe(initPid, EXTENSIONS_READ_FD);
    this.#programs = openPipe(launcher.pid, PROGRAMS_WRITE_FD, 'write');
    // An init that is gone takes no program; its end is reported otherwise.
    this.#programs.on('error', () => {});
  }

  /** Of an init that waits to be told. Throws `SANDBOX_START_FAILED` if there are too many. */
  static async open(spec: SandboxSpec, launcher: Launcher, initPid: number): Promise<ExtendedInit> {
    const names = await extensionsIn(`/proc/${initPid}/root`);
    if (names.length > limits.runtime.extensions) {
      const data = { step: 'start', reasonCode: 'FunctionError.TooManyExtensions' };
      const found = `${EXTENSIONS_DIRECTORY}: ${names.length} extensions`;
      const message = `${found}, more than ${limits.runtime.extensions}; remove some`;
      throw new SluiceError('SANDBOX_START_FAILED', message, { data });
    }
    return new ExtendedInit(spec, launcher, initPid, names);
  }

  startExtensions(): void {
    const { environment, extensionEnvironment = environment, uid, gid } = this.#spec;
    const names = this.#running.map(({ name }) => name);
    const architecture = hostArchitecture();
    this.#run(
      composeExtensions({ architecture, names, environment: extensionEnvironment, uid, gid }),
    );
  }

  startEntrypoint(): void {
    this.#run(composeEntrypoint(hostArchitecture(), this.#spec, this.#running.length));
  }

  /** Whether a step that failed was the start of an extension. */
  takeFailure(step: string, errno: number): boolean {
    const refused = this.#running.find(({ name }) => runExtensionStep(name) === step);
    if (refused) refused.launchError = errnoName(errno);
    return refused !== undefined;
  }

  extensionExited(index: number, waitStatus: number): void {
    const extension = this.#running[index];
    const { exitCode, signal } = exitOfWaitStatus(waitStatus);
    extension?.end({ exitCode, signal, launchError: extension.launchError });
  }

  /** No process is left. */
  close(): void {
    this.#programs.destroy();
    for (const { end } of this.#running) end({ exitCode: null, signal: 'SIGKILL' });
  }

  #run(program: LaunchProgram): void {
    this.#launcher.expect(program);
    this.#programs.write(program.encode());
  }
}

function runningExtension(name: string): Running {
  const { promise, resolve } = Promise.withResolvers<ExtensionExit>();
  return { name, exited: promise, end: resolve, launchError: undefined };
}

/** Nothing of the image runs yet; but a link of its would lead into the host's directories. */
async function extensionsIn(root: string): Promise<string[]> {
  let path = root;
  for (const part of EXTENSIONS_DIRECTORY.split('/').slice(1)) {
    path = `${path}/${part}`;
    if (!(await lstat(path)).isDirectory()) return [];
  }
  const entries = await readdir(path, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map(({ name }) => name)
    .sort();
}
