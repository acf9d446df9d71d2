// The server that the conformance suite asks for: it has every tool, resource and prompt that a
// scenario names, and is made of the official SDK alone. Driven directly, it shows what the suite and
// the SDK make of each other; behind chaperone, what chaperone makes of both.
//
//   node --import ../world/packages.mjs fixture.mjs            streamable HTTP on a free port of loopback
//   node --import ../world/packages.mjs fixture.mjs --stdio    the same server on standard input and output
//
// Over HTTP it serves sessions (2025-11-25) and requests that stand alone (2026-07-28) at one address,
// which the first line on standard output says; with ERA=legacy or ERA=modern in the environment, the
// first or the second alone.
import {
  McpServer, createMcpHandler, hostHeaderValidationResponse, isLegacyRequest, localhostAllowedHostnames,
  localhostAllowedOrigins, originValidationResponse,
} from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { addAskingTools } from './fixture/asking.mjs';
import { addChanges, listeners } from './fixture/changes.mjs';
import { addContentTools, addPrompts, addResources } from './fixture/content.mjs';
import { addRounds, requestState } from './fixture/rounds.mjs';
import { serveSession } from './fixture/sessions.mjs';
import { addTaskTools, extensions, serveTasks } from './fixture/tasks.mjs';
import { listen } from './fixture/web.mjs';

const stdio = process.argv.includes('--stdio');
const changing = { listChanged: true };
const capabilities = {
  tools: changing, prompts: changing, resources: { subscribe: true, ...changing }, logging: {}, completions: {},
  extensions,
};

function makeServer({ era }) {
  const server = new McpServer({ name: 'conformance-fixture', version: '1.0.0' }, { capabilities, requestState });
  addContentTools(server);
  addAskingTools(server);
  addRounds(server);
  addChanges(server, stdio || era === 'legacy');
  addTaskTools(server);
  addResources(server);
  addPrompts(server);
  return server;
}

const onerror = (error) => console.error(error.message);

const only = process.env.ERA;
const keepsSession = async (request) => only === 'legacy' || (only !== 'modern' && await isLegacyRequest(request));

async function serveHttp() {
  const modern = createMcpHandler(makeServer, { legacy: 'reject', onerror });
  listeners.tools = modern.notify.toolsChanged;
  listeners.prompts = modern.notify.promptsChanged;
  const url = await listen(async (request) =>
    hostHeaderValidationResponse(request, localhostAllowedHostnames())
    ?? originValidationResponse(request, localhostAllowedOrigins())
    ?? ((await keepsSession(request)) ? serveSession(request, makeServer) : undefined)
    ?? (await serveTasks(request)) ?? modern.fetch(request));
  console.log(`listening ${url}/mcp`);
}

if (stdio) serveStdio(makeServer, { onerror });
else await serveHttp();
