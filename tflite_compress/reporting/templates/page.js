"use strict";
// A button beside each command copies it.
for (const command of document.querySelectorAll("pre.command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.textContent);
    } catch {
      getSelection().selectAllChildren(command);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  command.before(button);
}

// Values of plots and operators of graphs: shown on hover and focus; arrow keys move between them.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);
function showTip(mark) {
  tip.textContent = mark.getAttribute("aria-label");
  tip.hidden = false;
  const box = mark.getBoundingClientRect();
  const left = Math.min(box.right, document.documentElement.clientWidth - tip.offsetWidth - 4);
  tip.style.left = Math.max(4, left) + "px";
  tip.style.top = (box.top > tip.offsetHeight + 8 ? box.top - tip.offsetHeight - 4 : box.bottom + 4) + "px";
}
addEventListener("scroll", () => { tip.hidden = true; }, true);
for (const drawing of document.querySelectorAll("svg:has(.value)")) {
  const marks = [...drawing.querySelectorAll(".value")];
  for (const mark of marks) {
    mark.addEventListener("pointerenter", () => showTip(mark));
    mark.addEventListener("focus", () => showTip(mark));
    for (const end of ["pointerleave", "blur"]) mark.addEventListener(end, () => { tip.hidden = true; });
  }
  drawing.addEventListener("keydown", (event) => {
    if (event.key === "Escape") tip.hidden = true;
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const shown = marks.filter((mark) => !mark.classList.contains("off"));
    const next = shown[shown.indexOf(event.target.closest(".value")) + step];
    if (!next) return;
    for (const mark of marks) mark.setAttribute("tabindex", mark === next ? "0" : "-1");
    next.focus();
  });
}

// Entries of a legend switch their series on and off.
for (const entry of document.querySelectorAll(".legend li")) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-pressed", "true");
  button.append(...entry.childNodes);
  entry.append(button);
  button.addEventListener("click", () => {
    const off = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-pressed", String(!off));
    const drawing = entry.parentElement.previousElementSibling;
    const parts = drawing.querySelectorAll(`[data-series="${entry.dataset.series}"]`);
    for (const part of parts) part.classList.toggle("off", off);
    const marks = [...drawing.querySelectorAll(".value")];
    const first = marks.find((mark) => !mark.classList.contains("off"));
    for (const mark of marks) mark.setAttribute("tabindex", mark === first ? "0" : "-1");
  });
}

// Graphs: buttons and Ctrl with the wheel zoom, dragging moves.
for (const canvas of document.querySelectorAll(".canvas")) {
  const svg = canvas.querySelector("svg");
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  let scale = 1;
  function zoom(to) {
    const factor = Math.min(3, Math.max(0.05, to)) / scale;
    const x = (canvas.scrollLeft + canvas.clientWidth / 2) * factor;
    const y = (canvas.scrollTop + canvas.clientHeight / 2) * factor;
    scale *= factor;
    svg.setAttribute("width", width * scale);
    svg.setAttribute("height", height * scale);
    canvas.scrollTo(x - canvas.clientWidth / 2, y - canvas.clientHeight / 2);
  }
  const whole = () => zoom(Math.min(canvas.clientWidth / width, canvas.clientHeight / height));
  const bar = document.createElement("div");
  bar.className = "zoom";
  for (const [text, label, act] of [
    ["+", "Zoom in", () => zoom(scale * 1.3)],
    ["\u2212", "Zoom out", () => zoom(scale / 1.3)],
    ["100 %", "Zoom to 100 %", () => zoom(1)],
    ["whole", "Show the whole graph", whole],
  ]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.title = label;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", act);
    bar.append(button);
  }
  canvas.before(bar);
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(scale * (event.deltaY < 0 ? 1.1 : 1 / 1.1));
  }, { passive: false });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" && event.buttons === 1) canvas.scrollBy(-event.movementX, -event.movementY);
  });
}
