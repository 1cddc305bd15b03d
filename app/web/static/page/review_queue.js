// The photos to review: the next ones are fetched, with their pictures, while one is looked at.
// Each is on lease to this page; leases begin anew while somebody is here, and are given back.
"use strict";

class Card {
  // data: as `Card.for_script` of the service has it. plate, said: its parts of the page.
  constructor(data, plate, said) {
    Object.assign(this, data, { plate, said, drawn: null, stops: null, mine: null });
    this.boxes = (data.review?.boxes ?? []).map((box) => [...box]);
    this.note = data.review?.note ?? "";
    this.photo = plate.querySelector(".photo");
    this.loaded = this.photo ? this.load() : Promise.resolve();
  }

  static of(html) {
    // Not a DOMParser's document: pictures of that one are not loaded.
    const part = document.createRange().createContextualFragment(html).firstElementChild;
    page.times(part);
    return new Card(JSON.parse(part.dataset.card), part.querySelector(".plate"), part.querySelector(".said"));
  }

  // Until the picture can be painted; where the browser cannot show it, the small copy.
  async load() {
    if (await this.painted()) return;
    if (this.picture === "photo") {
      this.picture = "thumbnail";
      this.photo.src = `verdicts/${this.id}/thumbnail`;
      this.remark("This browser cannot show the photo as it was sent: this is its small copy.");
      if (await this.painted()) return;
    }
    this.picture = null;
    this.plate.textContent = "The photo cannot be shown.";
    this.plate.classList.add("none", "empty");
  }

  async painted() {
    try {
      await this.photo.decode();
    } catch {
      return false;
    }
    // Boxes are drawn in the pixels of the upright photo, so that is what must be seen.
    const { naturalWidth, naturalHeight } = this.photo;
    return this.picture !== "photo" || (naturalWidth === this.width && naturalHeight === this.height);
  }

  remark(text) {
    const line = document.createElement("p");
    line.className = "notice info";
    line.textContent = text;
    this.said.append(line);
  }

  // Fetch the overlay and lay it on the photo, once.
  draw() {
    if (!this.map) return Promise.resolve();
    this.drawn ??= this.fetchOverlay();
    return this.drawn;
  }

  async fetchOverlay() {
    this.stops = new AbortController();
    try {
      await this.loaded;
      const answer = await page.ask(`verdicts/${this.id}/overlay`, { signal: this.stops.signal });
      const overlay = new Image();
      overlay.className = "overlay";
      overlay.alt = "";
      overlay.src = URL.createObjectURL(await answer.blob());
      await overlay.decode();
      this.photo.after(overlay);
    } catch (fault) {
      this.drawn = null;
      if (fault.name === "AbortError") return;
      this.map = ![404, 409].includes(fault.status);
      if (!this.map) this.remark(`Outlines only: ${fault.message}`);
    }
  }

  // It is not looked at any more: what is still being drawn is not wanted.
  leave() {
    this.stops?.abort();
  }

  drop() {
    this.leave();
    const overlay = this.plate.querySelector(".overlay");
    if (overlay) URL.revokeObjectURL(overlay.src);
  }
}

class Queue {
  static AHEAD = 4;
  static HOLD_S = 100; // leases last 300 s
  static IDLE_S = 600; // nobody is here any more: others may have the photos
  static AGAIN_S = 3;
  static MOST_SKIPPED = 900;

  // told: arrived(), over(), lost(ids), trouble(reason), busy(): ids that are not to come again.
  constructor(sitting, category, told) {
    Object.assign(this, { sitting, category, told, ahead: [], given: null, skipped: new Set(), fills: false });
    this.none = false; // the service has said that nothing is left
    this.active = this.held = Date.now();
    for (const kind of ["pointerdown", "keydown", "visibilitychange"]) {
      document.addEventListener(kind, () => this.here(), { capture: true, passive: true });
    }
    setInterval(() => this.hold(), Queue.HOLD_S * 1000);
    addEventListener("pagehide", () => this.ask("release", { ids: [] }).catch(() => {}));
  }

  ask(what, body) {
    return page.ask(`review/${what}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ sitting: this.sitting, ...body }),
      keepalive: what === "release",
    });
  }

  take() {
    const card = this.ahead.shift() ?? null;
    this.given = card?.id; // not ahead any more, and not yet on the screen
    this.none = false;
    this.fill();
    return card;
  }

  async fill() {
    if (this.fills) return;
    this.fills = true;
    try {
      while (this.ahead.length < Queue.AHEAD) {
        const answer = await this.ask("next", { category: this.category || null, skip: this.known() });
        this.none = answer.status === 204;
        if (this.none) {
          this.told.over();
          break;
        }
        this.ahead.push(Card.of(await answer.text()));
        this.told.arrived();
      }
    } catch (fault) {
      this.told.trouble(fault.message);
      setTimeout(() => this.fill(), Queue.AGAIN_S * 1000);
    } finally {
      this.fills = false;
    }
  }

  // What must not come again: it is here, or is being stored, or was passed over.
  known() {
    const here = [...this.told.busy(), ...this.ahead.map((card) => card.id), ...this.skipped];
    return this.given ? [this.given, ...here] : here;
  }

  skip(card) {
    this.skipped.add(card.id);
    if (this.skipped.size > Queue.MOST_SKIPPED) this.skipped.delete(this.skipped.values().next().value);
    this.ask("release", { ids: [card.id] }).catch(() => {}); // else it ends by itself
  }

  // Somebody is at the page. Where they were away for long, others may have got the photos.
  here() {
    if (document.visibilityState !== "visible") return;
    this.active = Date.now();
    if (this.active - this.held > Queue.HOLD_S * 2000) this.hold();
  }

  async hold() {
    const away = Date.now() - this.active > Queue.IDLE_S * 1000;
    const ids = [...this.told.open(), ...this.ahead.map((card) => card.id)];
    if (away || document.visibilityState !== "visible" || !ids.length) return;
    this.held = Date.now();
    try {
      const { lost } = await (await this.ask("hold", { ids })).json();
      this.ahead = this.ahead.filter((card) => !lost.includes(card.id));
      if (lost.length) this.told.lost(lost);
    } catch {
      // The service is away; so are the others.
    }
  }
}
