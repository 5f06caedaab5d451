/** What is printed in place of a secret. */
export const hidden = '•••';

const sensitiveParameter = /pass|pwd|secret|token|key|auth/i;

/** The text of a value for people: lists joined, URLs without their passwords. */
export function printable(value: unknown): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map((item) => printable(item)).join(',');
  return typeof value === 'string' ? withoutPassword(value) : JSON.stringify(value);
}

function withoutPassword(text: string): string {
  if (!text.includes('://') || !URL.canParse(text)) return text;
  const [, start = '', credentials, rest = ''] = /^([^:]+:\/\/)(?:([^/?#]*)@)?(.*)$/s.exec(text) ?? [];
  const user = credentials === undefined ? '' : `${hideAfterColon(credentials)}@`;
  return `${start}${user}${hideParameters(rest)}`;
}

function hideAfterColon(credentials: string): string {
  const colon = credentials.indexOf(':');
  return colon === -1 ? credentials : `${credentials.slice(0, colon)}:${hidden}`;
}

function hideParameters(rest: string): string {
  return rest.replaceAll(/([?&])([^=&#]+)=([^&#]*)/g, (whole, mark: string, name: string) =>
    sensitiveParameter.test(name) ? `${mark}${name}=${hidden}` : whole,
  );
}
