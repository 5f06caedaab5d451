const blanks = /[\t\v\f\r\u0085\u2028\u2029]/gu;
/** Letters and signs that show nothing: fillers of Hangul, an empty Braille cell. */
const fillers = /[\u115f\u1160\u3164\uffa0\u2800]/gu;
/** Joiners stay, since scripts and families of emoji need them, and so do the tags behind a flag. */
const invisible = /(?!\u200c|\u200d|\n|[\u{e0020}-\u{e007f}])[\p{Cc}\p{Cf}\p{Co}\p{Cn}]/gu;
const looseTags = /(?<![\p{Extended_Pictographic}\u{e0020}-\u{e007f}])[\u{e0020}-\u{e007f}]+/gu;
const marksMax = 4;
const towers = new RegExp(`(\\p{M}{${marksMax}})\\p{M}+`, 'gu');
const visible = /(?!\u200c|\u200d)[^\s\p{M}]/u;

/**
 * The text as it may be shown: well-formed, in NFC, without controls (a line feed stays), marks that change the direction of writing, invisible or
 * unassigned characters, and with at most four combining marks upon each other. Empty when there is nothing to see. Linear in the length.
 */
export function cleanText(text: string): string {
  const shown = text
    .toWellFormed()
    .replaceAll('\ufffd', '')
    .replaceAll('\r\n', '\n')
    .replace(blanks, ' ')
    .replace(fillers, '')
    .replace(invisible, '')
    .replace(looseTags, '')
    .normalize('NFC')
    .replace(towers, '$1')
    .trim();
  return visible.test(shown) ? shown : '';
}
