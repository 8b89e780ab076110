// A board at this computer's USB, lent to fieldpost serve for as long as the page wants.

// As the server's tools have it; the buffer is for a browser tab that is slow for a moment.
const OPTIONS = { baudRate: 115200, bufferSize: 16384 };
const AWAY_MS = 3000;
const GONE_MS = 60000;
const LOOK_MS = 250;

export const canSerial = () => Boolean(navigator.serial);

export class Board {
  // told: called with what the server says of the work. lost: with why it is over. away: with
  // whether the port is away for longer than a restart takes.
  constructor({ told, lost, away }) {
    this.told = told;
    this.lost = lost;
    this.away = away;
    this.isOver = false;
    // Nothing restarts the board meanwhile: a port that goes is a cable that was pulled.
    this.isWriting = false;
  }

  // To be called by a click: the browser asks which port, and only then.
  async open() {
    this.port = await navigator.serial.requestPort();
    this.others = (await navigator.serial.getPorts()).filter((one) => one !== this.port);
    await this.port.open(OPTIONS);
    this.socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/board`);
    this.socket.binaryType = "arraybuffer";
    await new Promise((done, failed) => {
      this.socket.onopen = done;
      this.socket.onerror = () => failed(new Error("fieldpost serve does not answer"));
    });
    this.socket.onclose = (event) => this.#end(event.code === 1013
      ? "As many boards as fieldpost serve takes at once are being set up: wait until one of them is done"
      : "fieldpost serve has gone: start it, and set the board up again");
    this.socket.onmessage = (event) => {
      if (typeof event.data === "string") this.told(JSON.parse(event.data));
      else this.#write(new Uint8Array(event.data));
    };
    this.#read();
  }

  ask(told) {
    this.isWriting = told.flash;
    this.socket.send(JSON.stringify(told));
  }

  // By a click, too: where the board has come back as what the browser takes for another.
  async chooseAgain() {
    this.chosen = await navigator.serial.requestPort();
  }

  // By the lines that a bridge has to EN and to BOOT, or a chip with USB of its own understands.
  async intoBootloader() {
    await this.#lines({ dataTerminalReady: false, requestToSend: true }, 100);
    await this.#lines({ dataTerminalReady: true, requestToSend: false }, 50);
    await this.#lines({ dataTerminalReady: false, requestToSend: false }, 300);
  }

  async restart() {
    this.isWriting = false;
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
      if (this.isWriting && !this.port.readable) {
        this.#end("The board’s port has gone while MicroPython was brought to it. The board is not lost, for nothing overwrites its bootloader: plug it in, and set it up again");
      } else if (!this.isOver && !(await this.#again())) {
        this.#end("The board’s port has gone: plug it in, and set it up again");
      }
    }
  }

  // A chip with USB of its own takes its port along when it restarts. It comes back as another
  // object, and an ESP32-S2 or S3 that now has MicroPython as another device.
  async #again() {
    if (this.port.readable) return true;
    await this.port.close().catch(() => {});
    const since = Date.now();
    let isAway = false;
    while (!this.isOver && Date.now() - since < GONE_MS) {
      for (const port of await this.#candidates()) {
        if (!(await port.open(OPTIONS).then(() => true, () => false))) continue;
        this.port = port;
        this.chosen = null;
        if (this.isOver) await port.close().catch(() => {});
        if (isAway) this.away(false);
        return true;
      }
      if (!isAway && Date.now() - since > AWAY_MS) this.away(isAway = true);
      await new Promise((done) => setTimeout(done, LOOK_MS));
    }
    return false;
  }

  async #candidates() {
    const { usbVendorId } = this.port.getInfo();
    const come = (await navigator.serial.getPorts()).filter((one) => !this.others.includes(one) && one.getInfo().usbVendorId === usbVendorId);
    return [...new Set([this.chosen, this.port, ...come])].filter(Boolean);
  }

  #end(why) {
    if (this.isOver) return;
    this.close();
    this.lost(why);
  }
}
