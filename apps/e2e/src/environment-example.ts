/** The names that an example environment file gives, commented out or not: `NAME=` or `# NAME=` at the start of a line. */
export const namesInExample = (text: string): string[] => [...text.matchAll(/^#?[ \t]*([A-Z][A-Z0-9_]*)=/gm)].map((match) => match[1] ?? '');

/** `.env.example` lists every variable of every app once and no other. `variables` maps an app to the names that it reads. */
export function checkEnvironmentExample(example: string, variables: Readonly<Record<string, readonly string[]>>): string[] {
  const listed = namesInExample(example);
  const known = new Set(Object.values(variables).flat());
  return [
    ...Object.entries(variables).flatMap(([app, names]) => names.filter((name) => !listed.includes(name)).map((name) => `.env.example: ${name} of ${app} is missing`)),
    ...listed.filter((name) => !known.has(name)).map((name) => `.env.example: no app reads ${name}`),
    ...listed.filter((name, index) => listed.indexOf(name) !== index).map((name) => `.env.example: ${name} stands there twice`),
  ];
}
