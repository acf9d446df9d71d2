// A stdio MCP server as a process: one JSON-RPC message per line, each way.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export class Child {
  #process;
  #gone;

  /** Starts the command; `take` gets each message, `gone` is called at the end. */
  constructor([program, ...args], take, gone) {
    this.#process = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process.on('error', (error) => console.error(`bridge: ${error.message}`));
    this.#process.stdin.on('error', () => {}); // whoever writes to a server that ended learns it from `gone`
    createInterface({ input: this.#process.stdout }).on('line', (line) => take(JSON.parse(line)));
    this.#gone = once(this.#process, 'close').catch(() => {}).then(gone);
  }

  send(message) {
    this.#process.stdin.write(`${JSON.stringify(message)}\n`);
  }

  /** Closes its standard input, as hosts do, and waits for its end. */
  end() {
    this.#process.stdin.end();
    return this.#gone;
  }
}
