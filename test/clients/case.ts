/** One handler, or one way to name and load it, and how Lambda's clients treat it. */
export interface ClientCase {
  readonly name: string;
  /** A handler's source, put into a process with others; or the files of a process of its own. */
  readonly handler: string | Readonly<Record<string, string>>;
  /** `_HANDLER` of a process of its own. */
  readonly entry?: string;
  readonly event?: Readonly<Record<string, unknown>>;
  /** The name of the group that a shared process runs; each is started once. */
  readonly group: string;
  /** The clients that it is for; all if absent. */
  readonly clients?: readonly string[];
  /** Where ours is meant to differ from Lambda's: what is not compared, and why. */
  readonly differs?: Difference;
}

export interface Difference {
  /** Parts of the observation that are not compared. */
  readonly parts: readonly (keyof Observation)[];
  /** The clients that differ; all if absent. */
  readonly clients?: readonly string[];
  readonly reason: string;
}

/** What a case did, with times, ids and places taken out. */
export interface Observation {
  /** `response`, `error`, `init-error`, `streamed`, `closed`, … */
  readonly outcome: string;
  /** Of a streamed response. */
  readonly contentType?: string;
  /** The response, byte by byte as text. */
  readonly body?: string;
  readonly errorType?: string;
  readonly errorMessage?: string;
  /** The frames of the function's own files, outermost last. */
  readonly frames?: readonly string[];
  /** The lines of the log. */
  readonly log: readonly string[];
  /** The process's exit status; absent if it lives on. */
  readonly exit?: number | string;
}

/** Handlers by name that share a process. */
export function sharing(
  group: string,
  handlers: Readonly<Record<string, string>>,
  differences: Readonly<Record<string, Difference>> = {},
): ClientCase[] {
  return Object.entries(handlers).map(([name, handler]) => ({
    name,
    handler,
    group,
    ...(differences[name] ? { differs: differences[name] } : {}),
  }));
}

/** A process of its own: an entry, and the files that it finds. */
export function alone(
  name: string,
  entry: string,
  handler: Readonly<Record<string, string>>,
  differs?: Difference,
): ClientCase {
  return { name, entry, handler, group: name, ...(differs ? { differs } : {}) };
}
