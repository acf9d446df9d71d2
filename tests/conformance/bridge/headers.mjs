// What the protocol demands of HTTP headers, which stdio does not have. The bridge refuses what does not
// fit, and never changes what fits.

export const MODERN = '2026-07-28';
const LEGACY = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'];
const LOCAL = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';
const CAPABILITIES_KEY = 'io.modelcontextprotocol/clientCapabilities';

const refusal = (status, code, message) => ({ status, code, message });
const mismatch = (message) => refusal(400, -32020, message);

/** A page of elsewhere must not reach a server on loopback through a name that it controls. */
export function foreign({ host, origin }) {
  return !LOCAL.test(host ?? '') || (origin !== undefined && !LOCAL.test(origin.replace(/^https?:\/\//, '')));
}

export function unacceptable({ 'content-type': type = '', accept = '' }) {
  if (!/^application\/json\b/i.test(type)) return refusal(415, -32000, 'a request is application/json');
  const both = accept.includes('application/json') && accept.includes('text/event-stream');
  return both ? undefined : refusal(406, -32000, 'accept both application/json and text/event-stream');
}

const claim = ({ params }) => params?._meta?.[VERSION_KEY];

/** Whether a message is one of those that stand alone. */
export const isModern = (headers, message) =>
  headers['mcp-protocol-version'] === MODERN || claim(message) !== undefined;

/** Whether a request says what every request that stands alone has to say. */
export const isComplete = (message) =>
  claim(message) !== undefined && message.params._meta[CAPABILITIES_KEY] !== undefined;

export function unknownRevision({ 'mcp-protocol-version': version }) {
  return version === undefined || LEGACY.includes(version) ? undefined : refusal(400, -32000, `no such revision: ${version}`);
}

/** A text in a header: as it is, or wrapped as base64; undefined when the wrapping is broken. */
function decoded(value) {
  const wrapped = /^=\?base64\?(.*)\?=$/.exec(value)?.[1];
  if (wrapped === undefined) return value;
  const valid = wrapped.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(wrapped);
  return valid ? Buffer.from(wrapped, 'base64').toString() : undefined;
}

const NAMED_BY = {
  'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri',
  'tasks/get': 'taskId', 'tasks/update': 'taskId', 'tasks/cancel': 'taskId',
};

/** Compares the headers of a request that stands alone with its body. */
export function disagreement(headers, message, mirrors) {
  const version = headers['mcp-protocol-version'];
  // The header alone makes it such a request: over stdio nobody could say what it is.
  if (claim(message) === undefined) return refusal(400, -32602, `the header names ${version}, and _meta no revision`);
  if (version !== claim(message)) return mismatch('MCP-Protocol-Version is not the revision in _meta');
  if (headers['mcp-method'] !== message.method) return mismatch('Mcp-Method is not the method');
  const name = message.params[NAMED_BY[message.method]];
  const given = headers['mcp-name'];
  if (name !== undefined && (given === undefined || decoded(given) !== name)) return mismatch('Mcp-Name is not the name');
  return message.method === 'tools/call' ? mirrors.disagreement(headers, message.params) : undefined;
}

/** The arguments that tools want repeated in headers (`x-mcp-header`), learned from lists that pass by. */
export class Mirrors {
  #tools = new Map();

  learn(tools) {
    for (const { name, inputSchema } of tools) this.#tools.set(name, [...declarations(inputSchema)]);
  }

  disagreement(headers, { name, arguments: args }) {
    for (const { header, path } of this.#tools.get(name) ?? []) {
      const value = path.reduce((inner, key) => inner?.[key], args) ?? undefined;
      const given = headers[`mcp-param-${header.toLowerCase()}`];
      if (!agrees(given, value)) return mismatch(`Mcp-Param-${header} is not the argument`);
    }
    return undefined;
  }
}

function agrees(given, value) {
  if (given === undefined || value === undefined) return given === value;
  const text = decoded(given);
  return typeof value === 'number' ? Number(text) === value : text === String(value);
}

function* declarations(schema, path = []) {
  for (const [key, inner] of Object.entries(schema?.properties ?? {})) {
    if (inner['x-mcp-header'] !== undefined) yield { header: inner['x-mcp-header'], path: [...path, key] };
    yield* declarations(inner, [...path, key]);
  }
}
