// Opens a report in headless Chromium, uses it by keyboard, and prints what it saw as one JSON object.
//   node --import ../world/packages.mjs page.mjs FILE WORDS [SHOTS]
// WORDS are typed into the search; SHOTS is a directory for screenshots.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const [file, words, shots] = process.argv.slice(2);
const url = pathToFileURL(file).href;
const axe = await readFile(createRequire(new URL('../../.world/npm/', import.meta.url)).resolve('axe-core/axe.min.js'), 'utf8');
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--no-proxy-server'],
});

// Everything that a page might do and must not.
const watch = async (page) => {
  const seen = { requests: [], violations: [], errors: [], dialogs: 0 };
  page.on('request', (request) => { if (request.url() !== url) seen.requests.push(request.url()); });
  page.on('pageerror', (error) => seen.errors.push(String(error)));
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) seen.errors.push(message.text()); });
  page.on('dialog', async (dialog) => { seen.dialogs += 1; await dialog.dismiss(); });
  await page.exposeFunction('violated', (text) => seen.violations.push(text));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => window.violated(`${event.violatedDirective} ${event.blockedURI}`));
  });
  return seen;
};

const rowsInSight = (page) => page.locator('#rows tr[aria-rowindex]').count();

try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const seen = await watch(page);
  const began = performance.now();
  await page.goto(url);
  await page.waitForSelector('#find:not([hidden])');
  const opened = performance.now() - began;
  const counted = await page.innerText('#count');
  const inSight = await rowsInSight(page);

  const focused = [];
  for (let press = 0; press < 8; press++) {
    await page.keyboard.press('Tab');
    focused.push(await page.evaluate(() => document.activeElement.textContent.trim().slice(0, 40)));
  }

  // By keyboard alone: to the search, a row, its details, and back.
  await page.keyboard.press('/');
  const searching = performance.now();
  await page.keyboard.insertText(words);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => done())));
  const searched = performance.now() - searching;
  const found = await page.innerText('#count');
  let details = '', visible = false, closed = false, back = '', last = '';
  if (await rowsInSight(page) > 0) {
    await page.keyboard.press('ArrowDown');
    visible = await page.evaluate(() => {
      const { top, bottom } = document.activeElement.getBoundingClientRect();
      return top > 0 && bottom < innerHeight;
    });
    await page.keyboard.press('Enter');
    details = await page.innerText('#record');
    await page.keyboard.press('Enter');
    closed = !(await page.isVisible('#record'));
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    back = await page.evaluate(() => document.activeElement.closest('#rows') ? 'row' : document.activeElement.id);
    await page.keyboard.press('/');
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.press('Delete');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('End');
    last = await page.evaluate(() => document.activeElement.textContent);
  }
  const hostile = await page.evaluate(() => ({
    ran: window.ran === undefined ? null : String(window.ran),
    elements: document.querySelectorAll('img, iframe, object, embed, link, base, [onerror], [onclick], [onload], [style]:not(td.fill)').length,
    scripts: document.scripts.length,
  }));

  // The judge's own script needs a page that is less strict than ours; a second copy is for it.
  const judged = {};
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 1620 }, colorScheme, bypassCSP: true });
    const copy = await context.newPage();
    await copy.goto(url);
    await copy.waitForSelector('#find:not([hidden])');
    await copy.evaluate(axe);
    const result = await copy.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    judged[colorScheme] = result.violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary}`).join(' | ')}`);
    if (shots) {
      await copy.screenshot({ path: `${shots}/${colorScheme}.png` });
      await copy.screenshot({ path: `${shots}/${colorScheme}-whole.png`, fullPage: true });
    }
    await context.close();
  }

  await page.emulateMedia({ media: 'print' });
  await page.waitForSelector('#printed:not(:empty)');
  const printed = { rows: await rowsInSight(page), note: await page.innerText('#printed') };
  if (shots) {
    await page.pdf({ path: `${shots}/print.pdf`, format: 'A4' });
    await page.setViewportSize({ width: 720, height: 1000 });
    await page.screenshot({ path: `${shots}/print.png`, fullPage: true });
    await page.emulateMedia({ media: 'screen', colorScheme: 'light' });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.screenshot({ path: `${shots}/phone.png`, fullPage: true });
  }
  console.log(JSON.stringify({ opened, counted, inSight, searched, found, details, visible, closed, back, last, focused, hostile, judged, printed, ...seen }));
} finally {
  await browser.close();
}
