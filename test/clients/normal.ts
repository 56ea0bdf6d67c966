import type { Observation } from './case.ts';
import type { Ended } from './driver.ts';

const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?/g;
/** Where a client says from where it looked for a module: its own place. */
const requireStack = /(\\n|\n)Require stack:[^"]*/g;
/** Wherever AWS's own client lies on this host. */
const clientPlace = /(file:\/\/)?\/[^\s"'()]*\/aws-lambda-ric[^/\s"']*\/index\.mjs/g;
/** Ours says at init if the host has another version than the function names. */
const otherVersion = /^.*The function is of \S+ and runs on .*\n/gm;
/** What Node prints of its own when it dies. */
const crash = /^node:internal\/[\s\S]*/m;
const isOwn = (frame: string) => frame.includes('ROOT') && !frame.includes('ROOT/dispatch');
const nodeFrame = /,"\s+at [^"]*"/g;

/** Takes out of what a client did whatever differs from run to run and from place to place. */
export class Normal {
  readonly #root: string;
  readonly #requestId: string;

  constructor(root: string, requestId: string) {
    this.#root = root;
    this.#requestId = requestId;
  }

  #text(text: string): string {
    return text
      .replaceAll(`file://${this.#root}`, 'ROOT')
      .replaceAll(this.#root, 'ROOT')
      .replaceAll(this.#requestId, 'ID')
      .replaceAll(requireStack, '')
      .replaceAll(clientPlace, 'CLIENT/index.mjs');
  }

  log(output: string): string[] {
    return output
      .replace(crash, '')
      .replace(otherVersion, '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) =>
        this.#text(line)
          .replaceAll(time, 'TIME')
          .replace(/File \\?"[^"]*\/(\w+\/)?bootstrap\.py\\?", line \d+/g, 'File "CLIENT"')
          .replace(/^(TIME\t.*\(node:)\d+/, '$1PID')
          .replaceAll(nodeFrame, (frame) => (isOwn(frame) ? frame : '')),
      );
  }

  ending({ outcome, contentType, body, error, exit }: Ended): Omit<Observation, 'log'> {
    const ended = {
      outcome,
      ...(contentType ? { contentType } : {}),
      ...(body && body.length > 0 ? { body: this.#text(body.toString()) } : {}),
      ...(exit === undefined ? {} : { exit }),
    };
    return error ? { ...ended, ...this.#error(error) } : ended;
  }

  /** The parts of a posted error; its frames only as far as they are the function's own. */
  #error(posted: Buffer): Partial<Observation> {
    const body = JSON.parse(posted.toString()) as Record<string, unknown>;
    const text = (value: unknown) => this.#text(String(value)).replaceAll(time, 'TIME');
    const trace = body['trace'] ?? body['stackTrace'];
    const frames = (Array.isArray(trace) ? trace : []).map(text).filter((line) => {
      return isOwn(line) && /^\s+(at|File) /.test(line);
    });
    return {
      errorType: text(body['errorType']),
      errorMessage: text(body['errorMessage']),
      ...(frames.length > 0 ? { frames } : {}),
    };
  }
}
