/** Empirical distributions and curves as text for a terminal and as SVG for a report. */

export interface Series {
  readonly name: string;
  /** x ascending; y between 0 and 1. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Plot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Cuts the x axis; the largest x unless given. */
  readonly xMax?: number;
}

const COLUMNS = 72;
const ROWS = 16;
const MARKS = ['●', '○', '▲', '△'];
const COLOURS = ['#1f6feb', '#d1242f', '#1a7f37', '#9a6700'];

/** The share of samples at or below each, thinned to a plot's resolution. */
export function cdf(name: string, samples: readonly number[]): Series {
  const sorted = samples.toSorted((a, b) => a - b);
  const steps = Math.min(400, sorted.length);
  const points = Array.from({ length: steps }, (_, step) => {
    const rank = Math.ceil(((step + 1) / steps) * sorted.length);
    return { x: sorted[rank - 1]!, y: rank / sorted.length };
  });
  return { name, points };
}

const endOf = ({ series, xMax }: Plot) =>
  xMax ?? Math.max(...series.flatMap(({ points }) => points.map(({ x }) => x)));

export function plotAsText(plot: Plot): string {
  const end = endOf(plot);
  const rows = Array.from({ length: ROWS + 1 }, () => new Array<string>(COLUMNS + 1).fill(' '));
  for (const [index, { points }] of plot.series.entries()) {
    for (const { x, y } of points) {
      if (x > end) continue;
      const row = rows[ROWS - Math.round(y * ROWS)];
      if (row) row[Math.round((x / end) * COLUMNS)] = MARKS[index % MARKS.length]!;
    }
  }
  const body = rows.map((row, index) => {
    const share = (1 - index / ROWS).toFixed(2);
    return `${index % 4 === 0 ? share : '    '} │${row.join('').trimEnd()}`;
  });
  const axis = `     └${'─'.repeat(COLUMNS + 1)}`;
  const last = end.toPrecision(3);
  const label = `      0${plot.xLabel.padStart((COLUMNS + plot.xLabel.length) / 2)}`;
  const legend = plot.series.map(({ name }, i) => `${MARKS[i % MARKS.length]} ${name}`).join('   ');
  return [
    plot.title,
    legend,
    ...body,
    axis,
    `${label.padEnd(COLUMNS + 7 - last.length)}${last}`,
  ].join('\n');
}

const escapeText = (text: string) => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);

export function plotAsSvg(plot: Plot): string {
  const [width, height, left, top] = [640, 360, 56, 40];
  const [innerWidth, innerHeight] = [width - left - 24, height - top - 56];
  const end = endOf(plot);
  const px = (x: number) => (left + (Math.min(x, end) / end) * innerWidth).toFixed(1);
  const py = (y: number) => (top + (1 - y) * innerHeight).toFixed(1);
  const line = (x1: string, y1: string, x2: string, y2: string) =>
    `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#d0d7de"/>`;
  const text = (x: number, y: number, content: string, more = '') =>
    `<text x="${x}" y="${y}" ${more}>${escapeText(content)}</text>`;
  const ticks = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    line(px(0), py(share), px(end), py(share)),
    text(left - 8, Number(py(share)) + 4, share.toFixed(2), 'text-anchor="end"'),
    text(
      Number(px(share * end)),
      height - 36,
      (share * end).toPrecision(3),
      'text-anchor="middle"',
    ),
  ]);
  const curves = plot.series.flatMap(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = points.filter(({ x }) => x <= end).map(({ x, y }) => `${px(x)},${py(y)}`);
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${path.join(' ')}"/>`,
      text(left + 16 + i * 150, top - 6, name, `fill="${colour}"`),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    text(left, 16, plot.title, 'font-weight="bold"'),
    ...ticks,
    ...curves,
    text(left + innerWidth / 2, height - 14, plot.xLabel, 'text-anchor="middle"'),
    text(12, top - 6, plot.yLabel),
    '</svg>',
    '',
  ].join('\n');
}
