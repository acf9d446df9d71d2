// A host that is npm @modelcontextprotocol/inspector on its command line; used like sdk.mjs.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const inspector = fileURLToPath(new URL('../../.world/npm/node_modules/.bin/mcp-inspector', import.meta.url));
const [tool, args, ...server] = process.argv.slice(2);

// It gives a server a few variables only, as hosts do; the message bus must come along on purpose.
const bus = process.env.DBUS_SESSION_BUS_ADDRESS;
const environment = bus ? ['-e', `DBUS_SESSION_BUS_ADDRESS=${bus}`] : [];

/** Runs the inspector once; each run is a process, a handshake and one method. */
function run(...method) {
  const stdout = execFileSync(process.execPath, [inspector, '--cli', ...environment, ...server, '--method', ...method], {
    cwd: '/', encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(stdout);
}

const named = Object.entries(JSON.parse(args)).flatMap(([name, value]) => [
  '--tool-arg', `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
]);
const { tools } = run('tools/list');
const result = run('tools/call', '--tool-name', tool, ...named);
console.log(JSON.stringify({
  tools: tools.map(({ name }) => name),
  is_error: result.isError ?? false,
  text: result.content.map((block) => block.text ?? '').join('\n'),
}));
