import { readFileSync } from 'node:fs';

/** PROTOCOL.md as it is written. */
export const document = readFileSync(new URL('../PROTOCOL.md', import.meta.url), 'utf8');

/** The rows of all tables whose header begins with `heading`, as cells without their backticks. */
export function rowsUnder(heading: string): string[][] {
  const rows: string[][] = [];
  let inside = false;
  for (const line of document.split('\n')) {
    const cells = line.startsWith('|') ? cellsOf(line) : null;
    if (cells === null) inside = false;
    else if (cells[0] === heading) inside = true;
    else if (inside && !line.startsWith('|---')) rows.push(cells);
  }
  return rows;
}

/** The ids of the rules that the document states, in order, doubles included. */
export const ruleIds = [...document.matchAll(/^- \[([A-Z]+[0-9]+)\] /gm)].map((match) => match[1] ?? '');

/** The fields that a cell such as `{ a, b?, c: [x] }` names; a cell with "or" has several forms. */
export const formsIn = (cell: string): string[][] => [...cell.matchAll(/\{(?<fields>[^{}]*)\}/g)].map((match) => fieldsIn(match.groups?.['fields'] ?? ''));

const fieldsIn = (text: string): string[] =>
  text
    .split(',')
    .map((field) => field.trim())
    .filter((field) => field !== '')
    .sort();

const cellsOf = (line: string): string[] =>
  line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim().replaceAll('`', ''));

/** The words in backticks of one rule, except its first one, which is the field that the rule is about. */
export function valuesOf(ruleId: string): string[] {
  const line = document.split('\n').find((text) => text.startsWith(`- [${ruleId}]`)) ?? '';
  return [...line.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '').slice(1);
}
