import { type ClientCase, sharing } from '../case.ts';

/** What handlers give back, and what becomes of it as JSON. */
const given: Readonly<Record<string, string>> = {
  object: 'async () => ({ a: 1, é: "ü", nested: { list: [1, null, undefined, true] } })',
  nothing: 'async () => {}',
  null: 'async () => null',
  text: 'async () => "text"',
  emptyText: 'async () => ""',
  number: 'async () => 1.50',
  zero: 'async () => -0',
  notANumber: 'async () => NaN',
  infinite: 'async () => [Infinity, -Infinity]',
  largeNumber: 'async () => 12345678901234567890',
  true: 'async () => true',
  false: 'async () => false',
  array: 'async () => [1, , "two"]',
  undefinedMember: 'async () => ({ a: undefined, b: () => 1, c: Symbol("c"), d: 1 })',
  date: 'async () => new Date(0)',
  invalidDate: 'async () => ({ at: new Date(NaN) })',
  map: 'async () => new Map([[1, 2]])',
  set: 'async () => new Set([1])',
  buffer: 'async () => Buffer.from("hi")',
  bytes: 'async () => new Uint8Array([1, 2])',
  regularExpression: 'async () => /x/',
  error: 'async () => Object.assign(new Error("given"), { code: 7 })',
  boxed: 'async () => [new String("s"), new Number(1), new Boolean(false)]',
  toJson: 'async () => ({ toJSON: () => ({ from: "toJSON" }) })',
  toJsonNothing: 'async () => ({ toJSON() {} })',
  toJsonThrows: 'async () => ({ toJSON() { throw new RangeError("not me"); } })',
  getter: 'async () => ({ get a() { return 2; } })',
  getterThrows: 'async () => ({ get a() { throw new RangeError("not me"); } })',
  bigInt: 'async () => 1n',
  circular: 'async () => { const a = {}; a.a = a; return a; }',
  function: 'async () => () => 1',
  symbol: 'async () => Symbol("s")',
  surrogate: 'async () => "\\ud800 \\u2028 \\u0000 😀"',
  inherited: 'async () => Object.create({ a: 1 }, { b: { value: 2, enumerable: true } })',
  nestedPromise: 'async () => ({ later: Promise.resolve(1) })',
  promise: '() => Promise.resolve({ promised: true })',
  promiseOfPromise: 'async () => Promise.resolve(Promise.resolve(3))',
  thenable: '() => ({ then: (resolve) => resolve("then") })',
  thenableRejects: '() => ({ then: (_resolve, reject) => reject(new TypeError("then not")) })',
  thenNoFunction: 'async () => ({ then: 1, other: 2 })',
  later: 'async () => { await new Promise((done) => setTimeout(done, 5)); return "later"; }',
  large: 'async () => "x".repeat(300000).length + "y".repeat(10)',
  generator: 'async () => { function* g() { yield 1; } return [...g()]; }',
  event: 'async (event) => event',
  eventFrozen: 'async (event) => Object.isFrozen(event)',
  arguments: 'async function () { return [...arguments].map((each) => typeof each); }',
  thisValue:
    'async function () { return this === undefined || this === globalThis || typeof this; }',
};

/** What handlers throw, and in which form the caller hears of it. */
const thrown: Readonly<Record<string, string>> = {
  throws: 'async () => { throw new Error("bad"); }',
  throwsNow: '() => { throw new Error("now"); }',
  rejects: '() => Promise.reject(new TypeError("no"))',
  throwsLater: 'async () => { await null; throw new RangeError("later"); }',
  throwsEmpty: 'async () => { throw new Error(); }',
  throwsLines: 'async () => { throw new Error("one\\ntwo\\ttabbed"); }',
  throwsDelete: 'async () => { throw new Error("a\\x7fb"); }',
  throwsClass: 'async () => { class Own extends Error {} throw new Own("own"); }',
  throwsNamed: 'async () => { class Own extends Error { name = "Chosen"; } throw new Own("own"); }',
  throwsCode: 'async () => { throw Object.assign(new Error("coded"), { code: "E7", more: [1] }); }',
  throwsCause: 'async () => { throw new Error("outer", { cause: new TypeError("inner") }); }',
  throwsAggregate: 'async () => { throw new AggregateError([new Error("a")], "many"); }',
  throwsSystem: 'async () => require("node:fs").readFileSync("/nowhere/at/all")',
  throwsAssertion: 'async () => require("node:assert").equal(1, 2, "unequal")',
  throwsText: 'async () => { throw "text"; }',
  throwsTextNow: '() => { throw "text now"; }',
  throwsNumber: 'async () => { throw 42; }',
  throwsNothing: 'async () => { throw undefined; }',
  throwsNull: 'async () => { throw null; }',
  throwsFalse: 'async () => { throw false; }',
  throwsBigInt: 'async () => { throw 9n; }',
  throwsSymbol: 'async () => { throw Symbol("thrown"); }',
  throwsObject: 'async () => { throw { some: "thing" }; }',
  throwsArray: 'async () => { throw [1, 2]; }',
  throwsFunction: 'async () => { throw function named() {}; }',
  throwsBare: 'async () => { throw Object.create(null); }',
  throwsLookalike:
    'async () => { throw { name: "Like", message: "an error", stack: "Like\\n    at x" }; }',
  throwsOtherRealm:
    'async () => require("node:vm").runInNewContext("throw new RangeError(\'far\')")',
  throwsUnnamed: 'async () => { throw Object.assign(new Error("x"), { name: undefined }); }',
  throwsOddName: 'async () => { throw Object.assign(new Error("x"), { name: 7 }); }',
  throwsCircular: 'async () => { const e = new Error("round"); e.self = e; throw e; }',
  throwsGetter:
    'async () => { const e = new Error("x"); Object.defineProperty(e, "message", { get() { throw 1; } }); throw e; }',
  throwsDeep: 'async () => { const f = () => f(); f(); }',
  throwsJson: 'async () => JSON.parse("{")',
  throwsReference: 'async () => nowhere.at.all',
};

const ownRealm = {
  parts: ['outcome', 'errorType', 'errorMessage', 'frames', 'log'],
  clients: ['nodejs24'],
  reason: 'an error of another realm, or what looks like one, is told as one by every version',
} as const;
const noJson = {
  parts: ['errorMessage', 'frames', 'log'],
  reason: 'the message says what has no JSON; Lambda’s is that of its native part',
} as const;
const unreadable = {
  parts: ['outcome', 'errorType', 'errorMessage', 'log'],
  reason: 'the words are ours, and what cannot be told as text is no error of ours',
} as const;

export const results: readonly ClientCase[] = [
  ...sharing('results', given, { function: noJson, symbol: noJson, toJsonNothing: noJson }),
  ...sharing('failures', thrown, {
    throwsOtherRealm: ownRealm,
    throwsLookalike: ownRealm,
    throwsOddName: unreadable,
    throwsGetter: unreadable,
    throwsBare: unreadable,
    throwsSymbol: unreadable,
    throwsCircular: {
      parts: ['log'],
      reason: 'the stack has one name whatever else an error holds',
    },
  }),
];
