// A part of a page that moves: the server says that something changed, htmx loads the part anew.
"use strict";
const bound = new WeakSet();
function bind(root) {
  for (const part of root.querySelectorAll("[data-live]")) {
    if (bound.has(part)) continue;
    bound.add(part);
    const source = new EventSource(part.dataset.live);
    source.addEventListener("changed", () => (part.isConnected ? htmx.trigger(part, "changed") : source.close()));
    addEventListener("pagehide", () => source.close());
  }
}
bind(document);
// A part that was replaced as a whole may move on, or have come to its end.
document.addEventListener("htmx:load", () => bind(document));
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
});

// A log that grows: lines come one by one and are written together, the oldest go from the page where they are many.
const MOST_LINES = 3000;
for (const log of document.querySelectorAll("[data-log]")) {
  let waiting = [];
  const source = new EventSource(`${log.dataset.log}?after=${log.dataset.after}`);
  const write = () => {
    const atEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 40;
    const fresh = document.createDocumentFragment();
    for (const line of waiting.splice(0).slice(-MOST_LINES)) {
      const item = document.createElement("li");
      item.className = `${line.source} ${line.level}`;
      const time = document.createElement("time");
      time.dateTime = line.timestamp;
      time.textContent = line.timestamp.slice(11, 19);
      item.append(time, ` ${line.message}`);
      fresh.append(item);
    }
    log.append(fresh);
    while (log.childElementCount > MOST_LINES) log.firstElementChild.remove();
    document.querySelector("[data-empty]")?.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  };
  source.addEventListener("line", (event) => {
    if (waiting.push(JSON.parse(event.data)) === 1) setTimeout(write, 100);
  });
  source.addEventListener("end", () => source.close());
  addEventListener("pagehide", () => source.close());
  log.scrollTop = log.scrollHeight;
}

// A questionnaire is saved as it is answered: only what somebody touched, until its button saves all of it.
document.addEventListener("change", (event) => {
  const touched = event.target.form?.elements.touched;
  if (!touched || !event.target.name) return;
  const keys = new Set(touched.value.split(",").filter(Boolean));
  touched.value = [...keys.add(event.target.name.split(".")[0])].join(",");
}, true);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-all]");
  if (button) button.form.elements.touched.value = "";
}, true);
