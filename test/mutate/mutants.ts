import { createHash } from 'node:crypto';
import type { Node, SourceFile } from 'typescript/unstable/ast';
import { SyntaxKind as Kind } from 'typescript/unstable/ast';
import * as is from 'typescript/unstable/ast/is';

/** One small change to one file, of the kind that a slip of the hand makes. */
export interface Mutant {
  /** Of what is changed and the line around it: the same after changes elsewhere in the file. */
  readonly id: string;
  readonly path: string;
  /** Offsets into the file's text, of what is replaced. */
  readonly start: number;
  readonly end: number;
  /** Where a run comes past if it can feel the change: a short circuit begins at its left side. */
  readonly reachedAt: number;
  /** What stands there, and what it becomes. */
  readonly original: string;
  readonly replacement: string;
  readonly line: number;
  /** The text of that line, without the spaces around it. */
  readonly lineText: string;
  readonly operator: string;
}

type Change = Pick<Mutant, 'start' | 'end' | 'replacement' | 'operator'> & { reachedAt?: number };

const swaps: Partial<Record<Kind, readonly [operator: string, replacement: string]>> = {
  [Kind.AmpersandAmpersandToken]: ['logic', '||'],
  [Kind.BarBarToken]: ['logic', '&&'],
  [Kind.QuestionQuestionToken]: ['logic', '&&'],
  [Kind.LessThanToken]: ['boundary', '<='],
  [Kind.LessThanEqualsToken]: ['boundary', '<'],
  [Kind.GreaterThanToken]: ['boundary', '>='],
  [Kind.GreaterThanEqualsToken]: ['boundary', '>'],
  [Kind.EqualsEqualsEqualsToken]: ['equality', '!=='],
  [Kind.ExclamationEqualsEqualsToken]: ['equality', '==='],
  [Kind.PlusToken]: ['arithmetic', '-'],
  [Kind.MinusToken]: ['arithmetic', '+'],
  [Kind.AsteriskToken]: ['arithmetic', '/'],
  [Kind.SlashToken]: ['arithmetic', '*'],
  [Kind.PercentToken]: ['arithmetic', '*'],
  [Kind.PlusEqualsToken]: ['arithmetic', '-='],
  [Kind.MinusEqualsToken]: ['arithmetic', '+='],
  [Kind.AmpersandToken]: ['arithmetic', '|'],
  [Kind.BarToken]: ['arithmetic', '&'],
};

