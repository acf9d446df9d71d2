// A streamable HTTP server in front of a stdio MCP server, for a suite that speaks HTTP only. It passes
// messages on and understands of them what HTTP demands: which belong together, and whether headers fit.
//
//   node bridge.mjs [--prefix NAME__] [--transcript FILE] COMMAND [ARGUMENT…]
//
// Sessions (up to 2025-11-25) have a server each; requests that stand alone (2026-07-28) share one. The
// first line on standard output says where it listens. What it answers by itself, because stdio has no
// place for it: hosts and origins, content types, session ids, headers that differ from the body, HTTP
// statuses, and requests that only their header makes ones of 2026-07-28. Rewritten are names alone, and
// only with --prefix (bridge/prefix.mjs). What the server answers is never mended.
import http from 'node:http';
import { Alone } from './bridge/alone.mjs';
import { errorBody, sendJson } from './bridge/answer.mjs';
import { Mirrors, disagreement, foreign, isModern, unacceptable, unknownRevision } from './bridge/headers.mjs';
import { Prefix } from './bridge/prefix.mjs';
import { Sessions } from './bridge/sessions.mjs';

const args = process.argv.slice(2);
const option = (name) => (args[0] === name ? args.splice(0, 2)[1] : undefined);
const settings = {
  prefix: new Prefix(option('--prefix')),
  transcript: option('--transcript'),
  mirrors: new Mirrors(),
  command: args,
};
const sessions = new Sessions(settings);
const alone = new Alone(settings);

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const refuse = (response, { status, code, message }, id) => sendJson(response, status, errorBody(id, code, message));

function parse(body) {
  try {
    const message = JSON.parse(body);
    const isMessage = message?.jsonrpc === '2.0' && (message.method !== undefined || message.id !== undefined);
    return isMessage ? { message } : { refusal: { status: 400, code: -32600, message: 'not one message' } };
  } catch {
    return { refusal: { status: 400, code: -32700, message: 'not JSON' } };
  }
}

async function post(request, response) {
  const { headers } = request;
  const unfit = unacceptable(headers);
  if (unfit) return refuse(response, unfit);
  const { message, refusal } = parse(await read(request));
  if (refusal) return refuse(response, refusal);
  if (isModern(headers, message)) {
    const wrong = message.id === undefined ? undefined : disagreement(headers, message, settings.mirrors);
    return wrong ? refuse(response, wrong, message.id) : alone.post(message, response);
  }
  const unknown = message.method === 'initialize' ? undefined : unknownRevision(headers);
  return unknown ? refuse(response, unknown, message.id) : sessions.post(headers, message, response);
}

const methods = {
  POST: post,
  GET: ({ headers }, response) => sessions.get(headers, response),
  DELETE: ({ headers }, response) => sessions.delete(headers, response),
};

const server = http.createServer(async (request, response) => {
  if (foreign(request.headers)) return refuse(response, { status: 403, code: -32000, message: 'not from here' });
  const serve = methods[request.method];
  return serve ? serve(request, response) : response.writeHead(405, { allow: 'POST, GET, DELETE' }).end();
});

process.on('SIGTERM', async () => {
  server.close();
  await Promise.all([sessions.end(), alone.end()]);
  process.exit();
});

server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`listening http://127.0.0.1:${server.address().port}/mcp`);
});
