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
