/** A user's name and password, or a refresh token that a registry's token server takes. */
export type Credentials =
  | { readonly username: string; readonly password: string }
  | { readonly identityToken: string };

export function basicAuthorization(credentials: { username: string; password: string }): string {
  const { username, password } = credentials;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Of the base64 of `name:password`; tools leave NULs and line ends behind it. */
export function decodeBasic(auth: string): Credentials | undefined {
  const text = Buffer.from(auth, 'base64')
    .toString('utf8')
    .replace(/[\0\r\n]+$/, '');
  const colon = text.indexOf(':');
  if (colon <= 0) return undefined;
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
