import { type SkeletonCharacter, skeletonOfWord } from './skeleton.ts';

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** A place in a text: `[from, to)` in UTF-16 units. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Finds the words of a list in the skeleton of a text, so also disguised ones; in order, without overlaps. */
export type WordFinder = (skeleton: readonly SkeletonCharacter[]) => Span[];

/** Prepares a list once. A search takes time in proportion to the length of the text times the number of words. */
export function createWordFinder(words: readonly string[]): WordFinder {
  const skeletons = words.map(skeletonOfWord).filter((skeleton) => skeleton !== '');
  return (skeleton) => {
    const joined = skeleton.map(({ character }) => character).join('');
    const found = skeletons.flatMap((word) => occurrences(joined, word));
    if (found.length === 0) return [];
    // Characters beyond the BMP take two units in `joined`; the skeleton counts characters.
    const places = skeleton.flatMap(({ character }, place) => Array.from({ length: character.length }, () => place));
    const spans = found.map(({ from, to }) => ({ from: skeleton[places[from] ?? 0]?.from ?? 0, to: skeleton[places[to - 1] ?? 0]?.to ?? 0 }));
    return merged(spans);
  };
}

function occurrences(text: string, word: string): Span[] {
  const spans: Span[] = [];
  for (let from = text.indexOf(word); from !== -1; from = text.indexOf(word, from + word.length)) spans.push({ from, to: from + word.length });
  return spans;
}

function merged(spans: readonly Span[]): Span[] {
  const result: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last !== undefined && span.from < last.to) result[result.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
    else result.push(span);
  }
  return result;
}

/** The text with asterisks in these places, one for each character that a reader sees. */
export function mask(text: string, spans: readonly Span[]): string {
  let masked = '';
  let at = 0;
  for (const { from, to } of spans) {
    masked += text.slice(at, from) + '*'.repeat([...graphemes.segment(text.slice(from, to))].length);
    at = to;
  }
  return masked + text.slice(at);
}
