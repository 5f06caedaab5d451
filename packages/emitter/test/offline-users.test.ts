import type { RealmId, UserId } from '@skirmish/protocol';
import { Rejection, roomOf } from '@skirmish/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Mail, MailboxPort, NewMail, RealtimeServiceOptions } from '../src/index.ts';
import { createEmitter, deliverMail, RealtimeService } from '../src/index.ts';
import type { TestRealm } from './_realm.ts';
import { createTestRealm } from './_realm.ts';

const user = 'auth0|x' as UserId;
let realm: TestRealm;
beforeEach(async () => { realm = await createTestRealm(); });
afterEach(() => { realm.close(); });

const serviceOf = (options: RealtimeServiceOptions = {}): RealtimeService => new RealtimeService(createEmitter({ redis: realm.redis, realm: realm.realm }), realm.redis, options);
const refusal = (work: Promise<unknown>) => work.then(() => null, (error: unknown) => (error instanceof Rejection ? error.toRefusal() : error));

/** A mailbox in memory, to see what the service asks of one; `packages/database` proves the real one. */
function boxOf(): MailboxPort & { readonly put: MailboxPort['put']; readonly mails: (NewMail & Mail)[] } {
  const mails: (NewMail & Mail)[] = [];
  return {
    mails,
    put: async (mail) => {
      mails.push({ ...mail, mailId: mails.length + 1 });
      return { mailId: mails.length, repeated: false, dropped: mails.length > 2 ? 1 : 0 };
    },
    deliver: async (_realm: RealmId, _userId, deliver) => {
      for (const mail of mails) await deliver(mail);
      return mails.length;
    },
  };
}

describe('a user who is offline', () => {
  const how = { ifOffline: 'mailbox', idempotencyKey: 'k' } as const;

  it('misses the event by default, and has it in the mailbox where asked', async () => {
    await realm.enter('A', [roomOf.user(user)]);
    const mailbox = boxOf();
    expect((await serviceOf({ mailbox }).emitToUser(user, 'app:x', { n: 1 })).outcome).toBe('emitted');
    expect(mailbox.mails).toEqual([]);
    expect(await serviceOf({ mailbox }).emitToUser(user, 'app:x', { n: 2 }, how)).toEqual({ id: 'mail-1', outcome: 'mailed' });
    expect(mailbox.mails).toMatchObject([{ realm: realm.realm, userId: user, event: 'app:x', payload: { n: 2 } }]);
    expect(await realm.inbox('A')).toHaveLength(1);
    expect(await refusal(serviceOf().emitToUser(user, 'app:x', {}, how))).toMatchObject({ code: 'payload/invalid', path: 'ifOffline' });
    expect(await refusal(serviceOf({ mailbox }).emitToUser(user, 'app:x', {}, { ...how, class: 'ephemeral' }))).toMatchObject({ path: 'ifOffline' });
  });

  it('has it once, whether the repetition finds the user online or not', async () => {
    await realm.enter('A', [roomOf.user(user)]);
    const mailbox = boxOf();
    const service = serviceOf({ mailbox });
    await service.emitToUser(user, 'app:x', {}, how);
    expect(await service.emitToUser(user, 'app:x', {}, how)).toEqual({ id: 'mail-1', outcome: 'repeated' });
    await realm.redis.hset(realm.keys.user(user), 's', '{}');
    expect(await service.emitToUser(user, 'app:x', {}, how)).toEqual({ id: 'mail-1', outcome: 'repeated' });
    expect(mailbox.mails).toHaveLength(1);
    expect(await realm.inbox('A')).toEqual([]);
    await realm.redis.del(realm.keys.user(user));
    await service.emitToUser(user, 'app:x', {}, { ifOffline: 'mailbox' });
    expect(await service.emitToUser(user, 'app:x', {}, { ifOffline: 'mailbox' })).toEqual({ id: 'mail-3', outcome: 'mailed', dropped: 1 });
  });

  it('has it once, also when the first call failed after the mail was stored and the repetition finds the user online', async () => {
    await realm.enter('A', [roomOf.user(user)]);
    const box = boxOf();
    let fails = true;
    const put: MailboxPort['put'] = async (mail) => {
      const before = box.mails.find(({ idempotencyKey }) => idempotencyKey === mail.idempotencyKey);
      const stored = before ? { mailId: before.mailId, repeated: true, dropped: 0 } : await box.put(mail);
      if (fails) throw new Error('cut off after the commit');
      return stored;
    };
    const service = serviceOf({ mailbox: { ...box, put } });
    expect(await refusal(service.emitToUser(user, 'app:x', {}, how))).toMatchObject({ code: 'server/unavailable' });
    // The user arrives, and the gateway delivers what waits.
    await realm.redis.hset(realm.keys.user(user), 's', '{}');
    await deliverMail(createEmitter({ redis: realm.redis, realm: realm.realm }), box, user);
    fails = false;
    expect(await service.emitToUser(user, 'app:x', {}, how)).toEqual({ id: 'mail-1', outcome: 'repeated' });
    expect(await service.emitToUser(user, 'app:x', {}, how)).toEqual({ id: 'mail-1', outcome: 'repeated' });
    expect(await realm.inbox('A')).toHaveLength(1);
  });

  it('who connects while the mail is stored gets it at once', async () => {
    await realm.enter('A', [roomOf.user(user)]);
    const box = boxOf();
    const put: MailboxPort['put'] = async (mail) => {
      const stored = await box.put(mail);
      await realm.redis.hset(realm.keys.user(user), 's', '{}');
      return stored;
    };
    expect((await serviceOf({ mailbox: { ...box, put } }).emitToUser(user, 'app:x', { n: 1 }, how)).outcome).toBe('mailed');
    expect((await realm.inbox('A')).map(({ data }) => (data as { packet: { data: unknown[] } }).packet.data)).toEqual([['app:x', { n: 1 }]]);
    expect(await realm.redis.exists(realm.keys.emitted('mail-1'))).toBe(1);
  });

  it('who is online has the event, and the mailbox stays empty', async () => {
    await realm.enter('A', [roomOf.user(user)]);
    await realm.redis.hset(realm.keys.user(user), 's', '{}');
    const mailbox = boxOf();
    expect((await serviceOf({ mailbox }).emitToUser(user, 'app:x', {}, how)).outcome).toBe('emitted');
    expect(mailbox.mails).toEqual([]);
  });
});
