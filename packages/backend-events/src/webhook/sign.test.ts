import { describe, expect, it } from 'vitest';
import { keyOfSecret, signedHeaders } from './sign.ts';

describe('signatures', () => {
  it('[BCK8] are those of the Standard Webhooks libraries, by their published example', () => {
    const key = keyOfSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
    expect(signedHeaders(key, { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', atMs: 1_614_265_330_999, body: '{"test": 2432232314}' })).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('take a secret without the prefix, or with something else after it, as it is written', () => {
    expect(keyOfSecret('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw').toString()).toBe('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
    expect(keyOfSecret('whsec_not base64!').toString()).toBe('whsec_not base64!');
  });
});
