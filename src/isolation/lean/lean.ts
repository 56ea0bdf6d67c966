/** What errors and reports call this kind of isolation. */
export const LEAN = 'lean';
