/** What is printed in place of a secret. */
export const hidden = '•••';

const sensitiveParameter = /pass|pwd|secret|token|key|auth/i;

/** The text of a value for people: lists joined, URLs without their passwords. */
export function printable(value: unknown): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map((item) => printable(item)).join(',');
  return typeof value === 'string' ? withoutPassword(value) : JSON.stringify(value);
}

// Greedy on purpose: a password may hold a slash or an @ that somebody forgot to encode.
const credentials = /(:\/\/[^:/@]*:).*@/s;

function withoutPassword(text: string): string {
  return text.includes('://') ? hideParameters(text.replace(credentials, `$1${hidden}@`)) : text;
}

function hideParameters(rest: string): string {
  return rest.replaceAll(/([?&])([^=&#]+)=([^&#]*)/g, (whole, mark: string, name: string) =>
    sensitiveParameter.test(name) ? `${mark}${name}=${hidden}` : whole,
  );
}
