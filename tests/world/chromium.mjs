// A person with a real browser: opens the sign-in link, signs in, agrees, and prints what the last
// page shows as one JSON object.
//   node --import ./packages.mjs chromium.mjs LINK PERSON
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const [link, person] = process.argv.slice(2);
const provider = new URL(link).origin;
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

const browser = await chromium.launch({
  executablePath,
  // Background connections would only knock on a closed network; root needs no-sandbox.
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--no-proxy-server'],
});
try {
  const page = await browser.newPage();
  // The pages name fonts of another host, so `load` may never come.
  const ready = { waitUntil: 'domcontentloaded' };
  await page.route((url) => url.hostname !== '127.0.0.1' && url.hostname !== 'localhost', (route) => route.abort());
  await page.goto(link, ready);
  await page.fill('input[name=login]', person);
  await page.fill('input[name=password]', 'unused');
  await page.click('button[type=submit]');
  await page.waitForSelector('input[name=prompt][value=consent]', { state: 'attached' });
  await page.click('button[type=submit]');
  await page.waitForURL((url) => url.origin !== provider, ready);
  console.log(JSON.stringify({ url: page.url(), title: await page.title(), text: await page.innerText('body') }));
} finally {
  await browser.close();
}
