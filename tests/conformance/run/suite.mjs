// Runs the conformance suite, and returns what it found: for each scenario the list of its checks.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = (file) => fileURLToPath(new URL(`../../../${file}`, import.meta.url));
const SUITE = repository('.world/npm/node_modules/@modelcontextprotocol/conformance/dist/index.js');
const PACKAGES = repository('tests/world/packages.mjs');

/** A script on the Node.js that runs this one, with the packages of the world. */
export const script = (file, ...args) => [process.execPath, '--import', PACKAGES, repository(file), ...args];

/** Runs a program to its end; returns its exit code and all that it printed. */
async function finish([program, ...args], env = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { output += chunk; });
  const [code] = await once(child, 'close');
  return { code, output };
}

/** Starts a part that says where it listens; returns the address and what ends it. */
export async function start([program, ...args], log, env = {}) {
  const stdio = ['ignore', 'pipe', fs.openSync(log, 'a')];
  const child = spawn(program, args, { stdio, env: { ...process.env, ...env } });
  const [line] = await once(child.stdout, 'data');
  const url = /^listening (\S+)/.exec(line)[1];
  return { url, end: () => { child.kill(); return once(child, 'close'); } };
}

/** The scenarios of a revision: those that it requires, and those that are run beside them. */
export async function scenarios(revision) {
  const { output } = await finish([process.execPath, SUITE, 'list', '--requirements', revision]);
  const found = { server: [], client: [] };
  let leg;
  for (const line of output.split('\n')) {
    leg = /^(Server|Client) scenarios/.exec(line)?.[1].toLowerCase() ?? leg;
    const [, name, own] = /^ *- (\S+)(?: \[(\w+)\])?$/.exec(line) ?? [];
    if (name) found[own ?? leg].push(name);
  }
  return found;
}

/** What the suite last wrote about a scenario, without what it only logged. */
function checks(directory, name) {
  const written = fs.existsSync(directory) ? fs.readdirSync(directory) : [];
  const ours = written.filter((one) => one.startsWith(name) && /^-\d{4}-\d\d-\d\dT/.test(one.slice(name.length))).sort();
  const file = path.join(directory, ours.at(-1) ?? '', 'checks.json');
  if (ours.length === 0 || !fs.existsSync(file)) {
    return [{ id: 'run', name: 'Run', status: 'FAILURE', errorMessage: 'the scenario did not come to its end' }];
  }
  return JSON.parse(fs.readFileSync(file, 'utf8')).filter(({ status }) => status !== 'INFO');
}

const suite = (...args) => [process.execPath, SUITE, ...args];
const alone = (scenario, revision) => ['--scenario', scenario, '--spec-version', revision, '--force'];

/** Runs all scenarios of a revision against a server, in one process. */
export async function runServer(names, revision, url, directory) {
  await finish(suite('server', '--url', url, '-o', directory, '--requirements', revision));
  return new Map(names.map((name) => [name, checks(directory, `server-${name}`)]));
}

export async function runServerAgain(name, revision, url, directory) {
  await finish(suite('server', '--url', url, '-o', directory, ...alone(name, revision)));
  return checks(directory, `server-${name}`);
}

export async function runClient(name, revision, directory, env) {
  // The suite's servers would listen on every interface.
  const loopback = ['--require', repository('tests/world/loopback-only.cjs')];
  const [node, ...rest] = suite('client', '--command', script('tests/conformance/client.mjs').join(' '), '-o', directory);
  const { code, output } = await finish([node, ...loopback, ...rest, ...alone(name, revision)], env);
  const found = checks(directory, name);
  if (code === 0 || found.some(isFailure)) return found;
  return [...found, { id: 'client', name: 'Client', status: 'FAILURE', errorMessage: output.slice(-2000) }];
}

export const isFailure = ({ status }) => status === 'FAILURE' || status === 'WARNING';
