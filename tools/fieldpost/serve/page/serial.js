// A board at this computer's USB, lent to fieldpost serve for as long as the page wants.

export const canSerial = () => Boolean(navigator.serial);

export class Board {
  // told: called with what the server says of the work.
  constructor(told, lost) {
    this.told = told;
    this.lost = lost;
    this.isOver = false;
  }

  // To be called by a click: the browser asks which port, and only then.
  async open() {
    this.port = await navigator.serial.requestPort();
    await this.#openPort();
    this.socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/board`);
    this.socket.binaryType = "arraybuffer";
    await new Promise((done, failed) => {
      this.socket.onopen = done;
      this.socket.onerror = () => failed(new Error("fieldpost serve does not answer"));
    });
    this.socket.onclose = () => this.#end("fieldpost serve has gone");
    this.socket.onmessage = (event) => {
      if (typeof event.data === "string") this.told(JSON.parse(event.data));
      else this.#write(new Uint8Array(event.data));
    };
    this.#read();
  }

  ask(told) {
    this.socket.send(JSON.stringify(told));
  }

  // By the lines that a bridge has to EN and to BOOT, or a chip with USB of its own understands.
  async intoBootloader() {
    await this.#lines({ dataTerminalReady: false, requestToSend: true }, 100);
    await this.#lines({ dataTerminalReady: true, requestToSend: false }, 50);
    await this.#lines({ dataTerminalReady: false, requestToSend: false }, 300);
  }

  async restart() {
    await this.#lines({ dataTerminalReady: false, requestToSend: true }, 100);
    await this.#lines({ dataTerminalReady: false, requestToSend: false }, 0);
  }

  async #lines(signals, wait) {
    // A port that has no such lines, or is gone for a moment, says so; then a hand is needed.
    await this.port.setSignals(signals).catch(() => {});
    await new Promise((done) => setTimeout(done, wait));
  }

  async close() {
    this.isOver = true;
    this.socket?.close();
    await this.reader?.cancel().catch(() => {});
    await this.port?.close().catch(() => {});
  }

  async #openPort() {
    await this.port.open({ baudRate: 115200, bufferSize: 16384 });
  }

  // In the order in which it comes.
  #write(data) {
    this.writing = (this.writing || Promise.resolve()).then(async () => {
      const writer = this.port.writable?.getWriter();
      if (!writer) return;
      try {
        await writer.write(data);
      } finally {
        writer.releaseLock();
      }
    }).catch(() => {});
  }

  async #read() {
    while (!this.isOver) {
      try {
        this.reader = this.port.readable.getReader();
        for (;;) {
          const { value, done } = await this.reader.read();
          if (done) break;
          this.socket.send(value);
        }
      } catch {
        // It restarts, or was unplugged.
      } finally {
        this.reader?.releaseLock();
      }
      if (!this.isOver && !(await this.#again())) {
        this.#end("the board’s port has gone");
        return;
      }
    }
  }

  // A chip with USB of its own takes its port along when it restarts, and brings it back.
  async #again() {
    for (let tries = 0; tries < 40 && !this.isOver; tries += 1) {
      try {
        if (this.port.readable) return true;
        await this.port.close().catch(() => {});
        await this.#openPort();
        return true;
      } catch {
        await new Promise((done) => setTimeout(done, 250));
      }
    }
    return false;
  }

  #end(why) {
    if (this.isOver) return;
    this.close();
    this.lost(why);
  }
}
