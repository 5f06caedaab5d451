import { clientEventNames, clientEvents, deliveryClassOf, serverEventNames, serverEvents } from '@skirmish/protocol';
import { jsonSchemaOf } from './json-schema.ts';

type Json = Record<string, unknown>;

const channel = { $ref: '#/channels/realm' };
const message = (name: string): Json => ({ $ref: `#/channels/realm/messages/${name}` });
/** Both directions have a `chat:typing`, so the direction is part of the key; `:` would have to be escaped in references. */
const keyOf = (direction: 'send' | 'receive' | 'answer', event: string): string => `${direction}.${event.replaceAll(':', '.')}`;

/**
 * The AsyncAPI 3 document of the realtime protocol, made from the contract. As seen by a client: it sends what the server takes, and
 * receives the rest. What a document of schemas cannot say (order, resume, rates) stands in PROTOCOL.md.
 */
export function asyncApiOf(version: string): Json {
  return {
    asyncapi: '3.0.0',
    info: { title: 'Skirmish realtime protocol', version, description: 'Socket.IO 4, one namespace per realm, one object per event. As seen by a client.' },
    defaultContentType: 'application/json',
    servers: { gateway: { host: 'localhost', protocol: 'socketio', pathname: '/socket.io/' } },
    channels: { realm: { address: '/realm/{realmId}', parameters: { realmId: { description: 'The realm; the default one is main.' } }, messages: messages() } },
    operations: operations(),
  };
}

function messages(): Record<string, Json> {
  const sent = clientEventNames.flatMap((event) => [
    [keyOf('send', event), { name: event, payload: jsonSchemaOf(clientEvents[event].payload) }],
    [keyOf('answer', event), { name: event, title: `acknowledgement of ${event}`, payload: jsonSchemaOf(clientEvents[event].answer) }],
  ]);
  const received = serverEventNames.map((event) => [
    keyOf('receive', event),
    { name: event, summary: `class ${deliveryClassOf(event)}`, payload: jsonSchemaOf(serverEvents[event].schema) },
  ]);
  const own = [keyOf('receive', 'app:name'), { name: 'app:<name>', summary: 'class critical unless said otherwise', payload: { type: 'object' } }];
  return Object.fromEntries([...sent, ...received, own]) as Record<string, Json>;
}

function operations(): Record<string, Json> {
  const sent = clientEventNames.map((event) => {
    const reply = { channel, messages: [message(keyOf('answer', event))] };
    return [keyOf('send', event), { action: 'send', channel, messages: [message(keyOf('send', event))], reply }];
  });
  const received = [...serverEventNames, 'app:name'].map((event) => {
    const key = keyOf('receive', event);
    return [key, { action: 'receive', channel, messages: [message(key)] }];
  });
  return Object.fromEntries([...sent, ...received]) as Record<string, Json>;
}
