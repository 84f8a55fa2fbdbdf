// Live pages. A part of a page carries what it shows (data-live) and its version (data-version). When the hub tells of another
// version the page is fetched, and the part is morphed: focus, selection, open details, scrolling and typed text stay.
"use strict";
(() => {
  const AGAIN_MS = 25000;
  const PACE_MS = 1000; // between two fetches of the page
  const MOST_FAILURES = 5;
  const MOST_LINES = 3000;
  const hubAddress = document.currentScript.dataset.hub;
  const status = document.getElementById("live-status");
  const told = new Map(); // subject → the version that was told last
  const stale = new Set(); // subjects whose part is to be fetched
  let link = null, fetchedAt = 0, fetching = false, failures = 0, timer = null, pressed = null, workerFailed = false;

  const partOf = (subject) => document.querySelector(`[data-live="${CSS.escape(subject)}"]`);
  const say = (text) => {
    if (status && status.textContent !== text) status.textContent = text;
  };

  // --- The way to the hub: a shared worker, else the one tab that holds the lock, else this tab alone.
  function connect(hear) {
    if ("SharedWorker" in window && !workerFailed) return shared(hear);
    if ("BroadcastChannel" in window && navigator.locks) return elected(hear);
    const hub = new ForgeGuardHub((_, message) => hear(message));
    return { send: (message) => hub.hear("alone", message), close: () => hub.close() };
  }

  function shared(hear) {
    const worker = new SharedWorker(hubAddress, "forgeguard");
    worker.onerror = () => {
      workerFailed = true;
      link = null;
      sayParts();
    };
    worker.port.onmessage = ({ data }) => hear(data);
    return { send: (message) => worker.port.postMessage(message), close: () => worker.port.close() };
  }

  function elected(hear) {
    const me = String(Math.random());
    const channel = new BroadcastChannel("forgeguard-live");
    const leaving = new AbortController();
    let hub = null, release = null;
    channel.onmessage = ({ data: { to, from, message } }) => {
      if (to === me) hear(message);
      else if (to === "hub") hub?.hear(from, message);
      else if (to === "all") sayParts();
    };
    navigator.locks.request("forgeguard-live", { signal: leaving.signal }, () => new Promise((done) => {
      release = done;
      hub = new ForgeGuardHub((tab, message) => (tab === me ? hear(message) : channel.postMessage({ to: tab, message })));
      channel.postMessage({ to: "all" }); // the hub is new: each tab says what it shows
      sayParts();
    })).catch(() => {}); // the tab left before it was its turn
    return {
      send: (message) => (hub ? hub.hear(me, message) : channel.postMessage({ to: "hub", from: me, message })),
      close: () => {
        hub?.close();
        release ? release() : leaving.abort();
        channel.close();
      },
    };
  }

  function parts() {
    const found = {};
    for (const part of document.querySelectorAll("[data-live]")) found[part.dataset.live] = part.dataset.version;
    for (const log of document.querySelectorAll("[data-log]")) found[log.dataset.log] = log.dataset.after;
    return found;
  }

  function sayParts() {
    const shown = parts();
    if (link) link.send({ parts: shown });
    else if (Object.keys(shown).length) {
      link = connect(hear);
      link.send({ parts: shown });
    }
  }

  function leave() {
    link?.send({ bye: true });
    link?.close();
    link = null;
  }

  function hear(message) {
    const { subject } = message;
    if (message.state === "away") say("Live updates are interrupted. Trying again…");
    else if (message.state === "back") say("Live updates are back.");
    else if (message.state === "full") say("Too many pages are open in this browser: not all of them update by themselves.");
    else if (message.lines) append(subject, message.lines);
    else if (message.end) finish(subject);
    else if (message.gone) lose(subject);
    else if (partOf(subject)?.dataset.version !== message.version && told.get(subject) !== message.version) {
      told.set(subject, message.version);
      stale.add(subject);
      refresh();
    }
  }

  // It is not shown to this person any more: they signed out elsewhere, or it was deleted.
  function lose(subject) {
    partOf(subject)?.removeAttribute("data-live");
    finish(subject);
    say("This page does not update any more: you signed out, or may not see it now. Reload it.");
    sayParts();
  }

  // --- Fetching and morphing.
  function refresh() {
    clearTimeout(timer);
    if (!stale.size || fetching || pressed || document.hidden) return;
    const rest = fetchedAt + PACE_MS * 2 ** failures - Date.now();
    if (rest > 0) timer = setTimeout(refresh, rest);
    else load();
  }

  // A page that answered a form stands at the form's address, which cannot be fetched.
  const address = () => document.getElementById("main").dataset.from || location.href.split("#")[0];

  async function load() {
    const subjects = [...stale];
    stale.clear();
    fetching = true;
    fetchedAt = Date.now();
    try {
      const answer = await fetch(address(), { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.status < 500 && (!answer.ok || answer.redirected)) return subjects.forEach(lose);
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      failures = 0;
      if (pressed) await new Promise((done) => (pressed.then = done)); // never under a finger
      for (const subject of subjects) morph(subject, page);
      document.title = page.title;
      sayParts();
    } catch {
      failures += 1;
      if (failures > MOST_FAILURES) say("This page could not be updated. Reload it.");
      else for (const subject of subjects) stale.add(subject);
    } finally {
      fetching = false;
      refresh();
    }
  }

  function morph(subject, page) {
    const part = partOf(subject);
    const fresh = part && page.getElementById(part.id);
    if (!fresh) return part?.removeAttribute("data-live");
    const before = part.dataset.said;
    Idiomorph.morph(part, fresh, { callbacks: { beforeNodeMorphed, beforeAttributeUpdated } });
    htmx.process(part);
    if (part.dataset.said && part.dataset.said !== before) say(part.dataset.said);
  }

  function beforeNodeMorphed(node) {
    if (node instanceof HTMLElement && node.matches("form[data-refused]")) return false; // it holds what somebody typed
    if (!(node instanceof HTMLElement) || !node.matches("input:not([type=hidden]), textarea, select")) return true;
    return node !== document.activeElement && !isTouched(node);
  }

  // Whether a details is open is the reader's.
  function beforeAttributeUpdated(name, node) {
    return !(name === "open" && node.nodeName === "DETAILS");
  }

  function isTouched(field) {
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.nodeName !== "SELECT") return field.value !== field.defaultValue;
    const first = [...field.options].findIndex((one) => one.defaultSelected);
    return field.selectedIndex !== Math.max(first, 0);
  }

  // Nothing is morphed between pressing and releasing a button: the click would be lost.
  addEventListener("pointerdown", () => (pressed = {}), true);
  for (const event of ["pointerup", "pointercancel", "dragend", "blur"]) {
    addEventListener(event, (happened) => pressed && (event !== "blur" || happened.target === window) && setTimeout(() => {
      pressed?.then?.();
      pressed = null;
      refresh();
    }), true);
  }

  // --- A log that grows: lines are written together, the oldest go from the page where they are many.
  const logOf = (subject) => document.querySelector(`[data-log="${CSS.escape(subject)}"]`);
  let waiting = [];

  function append(subject, lines) {
    const log = logOf(subject);
    if (!log) return;
    const last = Number(log.dataset.after);
    const fresh = lines.filter((line) => line.number > last);
    if (!fresh.length) return;
    log.dataset.after = fresh.at(-1).number;
    waiting = waiting.concat(fresh).slice(-MOST_LINES);
    if (!document.hidden) write(log);
  }

  function write(log) {
    const rows = document.createDocumentFragment();
    for (const line of waiting.splice(0)) rows.append(rowOf(line));
    keepPlace(log, () => {
      log.append(rows);
      while (log.childElementCount > MOST_LINES) log.firstElementChild.remove();
    });
    document.querySelector("[data-empty]")?.remove();
  }

  // As audit/plain_text.py: characters that act are shown instead.
  const ACTING = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
  const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

  function escaped(char) {
    const code = char.charCodeAt(0);
    return SHORT[char] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`);
  }

  function rowOf(line) {
    const row = document.createElement("li"), time = document.createElement("time"), text = document.createElement("bdi");
    row.className = `${line.source} ${line.level}`;
    time.dateTime = line.timestamp;
    time.textContent = line.timestamp.slice(11, 19);
    text.textContent = line.message.replace(ACTING, escaped);
    row.append(time, " ", text);
    return row;
  }

  // The box is laid out from its end (style.css): at its end it stays there by itself, elsewhere the reader's place is kept.
  function keepPlace(log, change) {
    const box = log.closest(".log"), top = box.scrollTop, height = box.scrollHeight;
    change();
    if (top < -1) box.scrollTop = top - (box.scrollHeight - height);
  }

  function finish(subject) {
    logOf(subject)?.removeAttribute("data-log");
    sayParts();
  }

  document.addEventListener("click", async (event) => {
    const earlier = event.target.closest("[data-earlier]");
    if (!earlier || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const answer = await fetch(earlier.href, { cache: "no-store" });
    if (!answer.ok || answer.redirected) return location.assign(earlier.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const log = document.querySelector(".log ol"), further = page.querySelector("[data-earlier]");
    log.prepend(...page.querySelectorAll(".log ol > li"));
    if (further) earlier.href = further.href;
    else earlier.remove();
  });

  // --- When.
  sayParts();
  setInterval(() => link && sayParts(), AGAIN_MS);
  document.addEventListener("htmx:load", sayParts);
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => event.persisted && sayParts());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    const log = document.querySelector("[data-log]");
    if (log && waiting.length) write(log);
    sayParts();
    refresh();
  });
})();

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
});
