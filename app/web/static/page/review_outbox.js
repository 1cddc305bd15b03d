// What was decided, until the service has stored it: in memory, in the browser's storage, and sent
// again and again, one after the other. Each has its id from here: sent twice it is stored once.
"use strict";

class Outbox {
  static PREFIX = "goodsguard-review:";
  // These say that it can never be stored: the verdict is deleted, or the service does not take it.
  static FINAL = [404, 409, 422];
  static BEACON_BYTES = 30000; // browsers send about 64 KiB after a page is left

  // stored(item, answer), refused(item, reason), changed(): told as it goes on.
  constructor(who, told) {
    Object.assign(this, { who, told, items: [], fault: "", tries: 0, works: false, wake: null, last: 0 });
  }

  // An id of any kind that others cannot guess; crypto.randomUUID is there on https only.
  static id() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  // What this person left unsent, on this page or another one, in the order of deciding.
  restore() {
    try {
      const names = Object.keys(localStorage).filter((name) => name.startsWith(Outbox.PREFIX));
      const items = names.map((name) => JSON.parse(localStorage.getItem(name)));
      this.items.push(...items.filter((item) => item.who === this.who));
    } catch {
      return; // Forbidden, or not ours: nothing was left.
    }
    this.items.sort((one, other) => one.at - other.at);
    this.work();
  }

  // what: "decide" or "undo".
  add(what, verdict, body) {
    this.last = Math.max(Date.now(), this.last + 1);
    const item = { what, verdict, body, who: this.who, at: this.last };
    this.items.push(item);
    try {
      localStorage.setItem(Outbox.PREFIX + body.id, JSON.stringify(item));
    } catch {
      // Full or forbidden: it is in memory, and whoever leaves before it is sent is asked.
    }
    this.work();
    return item;
  }

  get verdicts() {
    return this.items.map((item) => item.verdict);
  }

  async work() {
    if (this.works) return;
    this.works = true;
    while (this.items.length) {
      const item = this.items[0];
      try {
        const answer = await (await this.send(item)).json();
        this.fault = "";
        this.tries = 0;
        this.forget(item);
        this.told.stored(item, answer);
      } catch (fault) {
        if (Outbox.FINAL.includes(fault.status)) {
          this.forget(item);
          this.told.refused(item, fault.message);
        } else {
          this.fault = fault.message;
          this.told.changed();
          await this.pause(Math.min(30, 2 ** this.tries++));
        }
      }
    }
    this.works = false;
    this.told.changed();
  }

  send(item) {
    const body = JSON.stringify(item.body);
    return page.ask(`review/${item.what}?id=${item.verdict}${this.told.query()}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
      keepalive: body.length < Outbox.BEACON_BYTES,
    });
  }

  forget(item) {
    this.items = this.items.filter((one) => one !== item);
    try {
      localStorage.removeItem(Outbox.PREFIX + item.body.id);
    } catch {
      // Was not there.
    }
  }

  pause(seconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, seconds * 1000);
      this.wake = () => (clearTimeout(timer), resolve());
    });
  }

  // Do not wait for the next try.
  now() {
    this.tries = 0;
    this.wake?.();
  }
}
