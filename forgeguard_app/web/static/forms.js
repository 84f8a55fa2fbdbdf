// Forms that lose nothing: confirmations that close with Escape, and a questionnaire that is saved on every way out.
"use strict";
const STORED = "forgeguard:";

function remembered(key, value) {
  try {
    if (value === undefined) return JSON.parse(localStorage.getItem(STORED + key));
    if (value === null) localStorage.removeItem(STORED + key);
    else localStorage.setItem(STORED + key, JSON.stringify(value));
  } catch {
    return null; // no storage in this browser, or it is full
  }
}

document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.activeElement?.closest("details.confirm[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// A page that could not be shown is loaded again once it can be, so that nothing moves under its reader before.
const retried = document.querySelector("[data-retry]");
if (retried) {
  setInterval(async () => {
    const answer = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } }).catch(() => null);
    if (answer && answer.status < 500) location.reload();
  }, retried.dataset.retry * 1000);
}

document.addEventListener("submit", (event) => {
  if (!/\/logout(\/everywhere)?$/.test(event.target.action)) return;
  // Nothing of a person stays in a browser that they leave.
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(STORED)) localStorage.removeItem(key);
  } catch {
    // there was no storage
  }
});

// A part of a page that cannot be loaded, as after the session ended: the whole page is opened, which says why and what to do.
document.addEventListener("htmx:responseError", ({ detail }) => {
  if (detail.requestConfig.verb === "get") location.assign(detail.pathInfo.finalRequestPath);
});

class Questionnaire {
  static LIMIT = 60000; // bytes that a browser sends of a page that it leaves
  static PAUSE_MS = 600;
  static LONGEST_MS = 20000;
  static WAITS_MS = [2000, 4000, 8000, 16000, 30000];

  constructor(form) {
    this.form = form;
    this.line = document.getElementById("saved");
    this.again = document.getElementById("retry");
    this.edits = new Map(); // what was changed and is not saved yet: question → number of its newest change
    this.held = new Set(); // what is saved at a button alone: refused, or somebody else changed it
    this.restored = new Set();
    this.changes = 0;
    this.failures = 0;
    this.number = 0;
    this.page = [...crypto.getRandomValues(new Uint8Array(12))].map((one) => one.toString(16).padStart(2, "0")).join("");
    this.listen();
    this.restore();
  }

