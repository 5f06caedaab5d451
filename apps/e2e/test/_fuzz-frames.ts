import { clientEventNames } from '@skirmish/protocol';
import type { Chance } from './_fuzz-chance.ts';
import { anyJson, mutate, nested, payloadOf } from './_fuzz-payloads.ts';
import type { Packet } from './_raw-client.ts';

const oddNames = [
  'error', 'message', 'connection', 'end', 'close', 'data', 'packet', '', ' ', '*', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'session:pong', 'SESSION:PING', 'session:ping\u0000',
  'session:ping ', 'app:x', 'session:welcome', 'combat:resolved', 'moderation:sanctioned', '\u{1F409}', 'x'.repeat(5_000), '../session/on-ping', 'zone:tick',
];
// No longer ones: Socket.IO answers 10^60 as "1e+60", which is no packet.
const oddIds = ['0', '00', '1', '4294967296', '9007199254740993'];
/** Larger packets may be over the limit, which closes. */
const tameBytesMax = 30_000;
const placeholder = '{"_placeholder":true,"num":0}';
/** Broken framing beside an attachment: a placeholder without a number, and more depth than the reader of attachments follows. */
const noPlaceholder = /"_placeholder":true|\[{50}/;

/** A position in an acknowledgement is a number of digits; most events ask for none. */
const idOf = (chance: Chance): string => (chance.often(0.5) ? '' : chance.often(0.8) ? String(chance.below(1_000)) : chance.pick(oddIds));

/** Engine.IO packets that break no framing: whatever they hold, the connection has to survive them. */
export function tame(chance: Chance, namespace: string): Packet[] {
  const packets = anyTame(chance, namespace);
  return packets.every((packet) => Buffer.byteLength(packet) <= tameBytesMax) ? packets : tame(chance, namespace);
}

function anyTame(chance: Chance, namespace: string): Packet[] {
  const text = (type: string, rest: string): string => `4${type}${namespace},${rest}`;
  return chance.weighted<() => Packet[]>([
    [60, () => {
      const event = chance.pick(clientEventNames);
      return [text('2', `${idOf(chance)}[${JSON.stringify(event)},${payloadOf(chance, event)}]`)];
    }],
    [12, () => [text('2', `${idOf(chance)}[${chance.often(0.2) ? String(chance.below(100) - 50) : JSON.stringify(chance.pick(oddNames))},${anyJson(chance)}]`)]],
    [6, () => {
      const event = chance.pick(clientEventNames);
      const more = Array.from({ length: chance.below(4) }, () => `,${chance.often(0.5) ? payloadOf(chance, event) : anyJson(chance)}`);
      return [text('2', `${idOf(chance)}[${JSON.stringify(event)}${more.join('')}]`)];
    }],
    [6, () => [text('3', `${chance.often(0.9) ? String(chance.below(50)) : chance.pick(oddIds)}[${anyJson(chance)}]`)]],
    [8, () => {
      const fields = mutate(chance, { kind: 'state' }, 0.2).replace(/^\{(?<fields>.*)\}$/s, '$<fields>');
      const odd = noPlaceholder.test(fields) || !isJson(`{${fields}}`) || fields === '' ? '"kind":1' : fields;
      return [text('51-', `${idOf(chance)}["party:data",{${odd},"bytes":${placeholder}}]`), chance.bytes(chance.pick([0, 1, 64, 2_000]))];
    }],
    [1, () => ['6']],
  ])();
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What may end a connection, and must end nothing else. */
export function wild(chance: Chance, namespace: string): Packet[] {
  return chance.weighted<() => Packet[]>([
    [3, () => [chance.bytes(chance.below(200))]],
    [3, () => [chance.bytes(chance.below(200)).toString('latin1')]],
    [4, () => tame(chance, namespace).map((packet) => (typeof packet === 'string' ? packet.slice(0, chance.below(packet.length + 1)) : packet))],
    [6, () => tame(chance, namespace).map((packet) => (typeof packet === 'string' ? flip(chance, packet) : packet))],
    [2, () => [...tame(chance, namespace), chance.bytes(8), chance.bytes(8)]],
    [2, () => [`45${chance.pick(['0', '1', '2', '10', '99999999999', '-1', '1.5', 'x', '', '1e1'])}-${namespace},["${chance.pick(clientEventNames)}",${chance.pick([placeholder, '{"_placeholder":true,"num":-1}', '{"_placeholder":true,"num":"x"}', '{"_placeholder":true,"num":1e9}'])}]`, chance.bytes(4)]],
    [2, () => [`46${chance.pick(['1', '2', 'x'])}-${namespace},${String(chance.below(9))}[${placeholder}]`, chance.bytes(4)]],
    [2, () => [`40${namespace},${anyJson(chance)}`]],
    [1, () => [`41${namespace},${chance.often(0.5) ? '' : anyJson(chance)}`, `42${namespace},["session:ping",{"atMs":1}]`]],
    [1, () => [`44${namespace},${anyJson(chance)}`]],
    [1, () => [`42${namespace},["${chance.pick(['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'])}",{}]`]],
    [2, () => [chance.pick(['', '0', '0{}', '1', '2', '2probe', '3probe', '5', '7', '8', '9', 'b', 'b====', 'bAAAA', '\u0000', '\u001e', '4', '42', '43', '45', '450-', '451-', '4\u001e4'])]],
    [1, () => Array.from({ length: 1 + chance.below(8) }, () => chance.pick(['3', '6']))],
    [1, () => [`451-${namespace},["party:data",${nested('[', ']', 25_000)}]`, chance.bytes(4)]],
    [1, () => [`42${namespace},["${'y'.repeat(chance.pick([60_000, 65_000, 70_000]))}"]`]],
  ])();
}

/** Packets of somebody who shows no token, or a bad one: at most three namespaces, and whatever may be in them. */
export function strange(chance: Chance): Packet[] {
  const names = ['/realm/main', '/', '/realm/nowhere', `/${'n'.repeat(chance.below(300))}`, '/realm/__proto__', '/realm/main?token=x', '/realm/../main', '/\u0000'];
  const auths = ['', '{}', `{"token":${anyJson(chance)}}`, '{"token":"eyJhbGciOiJub25lIn0.eyJzdWIiOiJwMSJ9."}', `{"token":"${'a.'.repeat(1_000)}"}`, `{"protocol":${anyJson(chance)},"token":"x.y.z"}`, `{"pid":${anyJson(chance)},"offset":${anyJson(chance)}}`, mutate(chance, { token: 'x.y.z', protocol: 1, device: 'd', pid: 'p', offset: '0-0' }, 0.3)];
  const first = chance.below(names.length);
  return [0, 1, 2].map((step) => {
    const auth = chance.pick(auths);
    return `40${names[(first + step) % names.length] ?? '/'},${auth.startsWith('{') ? auth : ''}`;
  });
}

function flip(chance: Chance, text: string): string {
  const at = chance.below(text.length);
  const odd = chance.pick(['', '"', '{', '}', '[', ']', ',', '\\', '\u0000', '-', '9', '\ud800', text.charAt(chance.below(text.length)), String.fromCharCode(chance.below(65_536))]);
  return text.slice(0, at) + odd + text.slice(at + chance.below(3));
}
