/** How many invokes are looked at for work that they leave behind, unless every one must be. */
const INVOKES_LOOKED_AT = 16;
/** What keeps the event loop alive on its own account; idle connections of a pool are none. */
const work = new Set([
  'Timeout',
  'Immediate',
  'FSReqCallback',
  'FSReqPromise',
  'GetAddrInfoReqWrap',
  'TCPConnectWrap',
  'ProcessWrap',
]);

const pendingWork = () =>
  process.getActiveResourcesInfo().reduce((sum, name) => sum + (work.has(name) ? 1 : 0), 0);

/** A handler relies on what Lambda does not do. */
class NotPortable extends Error {
  constructor(message) {
    super(message);
    this.name = 'Runtime.NotPortable';
  }
}

/** Tells, once a kind, of what works here and fails on Lambda; throws instead if it is strict. */
export class Portability {
  #log;
  #isStrict;
  #told = new Set();
  #left = INVOKES_LOOKED_AT;
  #before = 0;

  constructor(log, isStrict) {
    this.#log = log;
    this.#isStrict = isStrict;
  }

  /** Throws `Runtime.NotPortable` if it is strict. */
  differs(message) {
    if (this.#isStrict) throw new NotPortable(message);
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#log.warn(`${message} (said once)`);
  }

  /** Before a handler runs: what is under way belongs to init or to an earlier invoke. */
  begin() {
    if (this.#left > 0) this.#before = pendingWork();
  }

  /** After a handler's promise has settled: what is under way goes on behind the answer. */
  end() {
    if (this.#left <= 0) return;
    if (!this.#isStrict) this.#left -= 1;
    if (pendingWork() <= this.#before) return;
    if (!this.#isStrict) this.#left = 0;
    this.differs(
      'The handler has answered, and timers or requests of it go on: Lambda freezes them until the next invoke',
    );
  }
}
