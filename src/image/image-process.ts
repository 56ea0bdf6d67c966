import { limits, SluiceError } from '../base/mod.ts';
import type { ImageConfig } from '../oci/mod.ts';

/** What an image says of how to run it, in a form that can be run. */
export interface ImageProcess {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** `NAME=value`, each with a name. */
  readonly environment: readonly string[];
  /** Absolute. */
  readonly workingDirectory: string;
  readonly user: string;
}

/** Linux's `MAX_ARG_STRLEN`: one word of a program's arguments or environment, with its NUL. */
const WORD_BYTES_MAX = 128 * 1024;

/**
 * The process of a configuration. What Docker mends is mended, and said in `warnings`; words that no
 * program can be started with are `IMAGE_MALFORMED`. `where` names the image.
 */
export function imageProcess(
  config: ImageConfig,
  where: string,
): { process: ImageProcess; warnings: readonly string[] } {
  const { entrypoint = [], cmd = [], env, workingDir = '', user = '' } = config;
  const warnings: string[] = [];
  checkWords(where, 'Entrypoint and Cmd', [...entrypoint, ...cmd]);
  checkWords(where, 'Env', env);
  checkWords(where, 'WorkingDir', [workingDir]);
  const environment = env.filter((each) => each.indexOf('=') > 0);
  if (environment.length < env.length) {
    const count = env.length - environment.length;
    warnings.push(`config: ${count} of Env is not NAME=value and was left out`);
  }
  if (!(entrypoint[0] ?? cmd[0])) {
    warnings.push('config: no ENTRYPOINT and no CMD; a function of it must name what to run');
  }
  if (workingDir !== '' && !workingDir.startsWith('/')) {
    warnings.push(`config: WorkingDir ${JSON.stringify(workingDir)} is taken from /`);
  }
  const workingDirectory = workingDir.startsWith('/') ? workingDir : `/${workingDir}`;
  return {
    process: { entrypoint, command: cmd, environment, workingDirectory, user },
    warnings,
  };
}

function checkWords(where: string, field: string, words: readonly string[]): void {
  const refuse = (what: string): never => {
    throw new SluiceError('IMAGE_MALFORMED', `${where}: config: ${field} ${what}`, {
      data: { field },
    });
  };
  let total = 0;
  for (const word of words) {
    const bytes = Buffer.byteLength(word) + 1;
    if (word.includes('\0')) refuse('has a NUL byte, which no program can be given');
    if (bytes > WORD_BYTES_MAX) refuse(`has a word of more than ${WORD_BYTES_MAX - 1} bytes`);
    total += bytes;
  }
  if (total > limits.image.processBytes) {
    refuse(`has more than ${limits.image.processBytes} bytes, which no program can be given`);
  }
}
