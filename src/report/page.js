// The table of records. Only the rows in sight are in the document; all text is set as text.
'use strict';
(() => {
  const ROW = 34, AROUND = 12, PRINTED = 60, MOST = 200;
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at('data').textContent);
  at('data').remove();
  const [SEQ, TIME, RESULT, PERSON, SERVER, TOOL, TOOK, POLICY, RULE, AGENT, CALL, TEXT, ANSWER] = data.columns.keys();
  const rows = data.rows.sort((a, b) => b[SEQ] - a[SEQ]), scroll = at('scroll'), body = at('rows');
  const number = new Intl.NumberFormat('en');
  const words = [];
  let found = rows, current = 0, shown = new Map(), onPaper = false;

  const two = (n) => String(n).padStart(2, '0');
  const time = (row) => {
    const d = new Date(row[TIME] + data.offset);
    return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
  };
  const results = { success: 'success', error: 'error', unknown: 'unknown', refused: 'refused', open: 'no outcome' };
  const result = (row) => results[row[RESULT]] || row[RESULT];
  const took = (row) => (row[TOOK] === null ? '' : row[TOOK] < 10000 ? `${number.format(row[TOOK])} ms` : `${number.format(Math.round(row[TOOK] / 100) / 10)} s`);
  const tool = (row) => [row[SERVER], row[TOOL]].filter(Boolean).join(' ');
  const rule = (row) => [row[POLICY], row[RULE]].filter(Boolean).join(' · ');

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  // What a row is searched by is made when it is first needed.
  const searched = (row, index) => {
    words[index] ??= `${row[SEQ]} ${time(row)} ${result(row)} ${[PERSON, SERVER, TOOL, POLICY, RULE, AGENT, CALL, TEXT, ANSWER].map((n) => row[n]).join(' ')}`.toLowerCase();
    return words[index];
  };

  const make = (index) => {
    const row = found[index], line = element('tr');
    line.setAttribute('aria-rowindex', index + 2);
    const open = element('button', row[SEQ]);
    open.type = 'button';
    open.tabIndex = index === current ? 0 : -1;
    open.setAttribute('aria-label', `Record ${row[SEQ]}`);
    open.addEventListener('click', () => { current = index; detail(row); });
    const first = element('td');
    first.append(open);
    line.append(first, element('td', time(row)), element('td', row[PERSON]), element('td', tool(row)),
      element('td', result(row), `r-${row[RESULT]}`), element('td', took(row), 'n'), element('td', rule(row) || row[TEXT]));
    return line;
  };

  const filler = (count) => {
    const line = element('tr'), cell = element('td', undefined, 'fill');
    line.setAttribute('aria-hidden', 'true');
    cell.colSpan = 7;
    cell.style.height = `${count * ROW}px`;
    line.append(cell);
    return line;
  };

  // Rows that stay keep their elements, and so the focus.
  const render = (from, to) => {
    const next = new Map();
    for (let index = from; index < to; index++) next.set(index, shown.get(index) || make(index));
    const held = document.activeElement && document.activeElement.closest('#rows tr');
    const lines = [...next.values()];
    if (from > 0) lines.unshift(filler(from));
    if (to < found.length) lines.push(filler(found.length - to));
    for (const line of [...body.children]) if (!lines.includes(line)) line.remove();
    lines.forEach((line, n) => { if (body.children[n] !== line) body.insertBefore(line, body.children[n] || null); });
    if (held && !body.contains(held)) scroll.focus({ preventScroll: true });
    shown = next;
  };

  const draw = () => {
    if (onPaper) return;
    const from = Math.max(0, Math.floor(scroll.scrollTop / ROW) - AROUND);
    render(from, Math.min(found.length, from + MOST, from + Math.ceil(scroll.clientHeight / ROW) + 2 * AROUND));
  };

  const redraw = () => { shown = new Map(); body.replaceChildren(); draw(); };

  const search = () => {
    const terms = at('query').value.toLowerCase().split(/\s+/).filter(Boolean), wanted = at('result').value;
    const isNote = (row) => !(row[RESULT] in results);
    found = terms.length === 0 && wanted === '' ? rows : rows.filter((row, index) =>
      (wanted === '' || (wanted === 'note' ? isNote(row) : row[RESULT] === wanted))
      && (terms.length === 0 || terms.every((term) => searched(row, index).includes(term))));
    current = 0;
    scroll.scrollTop = 0;
    at('table').setAttribute('aria-rowcount', found.length + 1);
    at('count').textContent = rows.length === 0 ? 'No rows in this period' : found.length === rows.length
      ? `${number.format(rows.length)} rows, the newest first`
      : `${number.format(found.length)} of ${number.format(rows.length)} rows match`;
    redraw();
  };

  const go = (index) => {
    if (found.length === 0) return;
    const before = shown.get(current);
    if (before) before.querySelector('button').tabIndex = -1;
    current = Math.max(0, Math.min(found.length - 1, index));
    const head = at('table').tHead.offsetHeight, top = current * ROW;
    if (top < scroll.scrollTop) scroll.scrollTop = top;
    const bottom = top + ROW + head - scroll.clientHeight;
    if (bottom > scroll.scrollTop) scroll.scrollTop = bottom;
    draw();
    const button = shown.get(current).querySelector('button');
    button.tabIndex = 0;
    button.focus({ preventScroll: true });
    scroll.scrollIntoView({ block: 'nearest' });
  };

  const detail = (row) => {
    at('record-h').textContent = `Record ${row[SEQ]}`;
    const members = [['Time', `${time(row)} ${data.zone}`], ['Person', row[PERSON]], ['Through', row[AGENT]], ['Server', row[SERVER]],
      ['Tool', row[TOOL]], ['Result', result(row)], ['Took', took(row)], ['Policy', row[POLICY]], ['Rule', row[RULE]],
      ['Call', row[CALL]], [row[RESULT] in results ? 'Arguments' : 'Said', row[TEXT]], ['Answer', row[ANSWER]]];
    at('members').replaceChildren(...members.filter(([, text]) => text).flatMap(([name, text]) => [element('dt', name), element('dd', text)]));
    at('record').showModal();
  };

  const keys = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12 };
  scroll.addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const inRow = event.target !== scroll;
    if (event.key in keys) go(inRow ? current + keys[event.key] : current);
    else if (event.key === 'Home') go(0);
    else if (event.key === 'End') go(found.length - 1);
    else return;
    event.preventDefault();
  });
  at('query').addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') { event.preventDefault(); go(0); }
  });
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, select, dialog[open]');
    if (event.key === '/' && !typing && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      at('query').focus({ preventScroll: true });
      at('find').scrollIntoView();
    }
  });
  at('find').addEventListener('submit', (event) => { event.preventDefault(); go(0); });
  at('query').addEventListener('input', search);
  at('result').addEventListener('change', search);
  scroll.addEventListener('scroll', draw, { passive: true });
  addEventListener('resize', draw);

  // Paper cannot be scrolled: it gets the newest rows, and says so.
  const paper = (isPaper) => {
    onPaper = isPaper;
    if (!isPaper) { at('printed').textContent = ''; redraw(); return; }
    const count = Math.min(PRINTED, found.length), whole = found;
    at('printed').textContent = `Printed are ${count === whole.length ? 'all' : 'the newest'} ${number.format(count)} of ${number.format(whole.length)} rows`
      + `${at('query').value ? ` that match “${at('query').value}”` : ''}; the file holds ${number.format(rows.length)}.`;
    shown = new Map();
    body.replaceChildren();
    found = whole.slice(0, count);
    render(0, count);
    found = whole;
  };
  const print = matchMedia('print');
  print.addEventListener('change', () => paper(print.matches));
  addEventListener('beforeprint', () => paper(true));
  addEventListener('afterprint', () => paper(print.matches));

  // In pauses, so that even the first search finds them made.
  const prepare = (from) => {
    for (let index = from; index < Math.min(from + 2000, rows.length); index++) searched(rows[index], index);
    if (from + 2000 < rows.length) setTimeout(prepare, 10, from + 2000);
  };

  at('find').hidden = false;
  scroll.hidden = false;
  search();
  setTimeout(prepare, 200, 0);
})();
