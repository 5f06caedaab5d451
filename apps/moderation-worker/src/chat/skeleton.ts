/** A character of the skeleton with the place in the text that it stands for: `[from, to)` in UTF-16 units. */
export interface SkeletonCharacter {
  readonly character: string;
  readonly from: number;
  readonly to: number;
}

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });
const notALetter = /[^\p{L}\p{N}]/gu;

/** What letters are written as to get past a filter. Digits and signs stand for the letter that they look like, letters of other scripts too. */
const looksLike = new Map<string, string>(
  Object.entries({
    a: '4@^αаɑ∂ą',
    b: '8ßвβь6',
    c: '(¢©сϲ<',
    d: 'đԁð',
    e: '3€еєεëё',
    f: 'ƒ',
    g: '9ɡ',
    h: 'һнħ',
    i: '1!|ıіíιӏ',
    j: 'јʝ',
    k: 'κкķ',
    l: 'łⅼ',
    m: 'мɱ',
    n: 'ηпñ',
    o: '0оοøσөо°',
    p: 'рρþ',
    q: 'ԛ',
    r: 'гяʀ',
    s: '5$ѕ§ś',
    t: '7+тτ',
    u: 'υцµüս',
    v: 'νѵ',
    w: 'шщωѡԝω',
    x: 'хχ×',
    y: 'уүγ¥',
    z: '2ʐ',
  }).flatMap(([letter, disguises]) => Array.from(disguises, (disguise) => [disguise, letter] as const)),
);

/** The same character for all that look alike to a hurried reader; empty for what is only decoration. */
function plain(grapheme: string): string {
  const folded = grapheme.normalize('NFKD').toLowerCase().normalize('NFKD');
  const letters = Array.from(folded, (character) => looksLike.get(character) ?? character).join('');
  return letters.replace(/\p{M}/gu, '').replace(notALetter, '').replaceAll('l', 'i');
}

const asciiMax = 0x7f;
/** Most of what is written; the long way takes some fifty times as long. */
const plainAscii = Array.from({ length: asciiMax + 1 }, (_, code) => plain(String.fromCharCode(code)));
const beyondAscii = /\P{ASCII}/u;

const word = /\S+/gu;
/** Stands between two words; no skeleton of a listed word contains it. */
const gap = ' ';

/**
 * What a text says when its disguises are taken off: compatibility forms, accents, case, look-alikes (`v1leword`), signs between letters
 * (`v.i.l.e`), repetitions (`viiiile`) and blanks beside single letters (`v i l e`) are gone. `l` and `i` are one letter, since a `1` may mean
 * either. Linear in the length of the text.
 */
export function skeletonOf(text: string): SkeletonCharacter[] {
  const skeleton: SkeletonCharacter[] = [];
  let beforeIsSingle = true;
  for (const { 0: part, index } of text.matchAll(word)) {
    const characters = skeletonOfPart(part, index);
    if (characters.length === 0) continue;
    const isSingle = characters.length === 1;
    if (!isSingle && !beforeIsSingle) skeleton.push({ character: gap, from: index, to: index });
    beforeIsSingle = isSingle;
    for (const next of characters) append(skeleton, next);
  }
  return skeleton;
}

function skeletonOfPart(part: string, index: number): SkeletonCharacter[] {
  const skeleton: SkeletonCharacter[] = [];
  if (!beyondAscii.test(part)) {
    for (let at = 0; at < part.length; at += 1) {
      const character = plainAscii[part.charCodeAt(at)] ?? '';
      if (character !== '') append(skeleton, { character, from: index + at, to: index + at + 1 });
    }
    return skeleton;
  }
  for (const { segment, index: at } of graphemes.segment(part)) {
    const from = index + at;
    for (const character of plain(segment)) append(skeleton, { character, from, to: from + segment.length });
  }
  return skeleton;
}

/** A repetition lengthens the character before it. */
function append(skeleton: SkeletonCharacter[], next: SkeletonCharacter): void {
  const last = skeleton.at(-1);
  if (last?.character === next.character) skeleton[skeleton.length - 1] = { ...last, to: next.to };
  else skeleton.push(next);
}

/** The skeleton of a word of a list. */
export const skeletonOfWord = (listed: string): string =>
  skeletonOfPart(listed.replaceAll(/\s/gu, ''), 0)
    .map(({ character }) => character)
    .join('');
