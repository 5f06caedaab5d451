/** The words that the moderation knows, in plain lower-case letters: it finds their disguises by itself. */
export interface WordLists {
  /** Replaced by as many asterisks as they have characters. */
  readonly masked: readonly string[];
  /** A message that contains one of them is refused. */
  readonly refused: readonly string[];
}

/** The lists of the development world; a studio replaces this file by its own. */
export const wordLists: WordLists = {
  masked: ['mildword'],
  refused: ['vileword'],
};
