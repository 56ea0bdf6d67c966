import { type ClientCase, sharing } from '../case.ts';

/** Bodies of handlers; what they give back, and what becomes of it as JSON. */
const given: Readonly<Record<string, string>> = {
  nothing: 'pass',
  none: 'return None',
  text: 'return "text"',
  emptyText: 'return ""',
  accents: 'return "é ü 😀"',
  separators: 'return "\\u2028\\u2029"',
  controls: 'return "\\x00\\x1f\\x7f\\"\\\\/"',
  integer: 'return 7',
  largeInteger: 'return 12345678901234567890123',
  float: 'return 1.50',
  floats: 'return [0.1, 1e100, -0.0, 1e-7, 3.0]',
  notANumber: 'return float("nan")',
  infinite: 'return [float("inf"), float("-inf")]',
  true: 'return [True, False]',
  list: 'return [1, "two", None, [3]]',
  tuple: 'return (1, (2, "three"))',
  dict: 'return {"a": 1, "b": {"c": [2]}}',
  keys: 'return {1: "i", 2.5: "f", True: "t", None: "n", "s": "s"}',
  tupleKey: 'return {(1, 2): 3}',
  bytesKey: 'return {b"k": 1}',
  decimalKey: 'return {Decimal("1.5"): 1}',
  order: 'return {"z": 1, "a": 2, "m": 3}',
  orderedDict: 'return collections.OrderedDict([("z", 1), ("a", 2)])',
  defaultDict: 'return collections.defaultdict(list, {"a": [1]})',
  counter: 'return collections.Counter("aab")',
  namedTuple: 'return Point(1, 2)',
  namedTuples: 'return {"points": [Point(1, Point(2, 3))], "plain": (4, 5)}',
  typedTuple: 'return Typed("x", 3)',
  asDict: 'return AsDict()',
  decimal: 'return Decimal("5")',
  decimals:
    'return [Decimal("12345678901234567890.123"), Decimal("0.10"), Decimal("-3"), Decimal("1E+30"), Decimal("1.50")]',
  decimalDeep: 'return {"Item": {"price": Decimal("9.99"), "n": [Decimal("1")]}}',
  decimalNan: 'return [Decimal("NaN"), Decimal("sNaN"), Decimal("-NaN")]',
  decimalInfinity: 'return [Decimal("Infinity"), Decimal("-Infinity")]',
  decimalInTuple: 'return Point(Decimal("0.1"), b"bytes")',
  decimalText: 'return ["Decimal", "5", Decimal("5")]',
  bytes: 'return b"raw bytes"',
  bytesJson: 'return b\'{"already": "json"}\'',
  bytesBinary: 'return bytes([104, 105, 0])',
  bytesInside: 'return {"a": b"inside", "b": [b"list"]}',
  bytesInvalid: 'return [b"\\xff"]',
  byteArray: 'return bytearray(b"x")',
  memoryView: 'return [memoryview(b"x")]',
  set: 'return {1, 2}',
  object: 'return object()',
  function: 'return handler',
  generator: 'return (n for n in [1])',
  coroutine: 'async def later(): pass\nc = later()\nc.close()\nreturn c',
  date: 'return datetime.datetime(2020, 1, 1)',
  uuid: 'return [uuid.UUID(int=1)]',
  complex: 'return 1j',
  range: 'return range(3)',
  exception: 'return ValueError("given")',
  enum: 'return Plain.ONE',
  intEnum: 'return Number.TWO',
  textEnum: 'return [Text.THREE, {Text.THREE: 1}]',
  intSubclass: 'return [MyInt(3), MyText("t"), MyFloat(2.5), MyList([1]), MyDict(a=1)]',
  dataclass: 'return Data(1)',
  dictItems: 'return {"a": 1}.items()',
  dictKeys: 'return list({"a": 1}.keys())',
  circular: 'a = []\na.append(a)\nreturn a',
  circularDict: 'a = {}\na["a"] = a\nreturn a',
  deep: 'a = []\nfor _ in range(100): a = [a]\nreturn a',
  large: 'return ["x" * 1000] * 300',
  event: 'return event',
  eventTypes: 'return [type(each).__name__ for each in event["values"]]',
  statusCode: 'return {"statusCode": 200, "body": json.dumps({"ok": True}), "headers": {"a": "b"}}',
};

