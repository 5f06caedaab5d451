import * as v from 'valibot';

import { isStorable } from './bounds.ts';
import { textBytesMax, textGraphemesMax } from './limits.ts';

/** Chat text: 1 to 500 graphemes and at most 2,000 UTF-8 bytes, else `chat/too-long`; well-formed Unicode without U+0000. */
export const chatTextSchema = v.pipe(
  v.string(),
  v.minLength(1),
  v.check(isShortEnough, 'chat/too-long'),
  v.check(isStorable),
);

const encoder = new TextEncoder();
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** True within both limits; the cheap bounds come first, so that a huge text is refused without being read. */
function isShortEnough(text: string): boolean {
  if (text.length > textBytesMax) return false;
  if (encoder.encode(text).byteLength > textBytesMax) return false;
  return text.length <= textGraphemesMax || graphemesAtMost(text, textGraphemesMax);
}

function graphemesAtMost(text: string, max: number): boolean {
  let count = 0;
  for (const segment of graphemes.segment(text)) {
    count += segment.segment === '' ? 0 : 1;
    if (count > max) return false;
  }
  return true;
}
