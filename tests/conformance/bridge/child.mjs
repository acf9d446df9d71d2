// A stdio MCP server as a process: one JSON-RPC message per line, each way.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createInterface } from 'node:readline';

export class Child {
  #process;
  #gone;
  #transcript;

  /** Starts the command; `take` gets each message, `gone` is called at the end. */
  constructor({ command: [program, ...args], transcript }, take, gone) {
    this.#transcript = transcript;
    this.#process = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process.on('error', (error) => console.error(`bridge: ${error.message}`));
    this.#process.stdin.on('error', () => {}); // whoever writes to a server that ended learns it from `gone`
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      this.#note('out', line);
      take(JSON.parse(line));
    });
    this.#gone = once(this.#process, 'close').catch(() => {}).then(gone);
  }

  send(message) {
    const line = JSON.stringify(message);
    this.#note('in', line);
    this.#process.stdin.write(`${line}\n`);
  }

  #note(way, line) {
    if (this.#transcript) fs.appendFileSync(this.#transcript, `{"pid":${this.#process.pid},"${way}":${line}}\n`);
  }

  /** Closes its standard input, as hosts do, and waits for its end. */
  end() {
    this.#process.stdin.end();
    return this.#gone;
  }
}
