// A host that is npm @modelcontextprotocol/inspector on its command line; used as features.mjs says. Each
// method is a process and a handshake of its own, so it does only what can be done in one.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Inbox, main, spec, visit } from './features.mjs';

const run = promisify(execFile);
const inspector = fileURLToPath(new URL('../../../.world/npm/node_modules/.bin/mcp-inspector', import.meta.url));
// It gives a server a few variables only, as hosts do; the message bus must come along on purpose.
const bus = process.env.DBUS_SESSION_BUS_ADDRESS;
const environment = bus ? ['-e', `DBUS_SESSION_BUS_ADDRESS=${bus}`] : [];
const target = spec.url ? [spec.url] : [...environment, spec.command];

async function inspect(method, ...more) {
  const args = [inspector, '--cli', ...target, '--method', method, ...more];
  const { stdout } = await run(process.execPath, args, { cwd: '/', maxBuffer: 1 << 26 });
  return JSON.parse(stdout);
}

const pairs = (args = {}) => Object.entries(args).map(([name, value]) => `${name}=${value}`);

const lists = {};
/** A list, which is the same for as long as this takes. */
const listed = async (method, key) => (await (lists[method] ??= inspect(method)))[key];

await main(async () => {
  if (spec.url) await listed('tools/list', 'tools');
  await visit({
    inbox: new Inbox(),
    lacks: ['progress', 'cancel', 'elicit', 'sample', 'roots', 'log', 'complete', 'change'],
    tools: () => listed('tools/list', 'tools'),
    call: ({ name, arguments: args }) => inspect('tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args)),
    resources: () => listed('resources/list', 'resources'),
    templates: () => listed('resources/templates/list', 'resourceTemplates'),
    prompts: () => listed('prompts/list', 'prompts'),
    read: (uri) => inspect('resources/read', '--uri', uri),
    prompt: ({ name, arguments: args }) => inspect('prompts/get', '--prompt-name', name, '--prompt-args', ...pairs(args)),
    listen: async () => {},
  });
});
