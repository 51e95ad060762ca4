import { termsOfRun, tokensOf } from './search-terms.js';

/** A term that the index is asked for. */
export interface SearchTerm {
  text: string;
  /** Whether what begins with it is meant too. */
  isPrefix: boolean;
}

/** More words of a query than this are looked for in the texts alone. */
const MAX_INDEX_TERMS = 6;

/**
 * What somebody looks for: every word of it whole, the one that they may still be typing as a beginning, and every run
 * of a script without spaces anywhere in a text.
 */
export class SearchQuery {
  /** What the index is asked for; empty when there is nothing to look for. */
  readonly terms: readonly SearchTerm[];
  /** Whether texts that hold all terms may still lack the query, more than now and then. */
  readonly isLoose: boolean;
  private readonly words: readonly SearchTerm[];
  private readonly runs: readonly string[];

  constructor(query: string) {
    const { words, runs, endsInWord } = tokensOf(query);
    this.words = words.map((text, index) => ({ text, isPrefix: endsInWord && index === words.length - 1 }));
    this.runs = runs;
    const ofRuns = runs.flatMap((run) => indexTermsOf(run));
    const all = distinct([...this.words, ...ofRuns]);
    this.terms = selective(all);
    this.isLoose = this.terms.length < all.length || runs.some((run) => indexTermsOf(run).length > 1);
  }

  isIn(text: string): boolean {
    const tokens = tokensOf(text);
    const words = new Set(tokens.words);
    return (
      this.words.every(
        (word) =>
          words.has(word.text) ||
          (word.isPrefix && tokens.words.some((candidate) => candidate.startsWith(word.text))),
      ) && this.runs.every((run) => tokens.runs.some((candidate) => candidate.includes(run)))
    );
  }
}

/** A single character begins a pair, or is the last of a run; of longer runs, the pairs are asked for. */
function indexTermsOf(run: string): SearchTerm[] {
  const terms = termsOfRun(run);
  if (terms.length === 1) return [{ text: run, isPrefix: true }];
  return terms.slice(0, -1).map((text) => ({ text, isPrefix: false }));
}

/** Longer words are rarer, and beginnings the least rare. */
function selective(terms: readonly SearchTerm[]): SearchTerm[] {
  const rank = ({ text, isPrefix }: SearchTerm): number => text.length - (isPrefix ? 100 : 0);
  return [...terms].sort((one, other) => rank(other) - rank(one)).slice(0, MAX_INDEX_TERMS);
}

function distinct(terms: readonly SearchTerm[]): SearchTerm[] {
  return [...new Map(terms.map((term) => [`${term.text} ${term.isPrefix}`, term])).values()];
}
