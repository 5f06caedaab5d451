/** Values for the labels of a metric; of low cardinality, never a room, user, socket or free text. */
export type LabelValues<Label extends string> = Readonly<Record<Label, string | number>>;

/** What stands in every label once a metric has as many series as it may have. */
export const otherLabel = 'other';

/** Lets the first `seriesMax` combinations of label values through; every later one becomes `other`. */
export function createSeriesLimit<Label extends string>(labels: readonly Label[], seriesMax: number): (values: LabelValues<Label>) => LabelValues<Label> {
  const known = new Set<string>();
  const other = Object.fromEntries(labels.map((label) => [label, otherLabel])) as LabelValues<Label>;
  return (values) => {
    const series = labels.map((label) => values[label]).join('\u0000');
    if (known.has(series)) return values;
    if (known.size >= seriesMax) return other;
    known.add(series);
    return values;
  };
}
