/** One challenge of a `WWW-Authenticate` header (RFC 9110 section 11.6.1). */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+/;

/** Reads the challenges of a header; what does not parse ends the list. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let rest = header;
  const token = () => {
    rest = rest.replace(/^[\s,]+/, '');
    const found = TOKEN.exec(rest)?.[0];
    if (found !== undefined) rest = rest.slice(found.length);
    return found;
  };
  let parameters = new Map<string, string>();
  for (;;) {
    const name = token();
    if (name === undefined) return challenges;
    const value = /^\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/.exec(rest);
    if (value === null) {
      parameters = new Map();
      challenges.push({ scheme: name.toLowerCase(), parameters });
      continue;
    }
    rest = rest.slice(value[0].length);
    parameters.set(name.toLowerCase(), value[1]?.replace(/\\(.)/g, '$1') ?? value[2] ?? '');
  }
}