/** Whose arguments are words for people, which no test need pin down; what is logged changes nothing. */
const LOGGING = /^(this\.)?(#?\w+\.)*#?logger\.(debug|info|warn|error)\(/;
/** Whose first argument but the code is words for people too; its code and its data are not. */
const ERROR = /^\w*Error$/;
/** Types, names and texts: changing them changes no behaviour, or none that strips away. */
const NOT_CODE = new Set([Kind.ImportDeclaration, Kind.InterfaceDeclaration]);
const notCode = (node: Node) =>
  NOT_CODE.has(node.kind) || is.isTypeNode(node) || is.isTypeAliasDeclaration(node);

const isText = (node: Node) =>
  is.isStringLiteral(node) ||
  is.isNoSubstitutionTemplateLiteral(node) ||
  is.isTemplateExpression(node);

/** All changes of a file that are tried, in the order of its text. */
export function mutantsOf(path: string, file: SourceFile): Mutant[] {
  const found: Change[] = [];
  const visit = (node: Node): void => {
    if (notCode(node) || isSeenByNobody(node, file)) return;
    found.push(...changesOf(node, file));
    node.forEachChild((child) => {
      visit(child);
      return undefined;
    });
  };
  visit(file);
  const times = new Map<string, number>();
  return found
    .sort((a, b) => a.start - b.start)
    .map((change) => {
      const facts = factsOf(change, path, file.text);
      const { lineText, original } = facts;
      const what = [path, lineText, change.operator, original, change.replacement].join('\n');
      const time = times.get(what) ?? 0;
      times.set(what, time + 1);
      const id = createHash('sha256').update(`${what}\n${time}`).digest('hex').slice(0, 10);
      return { id, ...facts };
    });
}

function factsOf(change: Change, path: string, text: string): Omit<Mutant, 'id'> {
  const { start, end } = change;
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const lineEnd = text.indexOf('\n', start);
  return {
    reachedAt: start,
    ...change,
    path,
    original: text.slice(start, end),
    line: text.slice(0, start).split('\n').length,
    lineText: text.slice(lineStart, lineEnd < 0 ? text.length : lineEnd).trim(),
  };
}

const isSeenByNobody = (node: Node, file: SourceFile) =>
  isLogging(node, file) || isWording(node, file) || isUnreachable(node, file);

/** A log, and a condition of nothing but logs. */
function isLogging(node: Node, file: SourceFile): boolean {
  if (is.isIfStatement(node)) return !node.elseStatement && isLogging(node.thenStatement, file);
  if (is.isBlock(node)) return node.statements.every((each) => isLogging(each, file));
  if (!is.isExpressionStatement(node) && !is.isCallExpression(node)) return false;
  return LOGGING.test(node.getText(file));
}

/** What the compiler has proved never to run. */
const isUnreachable = (node: Node, file: SourceFile) =>
  is.isExpressionStatement(node) && /^unreachable\(/.test(node.getText(file));

/** The message of an error: codes and data tell errors apart, the words are for people. */
function isWording(node: Node, file: SourceFile): boolean {
  const { parent } = node;
  if (!isText(node) || !parent) return false;
  return is.isNewExpression(parent) && ERROR.test(parent.expression.getText(file));
}

function* changesOf(node: Node, file: SourceFile): Generator<Change> {
  const replace = (part: Node, operator: string, replacement: string): Change => ({
    start: part.getStart(file),
    end: part.end,
    replacement,
    operator,
  });
  const negate = (part: Node) => replace(part, 'condition', `!(${part.getText(file)})`);
  if (is.isBinaryExpression(node)) {
    const swap = swaps[node.operatorToken.kind];
    const joinsText = isText(node.left) || isText(node.right);
    if (swap && !joinsText) {
      yield { ...replace(node.operatorToken, ...swap), reachedAt: node.left.getStart(file) };
    }
  } else if (is.isIfStatement(node)) {
    if (!hasOwnChange(node.expression)) yield negate(node.expression);
  } else if (is.isConditionalExpression(node)) {
    if (!hasOwnChange(node.condition)) yield negate(node.condition);
  } else if (is.isWhileStatement(node)) {
    yield replace(node.expression, 'condition', 'false');
  } else if (is.isPrefixUnaryExpression(node) && node.operator === Kind.ExclamationToken) {
    yield replace(node, 'condition', node.operand.getText(file));
  } else if (is.isNumericLiteral(node) && !isFallback(node)) {
    yield replace(
      node,
      'constant',
      node.getText(file) === '0' ? '1' : `(${node.getText(file)} + 1)`,
    );
  } else if (node.kind === Kind.TrueKeyword || node.kind === Kind.FalseKeyword) {
    yield replace(node, 'constant', node.kind === Kind.TrueKeyword ? 'false' : 'true');
  } else if (is.isThrowStatement(node)) {
    yield replace(node, 'statement', '{}');
  } else if (is.isReturnStatement(node) && node.expression && !isNothing(node.expression)) {
    yield replace(node.expression, 'return', 'undefined as never');
  } else if (is.isExpressionStatement(node) && !isSuperCall(node.expression)) {
    yield replace(node, 'statement', '{}');
    if (is.isAwaitExpression(node.expression)) {
      yield replace(node, 'await', `void (${node.expression.expression.getText(file)});`);
    }
  }
}

/** A condition that another change negates already. */
const hasOwnChange = (node: Node) =>
  (is.isPrefixUnaryExpression(node) && node.operator === Kind.ExclamationToken) ||
  (is.isBinaryExpression(node) && swaps[node.operatorToken.kind]?.[0] === 'equality');

/** In `list[i] ?? 0` the 0 is there for the compiler alone. */
const isFallback = ({ parent }: Node) =>
  is.isBinaryExpression(parent) && parent.operatorToken.kind === Kind.QuestionQuestionToken;

/** `undefined` already, or `false`, which is changed to `true` instead. */
const isNothing = (node: Node) =>
  (is.isIdentifier(node) && node.text === 'undefined') || node.kind === Kind.FalseKeyword;

const isSuperCall = (node: Node) =>
  is.isCallExpression(node) && node.expression.kind === Kind.SuperKeyword;
