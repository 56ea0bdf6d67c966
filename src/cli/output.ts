import type { SluiceError } from '../base/mod.ts';

export interface Output {
  readonly json: boolean;
  readonly interactive: boolean;
  /** The command's answer: people's text, or with `--json` one JSON value a line. */
  answer(value: unknown, text: string): void;
  note(text: string): void;
  fail(error: SluiceError): void;
}

const bold = (text: string) => `\u001b[1m${text}\u001b[22m`;
const red = (text: string) => `\u001b[31m${text}\u001b[39m`;

/** SGR parameters: begin and end. */
const colours = { dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;

/** Text for standard output, coloured where that is a terminal and NO_COLOR is not set. */
export function paint(colour: keyof typeof colours, text: string): string {
  if (process.stdout.isTTY !== true || process.env['NO_COLOR'] !== undefined) return text;
  const [begin, end] = colours[colour];
  return `\u001b[${begin}m${text}\u001b[${end}m`;
}

/** Standard output carries the answer, standard error everything else. */
export function createOutput(json: boolean): Output {
  const coloured = process.stderr.isTTY && process.env['NO_COLOR'] === undefined;
  return {
    json,
    interactive: process.stderr.isTTY === true && !json,
    answer: (value, text) => {
      process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${text}\n`);
    },
    note: (text) => {
      if (!json) process.stderr.write(`${text}\n`);
    },
    fail: (error) => {
      if (json) process.stderr.write(`${JSON.stringify({ error: error.toJSON() })}\n`);
      else {
        const label = coloured ? red(bold('error')) : 'error';
        process.stderr.write(`${label}: ${error.message}\n`);
      }
    },
  };
}

/**
 * Rows under a header, columns padded to their widest cell; numbers stand right. `paintCell` may
 * colour a cell that is padded already.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  paintCell: (cell: string) => string = (cell) => cell,
): string {
  const widths = header.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const right = header.map((_, column) =>
    rows.every((row) => /^-?[\d.,]+( ?(%|ms|s|B|[KMGT]iB|MB\/s))?$/.test(row[column] ?? '')),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        right[column] && rows.length > 0
          ? cell.padStart(widths[column] ?? 0)
          : cell.padEnd(widths[column] ?? 0),
      )
      .map(paintCell)
      .join('  ')
      .trimEnd();
  return [line(header), ...rows.map(line)].join('\n');
}
