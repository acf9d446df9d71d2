// A server whose requests stand alone (MCP 2026-07-28), on nothing but Node.js: it has tasks, answers
// methods that nobody knows, and changes its mind about which parameter a head has to repeat. Two of it
// call their tasks the same.
//
//   node plain.mjs <name>     the first line on standard output says where it listens
import { createServer } from 'node:http';

const name = process.argv[2] ?? 'plain';
let header = 'First';
const heard = [];

const tools = () => [
  { name: 'start', inputSchema: { type: 'object' } },
  {
    name: 'where',
    inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': header } } },
  },
];

const fail = (code, message, status = 400) => ({ status, error: { code, message } });

/** The value of a head, which is base64 where it would not be plain ASCII. */
const decoded = (value) => (value?.startsWith('=?base64?')
  ? Buffer.from(value.slice(9, -2), 'base64').toString() : value);

const methods = {
  'server/discover': () => ({
    supportedVersions: ['2026-07-28'],
    capabilities: { tools: {}, extensions: { 'io.modelcontextprotocol/tasks': {}, 'x.example/odd': { by: name } } },
    _meta: { 'io.modelcontextprotocol/serverInfo': { name, version: '1' } },
  }),
  'tools/list': () => ({ tools: tools() }),
  'tools/call': ({ name: tool, arguments: given }, heads) => {
    if (tool === 'start') return { resultType: 'task', taskId: 'task:1', status: 'working', ttlMs: null };
    if (decoded(heads[`mcp-param-${header.toLowerCase()}`]) !== given.region) return fail(-32020, `no Mcp-Param-${header}`);
    const text = `${given.region} under ${header}`;
    header = 'Second';
    return { content: [{ type: 'text', text }] };
  },
  'tasks/get': ({ taskId }, heads) => (heads['mcp-name'] === taskId && taskId === 'task:1'
    ? { taskId, status: 'completed', result: { content: [{ type: 'text', text: name }] } }
    : fail(-32602, 'no such task')),
  'odd/heard': () => ({ heard }),
  'odd/method': (params) => ({ echoed: params.odd ?? null, by: name }),
};

const server = createServer(async (request, response) => {
  if (request.method !== 'POST') return response.writeHead(405).end();
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { id, method, params } = JSON.parse(Buffer.concat(chunks));
  if (id === undefined) {
    const { _meta: terms, ...rest } = params ?? {};
    heard.push({ method, params: rest, terms: terms?.['io.modelcontextprotocol/protocolVersion'] });
    return response.writeHead(202).end();
  }
  const answer = methods[method]?.(params, request.headers) ?? fail(-32601, 'unknown method', 404);
  const { error } = answer;
  const outcome = error ? { error } : { result: { resultType: 'complete', ...answer } };
  response.writeHead(error ? answer.status : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id, ...outcome }));
});

server.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}/mcp`));