  listen() {
    this.form.addEventListener("input", (event) => this.changed(event.target, Questionnaire.PAUSE_MS));
    this.form.addEventListener("change", (event) => this.changed(event.target, 0));
    this.form.addEventListener("click", (event) => this.clicked(event));
    this.form.addEventListener("submit", () => this.submitting());
    this.again.addEventListener("click", () => this.retry());
    addEventListener("online", () => this.retry());
    addEventListener("offline", () => this.edits.size && this.failed("You are offline."));
    addEventListener("pagehide", () => this.leave());
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      this.sent = false;
      this.retry();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.busy ? this.leave() : this.save();
    });
    addEventListener("beforeunload", (event) => {
      if (!this.sent && this.edits.size && (this.failures || !navigator.onLine || this.body([...this.edits.keys()], 0).length > Questionnaire.LIMIT))
        event.preventDefault();
    });
  }

  fieldset(key) {
    return this.form.querySelector(`[data-question="${CSS.escape(key)}"]`);
  }

  fields(key) {
    return [...this.fieldset(key).querySelectorAll("input[name], textarea[name], select[name]")];
  }

  changed(target, wait) {
    const set = target.closest("[data-question]"), key = set?.dataset.question;
    if (!set || !target.name || target.name.startsWith("base.")) return;
    if (wait) this.edits.set(key, ++this.changes); // every change comes as an input first
    else if (!this.edits.has(key)) return;
    this.restored.delete(key);
    this.sent = false;
    if (!set.querySelector("[data-conflict]")) this.held.delete(key);
    this.line.classList.add("pending");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), wait);
  }

  clicked(event) {
    const mine = event.target.closest('[name="mine"]'), theirs = event.target.closest("[data-theirs]");
    if (event.target.closest("[data-all]")) this.form.elements.touched.value = "";
    if (mine) {
      event.preventDefault();
      this.held.delete(mine.value);
      this.edits.set(mine.value, ++this.changes);
      this.save();
    } else if (theirs) {
      this.edits.delete(theirs.dataset.theirs);
      this.held.delete(theirs.dataset.theirs);
      this.remember();
    }
  }

  // The button sends all of the section as any form, so that it works without this script too.
  submitting() {
    this.form.elements["writer.page"].value = this.page;
    this.form.elements["writer.number"].value = this.next();
    this.remember(this.number);
    this.sent = true;
  }

  next() {
    return (this.number = Math.max(this.number + 1, Date.now()));
  }

  body(keys, number) {
    const body = new URLSearchParams();
    for (const name of ["csrf"]) body.append(name, this.form.elements[name].value);
    body.append("touched", keys.join(","));
    body.append("writer.page", this.page);
    body.append("writer.number", number);
    for (const key of keys) for (const field of this.fields(key)) body.append(field.name, field.value);
    return body.toString();
  }

  send(keys, number) {
    const body = this.body(keys, number);
    return fetch(this.form.action, {
      method: "POST",
      body,
      headers: { "Content-Type": "application/x-www-form-urlencoded", "X-Requested-With": "forgeguard", Accept: "text/html, application/problem+json" },
      keepalive: body.length < Questionnaire.LIMIT,
      signal: AbortSignal.timeout(Questionnaire.LONGEST_MS),
    });
  }

  waiting() {
    return [...this.edits.keys()].filter((key) => !this.held.has(key));
  }

  async save() {
    clearTimeout(this.timer);
    if (this.busy) return void (this.more = true);
    const keys = this.waiting();
    if (!keys.length) return;
    const before = new Map(this.edits), number = this.resumed ?? this.next();
    this.busy = true;
    this.resumed = undefined;
    this.line.classList.add("pending");
    try {
      const answer = await this.send(keys, number);
      const isPage = (answer.headers.get("Content-Type") || "").startsWith("text/html");
      if (isPage) this.saved(keys, before, new DOMParser().parseFromString(await answer.text(), "text/html"));
      else this.refused(answer.status, await answer.json());
    } catch {
      this.failed(navigator.onLine ? "ForgeGuard cannot be reached." : "You are offline.");
    }
    this.busy = false;
    if (this.more) {
      this.more = false;
      this.save();
    }
  }

  saved(keys, before, page) {
    const form = page.getElementById("answers");
    if (!form) return this.failed("The answer cannot be read.");
    this.failures = 0;
    for (const key of keys) {
      const ours = this.fieldset(key), theirs = form.querySelector(`[data-question="${CSS.escape(key)}"]`);
      const said = theirs.querySelector("[data-said]");
      ours.querySelector("[data-said]").replaceChildren(...said.childNodes);
      ours.querySelector('[name^="base."]').value = theirs.querySelector('[name^="base."]').value;
      const isWrong = ours.querySelector("[data-said] .wrong"), isConflict = ours.querySelector("[data-conflict]");
      for (const field of ours.querySelectorAll("[id^=q-]:not([data-said])")) {
        if (!field.name) continue;
        if (isWrong) field.setAttribute("aria-invalid", "true");
        else field.removeAttribute("aria-invalid");
      }
      if (isConflict) this.held.add(key);
      if (isConflict || isWrong) {
        // What is refused is sent again once it was changed, what is in conflict at its button.
        if (isWrong && this.edits.get(key) === before.get(key)) this.held.add(key);
        continue;
      }
      this.held.delete(key);
      if (this.edits.get(key) !== before.get(key)) continue;
      this.edits.delete(key);
      // What this browser had kept was saved before it was left, and may have changed since.
      if ("already" in theirs.dataset && this.restored.has(key)) ours.replaceWith(theirs);
    }
    for (const id of ["sections", "changes"]) document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
    this.remember();
    if (this.waiting().length) return this.save();
    if (this.edits.size) return this.say("Not all answers are saved; see what is said beside them.", true);
    this.say(`Saved ${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`);
  }

  refused(status, problem) {
    if (status === 403 && problem.csrf && !this.renewed) {
      // The same person signed in again meanwhile: their new session has another token.
      for (const field of document.querySelectorAll('input[name="csrf"]')) field.value = problem.csrf;
      this.renewed = this.more = true;
      return;
    }
    this.renewed = false;
    if (status === 401) return this.signedOut();
    if (status >= 500 || status === 429) return this.failed(problem.detail);
    this.failures++;
    this.remember();
    this.say(`Not saved: ${problem.detail}`, true);
  }

  signedOut() {
    this.failures++;
    this.remember();
    this.say("Not saved: you are signed out.", true);
    this.again.textContent = "Sign in and continue";
    this.isSignedOut = true;
  }

  failed(why) {
    const wait = Questionnaire.WAITS_MS[Math.min(this.failures, Questionnaire.WAITS_MS.length - 1)];
    this.failures++;
    this.remember();
    this.say(`Not saved. ${why} It is tried again by itself.`, true);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), wait);
  }

  retry() {
    if (this.isSignedOut) {
      // As any form: what was written is kept by the server until its person is signed in again.
      this.form.elements.touched.value = this.waiting().join(",");
      this.submitting();
      return this.form.submit();
    }
    for (const key of this.held) if (!this.fieldset(key).querySelector("[data-conflict]")) this.held.delete(key);
    this.save();
  }

  say(text, isBad = false) {
    this.line.classList.remove("pending");
    if (this.line.textContent !== text) this.line.textContent = text; // the same is not read out twice
    this.line.classList.toggle("wrong", isBad);
    this.again.hidden = !isBad;
    this.again.textContent = "Retry";
  }

  // The page is left, or may be ended without a word, as on a phone. The server knows the newest of two by their numbers.
  leave() {
    const keys = this.waiting(), number = this.resumed ?? this.next();
    if (this.sent) return;
    this.remember(number);
    if (!keys.length || this.isSignedOut) return;
    try {
      this.send(keys, number).catch(() => {});
    } catch {
      navigator.sendBeacon(this.form.action, new URLSearchParams(this.body(keys, number)));
    }
  }

  // What is not known to be saved is kept in this browser, until the section is open again.
  // Its number is one that no other save had, so that the server can tell whether it came.
  remember(number = this.next()) {
    if (!this.edits.size) return void remembered(this.form.dataset.save, null);
    const fields = {};
    for (const key of this.edits.keys()) fields[key] = this.fields(key).map((field) => [field.name, field.value]);
    remembered(this.form.dataset.save, { user: this.form.dataset.user, page: this.page, number, fields });
  }

  restore() {
    const kept = remembered(this.form.dataset.save);
    const [page, number] = this.form.dataset.accepted.split(":");
    if (!kept || kept.user !== this.form.dataset.user) return;
    if (kept.page === page && kept.number <= Number(number)) return void remembered(this.form.dataset.save, null);
    this.page = kept.page;
    this.number = this.resumed = kept.number;
    for (const [key, fields] of Object.entries(kept.fields)) {
      if (!this.fieldset(key)) continue;
      for (const [name, value] of fields) this.fill(key, name, value);
      this.edits.set(key, ++this.changes);
      this.restored.add(key);
    }
    this.save();
  }

  fill(key, name, value) {
    const named = () => this.fields(key).find((field) => field.name === name);
    const body = this.fieldset(key).querySelector("tbody");
    for (let tries = 0; body && !named() && tries < 400; tries++) {
      const row = body.lastElementChild.cloneNode(true), at = body.childElementCount;
      for (const field of row.querySelectorAll("[name]")) {
        field.name = field.name.replace(/\.\d+\./, `.${at}.`);
        field.setAttribute("aria-label", field.getAttribute("aria-label").replace(/\d+$/, at + 1));
        field.value = "";
      }
      body.append(row);
    }
    const field = named();
    if (field) field.value = value;
  }
}

const answers = document.querySelector("form[data-save]");
if (answers) new Questionnaire(answers);
