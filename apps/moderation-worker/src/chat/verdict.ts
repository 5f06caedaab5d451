import { chatTextSchema, duplicateTextsMax, type RefusalCode } from '@skirmish/protocol';
import * as v from 'valibot';
import { cleanText } from './clean-text.ts';
import { createWordFinder, mask } from './find-words.ts';
import { skeletonOf } from './skeleton.ts';
import { wordLists, type WordLists } from './word-lists.ts';

export type Verdict =
  | { readonly kind: 'delivered'; readonly text: string; readonly masked: boolean }
  | { readonly kind: 'refused'; readonly code: RefusalCode };

/** Judges a text, knowing how many equal ones the same user sent in the window before. Pure: the same question gets the same answer. */
export type Judge = (text: string, alikeBefore: number) => Verdict;

/** A judge over word lists. What is said weighs more than how often, so that a repeated insult is refused as an insult. */
export function createJudge(lists: WordLists = wordLists): Judge {
  const findRefused = createWordFinder(lists.refused);
  const findMasked = createWordFinder(lists.masked);
  return (raw, alikeBefore) => {
    const text = cleanText(raw);
    if (text === '') return { kind: 'refused', code: 'payload/invalid' };
    // Normalisation may lengthen a text.
    if (!v.is(chatTextSchema, text)) return { kind: 'refused', code: 'chat/too-long' };
    const skeleton = skeletonOf(text);
    if (findRefused(skeleton).length > 0) return { kind: 'refused', code: 'chat/profanity' };
    if (alikeBefore >= duplicateTextsMax) return { kind: 'refused', code: 'chat/spam' };
    const spans = findMasked(skeleton);
    return { kind: 'delivered', text: mask(text, spans), masked: spans.length > 0 };
  };
}
