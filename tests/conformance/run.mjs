// Runs the MCP conformance suite against chaperone, both ways, and directly beside it.
//
//   node --import ../world/packages.mjs run.mjs [--only PATTERN] [--revision REVISION] [--keep DIRECTORY] [--era ERA]
//
// As a server: suite -> bridge.mjs -> chaperone -> fixture.mjs; directly: suite -> fixture.mjs.
// As a client: client.mjs -> chaperone -> suite; directly: client.mjs -> suite.
// chaperone is what HOST_COMMAND and HOST_CONFIG say (see client.mjs); without them the suite runs
// directly only. What may fail is in expected-failures.yaml, and verified (run/judge.mjs). With --keep
// the directory has, at the end, `wrong.json`, all that the suite and the parts wrote (also what the
// client printed), and `bridge.jsonl`, every message between the bridge and chaperone. With --era
// `legacy` the server behind chaperone is one that knows nothing of 2026-07-28, to see what translation
// makes of it, with `modern` one that knows nothing else; the client's scenarios are left out then.
//
// Left out are the client's scenarios `auth/*`: they want a client that signs in at each server with
// OAuth by itself. chaperone signs the person in at the company's provider, and its servers are given
// as `auth = "none"` here; its own sign-in is tested in tests/whole.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isFailure, runClient, runServer, runServerAgain, scenarios, script, start } from './run/suite.mjs';
import { judge, readExpected, stale } from './run/judge.mjs';

const REVISIONS = ['2025-11-25', '2026-07-28'];
// A machine that is busy misses the deadlines in these, so they may be tried again.
const TIMED = ['sse-retry', 'server-stateless'];
const ATTEMPTS = 3;
const EXPECTED = fileURLToPath(new URL('expected-failures.yaml', import.meta.url));

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' }, revision: { type: 'string' }, keep: { type: 'string' },
    era: { type: 'string', default: '' },
  },
});
const chosen = new RegExp(options.only);
const revisions = options.revision ? [options.revision] : REVISIONS;
const throughChaperone = process.env.HOST_COMMAND !== undefined;
const directory = options.keep ?? fs.mkdtempSync(path.join(os.tmpdir(), 'conformance-'));
fs.mkdirSync(directory, { recursive: true });

async function again(attempt) {
  let checks;
  for (let count = 0; count < ATTEMPTS; count += 1) {
    checks = await attempt();
    if (!checks.some(isFailure)) break;
  }
  return checks;
}

async function serverLeg(names, revision, mode, url) {
  const place = path.join(directory, mode, revision, 'server');
  const alone = (name) => runServerAgain(name, revision, url, place);
  const found = options.only === '' ? await runServer(names, revision, url, place) : new Map();
  for (const name of names.filter((one) => !found.has(one))) found.set(name, await alone(name));
  for (const name of names.filter((one) => TIMED.includes(one))) {
    if (found.get(name).some(isFailure)) found.set(name, await again(() => alone(name)));
  }
  return found;
}

async function clientLeg(names, revision, mode) {
  const place = path.join(directory, mode, revision, 'client');
  const env = mode === 'direct' ? { HOST_COMMAND: '' } : {};
  const found = new Map();
  for (const name of names) {
    const attempt = () => runClient(name, revision, place, env);
    found.set(name, await (TIMED.includes(name) ? again(attempt) : attempt()));
  }
  return found;
}

/** Writes chaperone's configuration for a server, and returns the command that starts it. */
function chaperone(name, url) {
  const file = path.join(directory, `${name}.toml`);
  const template = fs.readFileSync(process.env.HOST_CONFIG, 'utf8');
  fs.writeFileSync(file, template.replaceAll('{url}', url).replaceAll('{name}', name), { mode: 0o600 });
  return JSON.parse(process.env.HOST_COMMAND).map((part) => part.replace('{config}', file));
}

async function everyLeg() {
  const log = path.join(directory, 'parts.log');
  const fixture = (ERA) => start(script('tests/conformance/fixture.mjs'), log, { ERA });
  const parts = [await fixture('')];
  const places = { direct: parts[0].url };
  if (throughChaperone) {
    const name = 'peer';
    parts.push(await fixture(options.era));
    const transcript = path.join(directory, 'bridge.jsonl');
    const bridge = script('tests/conformance/bridge.mjs', '--prefix', `${name}__`, '--transcript', transcript);
    parts.push(await start([...bridge, ...chaperone(name, parts[1].url)], log));
    places.through = parts[2].url;
  }
  const found = [];
  for (const revision of revisions) {
    const all = await scenarios(revision);
    const server = all.server.filter((name) => chosen.test(name));
    const client = options.era ? [] : all.client.filter((name) => !name.startsWith('auth/') && chosen.test(name));
    for (const [mode, url] of Object.entries(places)) {
      found.push({ revision, leg: 'server', mode, scenarios: await serverLeg(server, revision, mode, url) });
      found.push({ revision, leg: 'client', mode, scenarios: await clientLeg(client, revision, mode) });
    }
  }
  for (const part of parts.reverse()) await part.end();
  return found;
}

const tally = (checks) => checks && `${checks.filter(({ status }) => status === 'SUCCESS').length}/${
  checks.filter(({ status }) => status !== 'SKIPPED').length}`;

const WIDTHS = [10, 6, 46, 8, 8, 0];
const row = (...cells) => console.log(cells.map((cell = '-', index) => cell.padEnd(WIDTHS[index])).join(' ').trimEnd());

/** Prints a line for each scenario, and returns all that is wrong. */
function compare(found, entries) {
  const wrong = [];
  row('revision', 'leg', 'scenario', 'direct', 'through');
  for (const { revision, leg, scenarios: direct } of found.filter(({ mode }) => mode === 'direct')) {
    const other = found.find((one) => one.revision === revision && one.leg === leg && one.mode === 'through');
    for (const [scenario, checks] of direct) {
      const through = other?.scenarios.get(scenario);
      const problems = judge({ revision, leg, scenario }, checks, through, entries);
      row(revision, leg, scenario, tally(checks), tally(through), problems.length > 0 ? 'WRONG' : '');
      wrong.push(...problems);
    }
  }
  return wrong;
}

const entries = readExpected(EXPECTED)
  .filter(({ kind, era }) => kind !== 'lost_in_translation' || era === options.era);
const found = await everyLeg();
const wrong = compare(found, entries);
const ran = (entry) => revisions.includes(entry.revision) && chosen.test(entry.scenario)
  && (throughChaperone || entry.kind === 'failures') && (options.era === '' || entry.leg === 'server');
for (const entry of stale(entries, ran)) wrong.push({ ...entry, problem: 'is expected, and does not happen any more' });

for (const { revision, leg, scenario, check, name, problem, message } of wrong) {
  console.log(`\n${revision} ${leg} ${scenario}: ${check ?? 'all of it'}${name ? ` (${name})` : ''} ${problem}`);
  if (message) console.log(`  ${message.trim().replaceAll('\n', '\n  ')}`);
}
const verdict = wrong.length === 0 ? 'all is as expected' : `${wrong.length} things are not as expected`;
console.log(`\n${verdict}; left out: client auth/* (chaperone signs in by itself)`);
if (options.keep) fs.writeFileSync(path.join(directory, 'wrong.json'), JSON.stringify(wrong, null, 2));
else fs.rmSync(directory, { recursive: true });
process.exitCode = wrong.length === 0 ? 0 : 1;
