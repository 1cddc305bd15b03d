// What every page does: times in the reader's zone, changes with the session's token, faults in words.
"use strict";

const page = {
  token: document.querySelector("meta[name=csrf-token]")?.content ?? "",

  // A line at the foot of the page, read out by screen readers.
  say(text, seconds = 6) {
    const line = document.createElement("p");
    line.textContent = text;
    document.getElementById("messages").append(line);
    setTimeout(() => line.remove(), seconds * 1000);
  },

  // Times as the reader's own clock shows them; the exact one, in UTC, where the pointer rests.
  // Those of today without the date, but for those that ask for their full form.
  times(within = document) {
    const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
    const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
    const zoned = new Intl.DateTimeFormat(undefined, {
      hour: "numeric", minute: "2-digit", second: "2-digit", timeZoneName: "short",
    });
    const today = day.format(new Date());
    for (const time of within.querySelectorAll("time[data-local]")) {
      const at = new Date(time.dateTime);
      if (!time.title) time.title = time.textContent;
      if (time.dataset.local === "full") time.textContent = `${day.format(at)}, ${zoned.format(at)}`;
      else time.textContent = day.format(at) === today ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
    }
  },

  loginAgain() {
    const here = location.pathname.split("/").pop() + location.search;
    location.assign(`login?next=${encodeURIComponent(here)}`);
  },

  // fetch() of this service's own, as a script of the page. Throws an Error whose message may be
  // shown; `status` 0 where the service does not answer.
  async ask(address, options = {}) {
    const headers = { "HX-Request": "true", "X-CSRF-Token": page.token, ...options.headers };
    let answer;
    try {
      answer = await fetch(address, { ...options, headers });
    } catch (fault) {
      if (fault.name === "AbortError") throw fault;
      throw Object.assign(new Error("The service does not answer. Is it running?"), { status: 0 });
    }
    if (answer.status === 401) page.loginAgain();
    if (!answer.ok) {
      throw Object.assign(new Error(await page.reason(answer)), { status: answer.status });
    }
    return answer;
  },

  async reason(answer) {
    const text = await answer.text();
    if (answer.headers.get("content-type")?.includes("json")) return JSON.parse(text).detail;
    const said = new DOMParser().parseFromString(text, "text/html").body.textContent.trim();
    return said || `The service answered ${answer.status}.`;
  },
};

page.times();
document.addEventListener("htmx:config:request", (event) => {
  event.detail.ctx.request.headers["X-CSRF-Token"] = page.token;
});
document.addEventListener("htmx:after:swap", () => page.times());
document.addEventListener("htmx:response:error", (event) => {
  if (event.detail.ctx?.response?.status === 401) page.loginAgain();
});
document.addEventListener("htmx:error", () => page.say("The service does not answer. Is it running?"));