/** What handlers raise, and in which form the caller hears of it. */
const raised: Readonly<Record<string, string>> = {
  raises: 'raise ValueError("bad")',
  raisesEmpty: 'raise ValueError()',
  raisesLines: 'raise ValueError("one\\ntwo\\ttabbed")',
  raisesBlank: 'raise ValueError("  led by blanks")',
  raisesArguments: 'raise ValueError("a", 2)',
  raisesKey: 'return {}["missing"]',
  raisesIndex: 'return [][1]',
  raisesName: 'return nowhere',
  raisesType: 'return "a" + 1',
  raisesZero: 'return 1 / 0',
  raisesAttribute: 'return None.nothing',
  raisesAssert: 'assert 1 == 2, "unequal"',
  raisesAssertPlain: 'assert 1 == 2',
  raisesOwn: 'raise Own("own")',
  raisesOwnText: 'raise Texted(5)',
  raisesNested: 'raise Outer.Inner("inside")',
  raisesFrom:
    'try:\n  1 / 0\nexcept ZeroDivisionError as error:\n  raise ValueError("outer") from error',
  raisesDuring: 'try:\n  1 / 0\nexcept ZeroDivisionError:\n  raise ValueError("during")',
  raisesDeep: 'def again(): again()\nagain()',
  raisesThrough: 'def one(): two()\ndef two(): raise OSError(2, "gone", "file")\none()',
  raisesFile: 'open("/nowhere/at/all")',
  raisesJson: 'json.loads("{")',
  raisesImport: 'import nil_module',
  raisesUnicode: 'raise ValueError("é 😀")',
  raisesStop: 'next(iter([]))',
  raisesNotImplemented: 'raise NotImplementedError',
  raisesTimeout: 'raise TimeoutError("slow")',
  raisesGroup: 'raise ExceptionGroup("many", [ValueError(1), TypeError(2)])',
  raisesLambda: 'return (lambda: 1 / 0)()',
  raisesMultiline: 'raise ValueError(\n  "spread",\n)',
};

const prefix = `import collections, dataclasses, datetime, enum, json, logging, os, sys, uuid
from decimal import Decimal
from typing import NamedTuple
Point = collections.namedtuple("Point", "x y")
class Typed(NamedTuple):
    name: str
    count: int
class AsDict:
    def _asdict(self): return {"as": "dict"}
class Plain(enum.Enum):
    ONE = 1
class Number(enum.IntEnum):
    TWO = 2
class Text(str, enum.Enum):
    THREE = "three"
class MyInt(int): pass
class MyText(str): pass
class MyFloat(float): pass
class MyList(list): pass
class MyDict(dict): pass
@dataclasses.dataclass
class Data:
    n: int
class Own(Exception): pass
class Texted(Exception):
    def __str__(self): return "said"
class Outer:
    class Inner(Exception): pass
logger = logging.getLogger("named")
handlers = {}
`;

/** The source of a process that runs the handlers of a group by the event's `case`. */
export function sharedPython(cases: readonly ClientCase[]): string {
  const defined = cases.map(({ name, handler }, at) => {
    const body = String(handler).replaceAll('\n', '\n    ');
    return `def case_${at}(event, context):\n    ${body}\nhandlers[${JSON.stringify(name)}] = case_${at}\n`;
  });
  return `${prefix}${defined.join('')}
def handler(event, context):
    sys.stdout.write("\\u0001" + event["case"] + "\\n")
    return handlers[event["case"]](event, context)
`;
}

const event = { values: [1, 1.5, '1', null, true, [], {}, 12345678901234567890n.toString()] };

export const pythonResults: readonly ClientCase[] = [
  ...sharing('results', given).map((each) =>
    each.name.startsWith('event') ? { ...each, event } : each,
  ),
  ...sharing('failures', raised, {
    raisesLines: { parts: ['log'], reason: 'one failure is one entry of the log' },
  }),
];
