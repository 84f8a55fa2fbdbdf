// The hub: one event stream for all tabs of a browser. It runs in a shared worker, or in one tab where there is none.
// A tab says which parts it shows, each with its version; the hub follows all of them on one stream, and tells each tab
// what concerns it. A message of a tab is {parts: {subject: version}} or {bye: true}.
"use strict";
(() => {
  const JOIN_MS = 50; // parts that are named so close together are asked for together
  const REJOIN_MS = 500; // and a stream that was just opened is not replaced at once: tabs that are restored join in a row
  const LEAVE_MS = 2000; // the next page of a tab is there by then
  const SETTLE_MS = 1500; // a tab that was just rendered may know more than the stream has told so far
  const HELLO_MS = 6000; // a stream that says nothing by then is held back by a proxy
  const SILENT_MS = 50000; // more than two beats of the server
  const POLL_MS = 15000;
  const MOST_POLLS = 20; // then a stream is tried again: the proxy may have been slow, not deaf
  const FORGET_MS = 200000; // a tab says its parts again every 25 s, when it is hidden every minute
  const LONGEST_MS = 60000;
  const MOST_PARTS = 60; // as many as the server takes

  class Hub {
    constructor(tell) {
      this.tell = tell;
      this.tabs = new Map();
      this.known = new Map(); // subject → the version that the stream told last
      this.asked = new Set(); // the subjects of the open stream
      this.source = this.timer = null;
      this.planned = Infinity;
      this.openedAt = 0;
      this.greeted = false; // the open stream said hello
      this.waits = false; // somebody joined or left before it did
      this.notBefore = 0; // while the server is away
      this.failures = 0;
      this.polls = 0; // how many more times the server is polled, because no stream gets through
    }

    hear(tab, message) {
      if (message.bye) {
        this.tabs.delete(tab);
        if (this.tabs.size) this.plan(LEAVE_MS);
        else this.close();
        return;
      }
      const before = this.tabs.get(tab)?.parts;
      const parts = new Map(Object.entries(message.parts));
      this.tabs.set(tab, { parts, at: Date.now() });
      if (!before) this.notBefore = 0; // the server just gave this page
      // A log that joins is read from where this tab stands; the other tabs pass over what they have.
      const joins = [...parts.keys()].some((one) => !this.asked.has(one) || (one.startsWith("log/") && !before?.has(one)));
      if (joins) this.plan(Math.max(JOIN_MS, this.openedAt + REJOIN_MS - Date.now()));
      else if ([...(before?.keys() ?? [])].some((one) => !parts.has(one))) this.plan(LEAVE_MS);
      setTimeout(() => this.compare(tab), SETTLE_MS);
    }

    compare(tab) {
      for (const [subject, version] of this.tabs.get(tab)?.parts ?? []) {
        const known = this.known.get(subject);
        if (known !== undefined && known !== version && this.asked.has(subject)) this.tell(tab, { subject, version: known });
      }
    }

    // What all tabs follow, and from which version; where they differ, the server is asked for the one that holds.
    wanted() {
      const found = new Map();
      for (const [tab, { parts, at }] of this.tabs) {
        if (Date.now() - at > FORGET_MS) this.tabs.delete(tab);
        else {
          for (const [subject, version] of parts) {
            const other = found.get(subject);
            if (other === undefined) found.set(subject, version);
            else if (subject.startsWith("log/")) found.set(subject, String(Math.min(Number(other), Number(version))));
            else if (other !== version) found.set(subject, "");
          }
        }
      }
      for (const subject of [...found.keys()].slice(MOST_PARTS)) {
        found.delete(subject);
        for (const [tab, { parts }] of this.tabs) if (parts.has(subject)) this.tell(tab, { state: "full" });
      }
      return found;
    }

    plan(ms) {
      const at = Math.max(Date.now() + ms, this.notBefore);
      if (at >= this.planned) return;
      clearTimeout(this.timer);
      this.planned = at;
      this.timer = setTimeout(() => this.connect(), at - Date.now());
    }

    connect() {
      // However slow the server is, one stream replaces one: not a row of streams that nobody answered yet.
      if (this.source && !this.greeted && this.polls <= 0) {
        this.waits = true;
        this.planned = Infinity;
        return;
      }
      const wanted = this.wanted();
      this.close();
      if (!wanted.size) return;
      this.asked = new Set(wanted.keys());
      this.known = new Map([...wanted].filter(([subject, version]) => version && !subject.startsWith("log/")));
      const address = "/events?" + [...wanted].map(([subject, version]) => `of=${subject}~${encodeURIComponent(version)}`).join("&");
      if (this.polls-- > 0) return this.poll(`${address}&once=1`);
      this.polls = 0;
      this.openedAt = Date.now();
      const source = (this.source = new EventSource(address));
      for (const event of ["hello", "beat", "version", "gone", "full", "lines", "end"]) {
        source.addEventListener(event, ({ data }) => source === this.source && this.take(event, JSON.parse(data)));
      }
      source.onerror = () => source === this.source && this.again();
      this.watch(HELLO_MS, () => {
        this.polls = MOST_POLLS;
        this.plan(0);
      });
    }

    close() {
      clearTimeout(this.timer);
      clearTimeout(this.watcher);
      this.planned = Infinity;
      this.source?.close();
      this.source = null;
      this.greeted = this.waits = false;
      this.asked = new Set();
    }

    watch(ms, act) {
      clearTimeout(this.watcher);
      this.watcher = setTimeout(act, ms);
    }

    // The server went, or takes no more: later, and not all browsers at once.
    again() {
      this.close();
      this.failures += 1;
      if (this.failures > 2) for (const tab of this.tabs.keys()) this.tell(tab, { state: "away" });
      this.notBefore = Date.now() + Math.min(LONGEST_MS, 500 * 2 ** this.failures) * (0.5 + Math.random());
      this.plan(0);
    }

    take(event, data) {
      if (this.source) this.watch(SILENT_MS, () => this.again());
      if (event === "hello" || event === "beat") {
        if (this.failures > 2) for (const tab of this.tabs.keys()) this.tell(tab, { state: "back" });
        this.failures = 0;
        this.greeted = true;
        if (this.waits) this.plan(Math.max(JOIN_MS, this.openedAt + REJOIN_MS - Date.now()));
        this.waits = false;
        return;
      }
      if (event === "version") this.known.set(data.subject, data.version);
      for (const [tab, { parts }] of this.tabs) {
        const version = parts.get(data.subject);
        if (version === undefined) continue;
        if (event === "version" && version !== data.version) this.tell(tab, data);
        else if (event === "full") this.tell(tab, { state: "full" });
        else if (event === "lines") this.tellLines(tab, parts, data);
        else if (event !== "version") this.tell(tab, { subject: data.subject, [event]: true });
      }
    }

    tellLines(tab, parts, { subject, lines }) {
      const last = Number(parts.get(subject));
      const fresh = lines.filter((line) => line.number > last);
      if (!fresh.length) return;
      parts.set(subject, String(fresh.at(-1).number));
      this.tell(tab, { subject, lines: fresh });
    }

    async poll(address) {
      try {
        const answer = await fetch(address, { cache: "no-store" });
        if (!answer.ok) return this.again();
        for (const block of (await answer.text()).split("\n\n")) {
          const found = /^event: (\w+)\ndata: (.*)$/s.exec(block);
          if (found) this.take(found[1], JSON.parse(found[2]));
        }
        this.plan(POLL_MS * (0.75 + Math.random() / 2));
      } catch {
        this.again();
      }
    }
  }

  if ("SharedWorkerGlobalScope" in globalThis) {
    const hub = new Hub((port, message) => port.postMessage(message));
    addEventListener("connect", ({ ports: [port] }) => {
      port.onmessage = ({ data }) => hub.hear(port, data);
    });
  } else globalThis.ForgeGuardHub = Hub;
})();
