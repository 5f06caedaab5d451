import { bareHost, isPrivateAddress, keyOfSecret } from '@skirmish/backend-events';
import { flag, optional, url, variable } from '@skirmish/config';
import { isIP } from 'node:net';
import * as v from 'valibot';

const secretBytesMin = 32;

/** Where webhooks go; neither or both of address and secret. */
export const webhookVariables = {
  webhookUrl: optional(
    url('WEBHOOK_URL', {
      description: 'Address to which backend events are posted; without it there are no webhooks',
      schemes: ['https:', 'http:'],
      example: 'https://studio.example/skirmish',
    }),
  ),
  webhookSecret: optional(
    variable('WEBHOOK_SECRET', {
      description: 'Key with which webhooks are signed',
      schema: v.pipe(
        v.string(),
        v.maxLength(512),
        v.check((secret) => secret === secret.trim() && keyOfSecret(secret).length >= secretBytesMin),
      ),
      expects: `whsec_ and the base64 of ${secretBytesMin} bytes or more, or any text of so many bytes`,
      secret: true,
    }),
  ),
  webhookPrivateAddresses: flag('WEBHOOK_PRIVATE_ADDRESSES', {
    description: 'Whether webhooks may go to addresses that are not of the public internet',
    default: 'false',
    developmentDefault: 'true',
  }),
} as const;

interface WebhookValues {
  readonly nodeEnv: string;
  readonly webhookUrl: string | undefined;
  readonly webhookSecret: string | undefined;
  readonly webhookPrivateAddresses: boolean;
}

/** What is wrong with the variables together, as the sentence that repairs it. */
export function webhookMistake({ nodeEnv, webhookUrl, webhookSecret, webhookPrivateAddresses }: WebhookValues): string | null {
  if ((webhookUrl === undefined) !== (webhookSecret === undefined)) return 'WEBHOOK_URL and WEBHOOK_SECRET belong together. Set both or none.';
  if (webhookUrl === undefined) return null;
  const address = new URL(webhookUrl);
  const host = bareHost(address);
  if (address.protocol !== 'https:' && nodeEnv !== 'development') return 'WEBHOOK_URL is not secure. Set it to an address that begins with https://.';
  if (address.username !== '' || address.password !== '') return 'WEBHOOK_URL holds a user name or a password. Leave them out: webhooks are signed.';
  const closed = !webhookPrivateAddresses && isIP(host) !== 0 && isPrivateAddress(host);
  return closed ? 'WEBHOOK_URL is not an address of the public internet. Set another one, or WEBHOOK_PRIVATE_ADDRESSES to true.' : null;
}
