// Compares what the suite found directly and through chaperone.
//
// A failure through chaperone is excused by an entry of expected-failures.yaml alone, and an entry holds
// only while the same check fails in the same way without chaperone. A check that passes directly and is
// not made through chaperone is a failure too, unless `not_made` says why it cannot be.
import fs from 'node:fs';
import { parse } from 'yaml';
import { isFailure } from './suite.mjs';

export function readExpected(file) {
  const sections = Object.entries(parse(fs.readFileSync(file, 'utf8')));
  const entries = sections.flatMap(([kind, list]) => list.flatMap(({ scenarios, ...entry }) =>
    scenarios.map((scenario) => ({ ...entry, kind, scenario, used: false }))));
  for (const entry of entries) if (!entry.reason) throw new Error(`an entry without a reason: ${JSON.stringify(entry)}`);
  return entries;
}

/** One check among those of its scenario; ids are given to several checks of one scenario. */
const key = ({ id, name }) => `${id} ${name}`;

/** The codes that a message speaks of; its words are each server's own. */
const codes = (message = '') => message.match(/-32\d{3}|HTTP \d{3}/g) ?? [];

/** How a check fails, as a text to compare. */
const failure = (check) => [key(check), check.status, ...codes(check.errorMessage)].join(' ');

/** The checks that passed directly and were neither made nor decided through chaperone. */
function missing(direct, through) {
  const decided = new Set(through.filter(({ status }) => status !== 'SKIPPED').map(key));
  const failed = new Set(through.filter(isFailure).map(({ id }) => id));
  return direct.filter((one) => one.status === 'SUCCESS' && !decided.has(key(one)) && !failed.has(one.id));
}

const covers = (entry, kind, { revision, leg, scenario }, check) => entry.kind === kind
  && entry.scenario === scenario && entry.leg === leg && entry.revision === revision
  && (entry.check === undefined || entry.check === check.id);

function excuse(entries, kind, place, check) {
  const entry = entries.find((one) => covers(one, kind, place, check));
  if (entry) entry.used = true;
  return entry !== undefined;
}

/** What is wrong with a scenario, as a list that is empty when all is well. */
export function judge(place, direct, through, entries) {
  const wrong = [];
  const lost = (check) => excuse(entries, 'lost_in_translation', place, check);
  const report = (problem, check) => wrong.push({ ...place, problem, check: check.id, name: check.name,
    status: check.status, message: check.errorMessage, details: check.details });
  const known = direct.filter(isFailure).map(failure);
  for (const check of direct.filter(isFailure)) {
    if (!excuse(entries, 'failures', place, check)) report('fails directly', check);
  }
  for (const check of through?.filter(isFailure) ?? []) {
    if (lost(check)) continue;
    if (!excuse(entries, 'failures', place, check)) report('fails', check);
    else if (!known.includes(failure(check))) report('fails otherwise than directly', check);
  }
  for (const check of through ? missing(direct, through) : []) {
    if (!lost(check) && !excuse(entries, 'not_made', place, check)) report('is not made', check);
  }
  return wrong;
}

/** Entries for which nothing fails any more; they have to go. */
export const stale = (entries, wanted) => entries.filter((entry) => !entry.used && wanted(entry));
