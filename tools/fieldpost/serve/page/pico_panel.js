// MicroPython onto a Pico, by the drive that its bootloader shows.

import { download } from "./config_form.js";
import { h, replace, say } from "./dom.js";
import { Progress } from "./progress.js";
import { get, post } from "./server.js";

export function picoPanel(signal) {
  const choices = h("fieldset", { class: "choices" }, h("legend", null, "Which board is it?"), h("p", { class: "hint" }, "Reading the catalogue …"));
  const drive = h("b", null, "RPI-RP2");
  const progress = new Progress();
  const go = h("button", { type: "button", class: "strong", "data-do": "drive", disabled: true, onclick: putOn }, "Wait for the drive and copy");
  const stop = h("button", { type: "button", hidden: true, onclick: () => socket?.close() }, "Stop");
  const file = h("button", { type: "button", "data-do": "image", disabled: true, onclick: take }, "Get the file");
  const told = h("p", { class: "told", role: "status" });
  let boards = [];
  let socket = null;

  const chosen = () => boards.find((one) => one.board === choices.querySelector("input:checked")?.value);

  get("/api/set-up/pico").then((answer) => {
    boards = answer.boards;
    replace(choices, h("legend", null, "Which board is it?"), boards.map((one, at) =>
      h("label", { class: "row" }, h("input", { type: "radio", name: "pico", value: one.board, checked: at === 0, onchange: () => say(drive, one.drive) }),
        h("span", null, one.title, " ", h("small", null, `MicroPython ${one.version}${one.is_vouched_for ? "" : "; its first download is trusted, and remembered"}`)))));
    say(drive, boards[0]?.drive || "RPI-RP2");
    go.disabled = file.disabled = !boards.length;
  }).catch((error) => progress.over(error.message));

  function putOn() {
    progress.begin();
    go.disabled = true;
    stop.hidden = false;
    let isDone = false;
    const over = (text) => {
      isDone = true;
      progress.over(text);
      go.disabled = false;
      stop.hidden = true;
      socket?.close();
    };
    socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/drive`);
    socket.onopen = () => socket.send(JSON.stringify({ board: chosen().board }));
    socket.onclose = (event) => {
      if (!isDone) over(event.code === 1013 ? "Another page does this just now." : stop.hidden ? "fieldpost serve has gone." : "Stopped. A drive that was being copied to is finished.");
    };
    socket.onmessage = (event) => {
      const one = JSON.parse(event.data);
      if (one.kind === "failed") over(one.text);
      else if (one.kind === "done") {
        progress.step(`MicroPython ${one.micropython} is on it, and answers. Now choose the board below, and set it up.`, "done");
        over("");
      } else progress.told(one);
    };
  }

  async function take() {
    const { board, title } = chosen();
    file.disabled = true;
    say(told, "The image is fetched and checked …");
    try {
      const image = await post("/api/set-up/image", { board });
      const answer = await fetch(`/api/set-up/image/${encodeURIComponent(board)}`);
      const data = await answer.arrayBuffer();
      const hash = [...new Uint8Array(await crypto.subtle.digest("SHA-256", data))].map((one) => one.toString(16).padStart(2, "0")).join("");
      if (hash !== image.sha256) throw new Error("it came damaged, and was not kept");
      download(new Blob([data]), image.name);
      say(told, [...image.said, `${image.name} is in your downloads; its SHA-256 is right. Copy it to the drive ${image.drive} of the ${title}, which then vanishes: MicroPython is on it.`].join(" "));
    } catch (error) {
      say(told, `There is no file: ${error.message}`);
    }
    file.disabled = false;
  }

  signal.addEventListener("abort", () => socket?.close());
  return h("div", { class: "pico" }, choices,
    h("ol", null, h("li", null, "Unplug the board."), h("li", null, "Hold its button ", h("b", null, "BOOTSEL"), " down, plug it in, and let go."),
      h("li", null, "It shows itself as a drive, ", drive, ". Its other files stay.")),
    h("div", { class: "buttons" }, go, stop), progress.elements,
    h("details", null, h("summary", null, "The board hangs at another computer than fieldpost serve"),
      h("p", null, "Then the file comes to this one, and you copy it to the drive."), file, told));
}
