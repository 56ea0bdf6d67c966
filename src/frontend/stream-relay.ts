import type { InvokeCall, InvokeOutcome, Invoker, ResponseSink } from '../dispatch/mod.ts';

export type StreamWriter = (chunk: Buffer) => Promise<void> | undefined;

/**
 * Holds a streamed response until somebody has decided, from its beginning, how to send it. What
 * arrives before `attach` waits, and so does the function.
 */
class StreamRelay implements ResponseSink {
  readonly begun: Promise<string>;
  #begin: (contentType: string) => void = () => {};
  readonly #attached: Promise<StreamWriter>;
  #attach: (writer: StreamWriter) => void = () => {};
  #writer: StreamWriter | undefined;

  constructor() {
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.#attached = new Promise((resolve) => {
      this.#attach = resolve;
    });
  }

  begin(contentType: string): void {
    this.#begin(contentType);
  }

  write(chunk: Buffer): Promise<void> | undefined {
    if (this.#writer) return this.#writer(chunk);
    return this.#attached.then((writer) => writer(chunk));
  }

  attach(writer: StreamWriter): void {
    this.#writer = writer;
    this.#attach(writer);
  }
}

/** An invoke whose response has begun, or that ended without one. */
export interface StreamingInvoke {
  /** Undefined when the function did not stream: then all of it is in the outcome. */
  readonly contentType: string | undefined;
  /** Sends the response on; resolves with the outcome when the function is done. */
  forward(writer: StreamWriter): Promise<InvokeOutcome>;
}

/** Resolves when the response begins; rejects when the invoke fails before it does. */
export async function invokeStreaming(
  invoker: Invoker,
  prepare: (sink: ResponseSink) => Promise<InvokeCall>,
): Promise<StreamingInvoke> {
  const relay = new StreamRelay();
  const outcome = invoker.invoke(await prepare(relay));
  const contentType = await Promise.race([relay.begun, outcome.then(() => undefined)]);
  return {
    contentType,
    forward(writer) {
      relay.attach(writer);
      return outcome;
    },
  };
}
