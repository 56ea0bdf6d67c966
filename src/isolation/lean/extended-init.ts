import { lstat, readdir } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { limits, SluiceError } from '../../base/mod.ts';
import type { LaunchProgram } from '../launch/program.ts';
import type { ExtensionExit } from '../provider.ts';
import { extensionEnvironmentOf, type SandboxSpec, sandboxEnvironment } from '../spec.ts';
import { EXTENSIONS_READ_FD, PROGRAMS_WRITE_FD } from './compose/common.ts';
import {
  composeEntrypoint,
  composeExtensions,
  EXTENSIONS_DIRECTORY,
  runExtensionStep,
} from './compose/extensions.ts';
import type { PrivilegeOptions } from './compose/privileges.ts';
import { errnoName, hostArchitecture, type Launcher, openPipe } from './launcher/launcher.ts';
import { exitOfWaitStatus } from './wait-status.ts';

interface Running {
  /** Its file's name. */
  readonly name: string;
  launchError?: string;
  ended: boolean;
}

export interface ExtendedInitParts {
  readonly spec: SandboxSpec;
  readonly privileges: PrivilegeOptions;
  readonly launcher: Launcher;
  readonly initPid: number;
  /** Called once for each extension. */
  readonly onExit: (name: string, exit: ExtensionExit) => void;
}

/** The init of a sandbox whose disk has extensions: it runs them, and then the entrypoint. */
export class ExtendedInit {
  readonly names: readonly string[];
  readonly output: Readable;
  readonly #parts: ExtendedInitParts;
  readonly #programs: Writable;
  readonly #running: readonly Running[];

  private constructor(parts: ExtendedInitParts, names: readonly string[]) {
    const { launcher, initPid } = parts;
    this.#parts = parts;
    this.names = names;
    this.#running = names.map((name) => ({ name, ended: false }));
    this.output = openPipe(initPid, EXTENSIONS_READ_FD);
    this.#programs = openPipe(launcher.pid, PROGRAMS_WRITE_FD, 'write');
    // An init that is gone takes no program; its end is reported otherwise.
    this.#programs.on('error', () => {});
  }

  /** Of an init that waits to be told. Throws `SANDBOX_START_FAILED` if there are too many. */
  static async open(parts: ExtendedInitParts): Promise<ExtendedInit> {
    const names = await extensionsIn(`/proc/${parts.initPid}/root`);
    if (names.length > limits.runtime.extensions) {
      const data = { step: 'start', reasonCode: 'FunctionError.TooManyExtensions' };
      const found = `${EXTENSIONS_DIRECTORY}: ${names.length} extensions`;
      const message = `${found}, more than ${limits.runtime.extensions}; remove some`;
      throw new SluiceError('SANDBOX_START_FAILED', message, { data });
    }
    return new ExtendedInit(parts, names);
  }

  startExtensions(): void {
    const { spec, privileges } = this.#parts;
    const environment = extensionEnvironmentOf(spec);
    const architecture = hostArchitecture();
    this.#run(composeExtensions({ architecture, names: this.names, environment, ...privileges }));
  }

  startEntrypoint(): void {
    const { spec } = this.#parts;
    const { argv, workingDirectory } = spec.shape;
    const entrypoint = { argv, workingDirectory, environment: sandboxEnvironment(spec) };
    this.#run(composeEntrypoint(hostArchitecture(), entrypoint, this.names.length));
  }

  /** Whether a step that failed was the start of an extension. */
  takeFailure(step: string, errno: number): boolean {
    const refused = this.#running.find(({ name }) => runExtensionStep(name) === step);
    if (refused) refused.launchError = errnoName(errno);
    return refused !== undefined;
  }

  extensionExited(index: number, waitStatus: number): void {
    const extension = this.#running[index];
    if (extension) this.#end(extension, exitOfWaitStatus(waitStatus));
  }

  /** No process is left. */
  close(): void {
    this.#programs.destroy();
    for (const each of this.#running) this.#end(each, { exitCode: null, signal: 'SIGKILL' });
  }

  #end(extension: Running, { exitCode, signal }: ExtensionExit): void {
    if (extension.ended) return;
    extension.ended = true;
    const { name, launchError } = extension;
    this.#parts.onExit(name, { exitCode, signal, ...(launchError && { launchError }) });
  }

  #run(program: LaunchProgram): void {
    this.#parts.launcher.expect(program);
    this.#programs.write(program.encode());
  }
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
