import { type ErrorCode, SluiceError } from '../../base/mod.ts';
import { type ByteString, printable } from '../byte-string.ts';

/** A tar error; `where` names the layer or archive, `entry` the entry where one is known. */
export function tarError(
  code: ErrorCode,
  where: string,
  entry: ByteString | undefined,
  what: string,
): SluiceError {
  const named = entry === undefined ? '' : `entry "${printable(entry)}": `;
  return new SluiceError(code, `${where}: ${named}${what}`, {
    data: { where, ...(entry !== undefined && { entry: printable(entry) }) },
  });
}
