import * as v from 'valibot';

import { isStorable } from './bounds.ts';
import { textBytesMax, textGraphemesMax } from './limits.ts';

/** Chat text: 1 to 500 graphemes and at most 2,000 UTF-8 bytes, else `chat/too-long`; well-formed Unicode without U+0000. */
export const chatTextSchema = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(textBytesMax, 'chat/too-long'),
  v.check(isShortEnough, 'chat/too-long'),
  v.check(isStorable),
);

const encoder = new TextEncoder();
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** True within both limits; graphemes are counted only where there can be too many, for counting is slow. */
function isShortEnough(text: string): boolean {
  if (encoder.encode(text).byteLength > textBytesMax) return false;
  return text.length <= textGraphemesMax || graphemesAtMost(text, textGraphemesMax);
}

function graphemesAtMost(text: string, max: number): boolean {
  let count = 0;
  for (const { segment } of graphemes.segment(text)) {
    if (segment !== '') count += 1;
    if (count > max) return false;
  }
  return true;
}
