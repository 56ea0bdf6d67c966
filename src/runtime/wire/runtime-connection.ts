import type { Socket } from 'node:net';
import { limits, type WorkBudget } from '../../base/mod.ts';
import { type HeadRefusal, parseCallHead } from './call-head.ts';
import { answerHead, RuntimeCall } from './runtime-call.ts';

const { headBytes, bodyPartUnits, pipelinedUnits } = limits.runtime;
const HEAD_END = Buffer.from('\r\n\r\n');
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const nothing = Buffer.alloc(0);
const [CR, LF] = [0x0d, 0x0a];
/** Some clients send a line end more behind a body (RFC 9112 section 2.2); none sends many. */
const LINE_END_BYTES_MAX = 4;

/**
 * A sandbox's end of an HTTP/1.1 connection: one request at a time. Who sends the next before the
 * answer is broken off and pays for it, so that what a connection makes us hold is one request.
 */
export class RuntimeConnection {
  readonly #socket: Socket;
  readonly #budget: WorkBudget;
  readonly #onCall: (call: RuntimeCall) => void;
  /** What has come and is not read yet, from `#at` on. */
  #received: Buffer = nothing;
  #at = 0;
  #call: RuntimeCall | undefined;
  #moving = false;
  /** Of the line ends since the last head. */
  #lineEndBytes = 0;
  /** Nothing more that comes is read. */
  #over = false;

  constructor(socket: Socket, budget: WorkBudget, onCall: (call: RuntimeCall) => void) {
    this.#socket = socket;
    this.#budget = budget;
    this.#onCall = onCall;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#call?.gone());
  }

  get #leftBytes(): number {
    return this.#received.length - this.#at;
  }

  #receive(bytes: Buffer): void {
    this.#received =
      this.#leftBytes === 0 ? bytes : Buffer.concat([this.#received.subarray(this.#at), bytes]);
    this.#at = 0;
    this.#move();
  }

  /** Takes what has come as far as it can be taken now. */
  #move(): void {
    // Whoever receives a body may ask for more of it or answer in the midst of it.
    if (this.#moving) return;
    this.#moving = true;
    try {
      while (!this.#over && (this.#call ? this.#continue(this.#call) : this.#begin()));
    } finally {
      this.#moving = false;
    }
  }

  /** Reads the next head, if it is there; false when there is nothing more to do. */
  #begin(): boolean {
    if (!this.#skipLineEnds()) return this.#refuse(400);
    if (this.#leftBytes === 0) {
      this.#received = nothing;
      this.#at = 0;
      return false;
    }
    // The last answer is not out.
    if (this.#socket.writableLength > 0 && this.#isAhead()) return false;
    const end = this.#received.indexOf(HEAD_END, this.#at);
    if ((end < 0 ? this.#received.length : end) - this.#at > headBytes) return this.#refuse(431);
    if (end < 0) return this.#waitForHead();
    const head = parseCallHead(this.#received.toString('latin1', this.#at, end));
    if (typeof head === 'number') return this.#refuse(head);
    this.#at = end + HEAD_END.length;
    this.#lineEndBytes = 0;
    const call = new RuntimeCall(head, this.#socket, () => this.#move());
    this.#call = call;
    if (call.isWhole && this.#isAhead()) return false;
    if (head.waitsForContinue) this.#socket.write(CONTINUE, 'latin1');
    this.#onCall(call);
    return true;
  }

  /** A head that comes in small pieces costs what a body in such pieces does. */
  #waitForHead(): boolean {
    const budget = this.#budget;
    budget.spend(bodyPartUnits);
    if (budget.isSpent) {
      this.#socket.pause();
      budget.whenLeft(() => this.#socket.resume());
    }
    return false;
  }

  /** Goes on with a call: its body, its end; false when there is nothing more to do. */
  #continue(call: RuntimeCall): boolean {
    if (!call.isWhole || call.isReading) {
      this.#at = call.take(this.#received, this.#at);
      if (call.isBroken) return this.#refuse(400);
    }
    if (!call.isWhole) return this.#waitForBody(call);
    if (this.#socket.isPaused()) this.#socket.resume();
    if (!call.isAnswered) {
      this.#isAhead();
      return false;
    }
    if (call.closes) {
      this.#end();
      return false;
    }
    this.#call = undefined;
    return true;
  }

  #waitForBody(call: RuntimeCall): boolean {
    if (call.isReading) this.#socket.resume();
    // Nobody has asked for it yet: it waits in the kernel.
    else if (this.#leftBytes > 0) this.#socket.pause();
    return false;
  }

  /** Breaks off a client that has sent more before its answer. */
  #isAhead(): boolean {
    if (this.#skipLineEnds() && this.#leftBytes === 0) return false;
    this.#budget.spend(pipelinedUnits);
    this.#over = true;
    this.#socket.destroy();
    return true;
  }

  /** Takes the line ends between two requests; false when there are more than any client sends. */
  #skipLineEnds(): boolean {
    const from = this.#at;
    while (this.#received[this.#at] === CR || this.#received[this.#at] === LF) this.#at++;
    this.#lineEndBytes += this.#at - from;
    return this.#lineEndBytes <= LINE_END_BYTES_MAX;
  }

  /** Answers what is no request, and ends the connection. */
  #refuse(status: HeadRefusal | 431): false {
    if (!this.#call?.isAnswered) {
      this.#socket.write(`${answerHead(status, '', 0)}Connection: close\r\n\r\n`, 'latin1');
    }
    this.#end();
    this.#call?.gone();
    return false;
  }

  /** Ends the connection when what was answered is out. */
  #end(): void {
    this.#over = true;
    this.#received = nothing;
    this.#at = 0;
    this.#socket.destroySoon();
  }
}
