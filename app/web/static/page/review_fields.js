// Review: buttons, fields and keys.
"use strict";

class ReviewFields {
  constructor(review) {
    this.review = review;
    this.$ = review.$;
    [this.defect, this.note] = [this.$("defect"), this.$("note")];
    this.types = [...this.$("frequent").children].map((button) => button.dataset.type);
    this.on = Stage.kept("review-keys", "on") === "on";
    this.buttons();
    this.typing();
    this.keys();
  }

  buttons() {
    const { review, $ } = this;
    const { stage, boxes } = review;
    const clicks = {
      overlay: () => this.overlay(), smaller: () => stage.smaller(), larger: () => stage.larger(),
      whole: () => stage.resize(1), pixels: () => stage.pixels(), draw: () => this.draw(),
      back: () => review.back(), undo: () => review.undo(), "nothing-back": () => review.back(),
      "box-add": () => this.add(), "box-found": () => boxes.found(),
      "keys-open": () => $("keys").showModal(), "send-again": () => review.outbox.now(),
      "skipped-again": () => review.skippedAgain(),
    };
    for (const [id, act] of Object.entries(clicks)) $(id).addEventListener("click", act);
    review.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const decision = event.submitter?.value;
      if (decision === "skip") review.skip();
      else if (decision) review.decide(decision);
    });
    $("fade").value = stage.strength;
    $("fade").addEventListener("input", () => stage.fade(Number($("fade").value)));
    $("category").addEventListener("change", () => $("category").form.submit());
    $("frequent").addEventListener("click", (event) => {
      const button = event.target.closest("[data-type]");
      if (button) this.choose(button.dataset.type);
    });
    $("keys-on").checked = this.on;
    $("keys-on").addEventListener("change", () => {
      this.on = $("keys-on").checked;
      Stage.keep("review-keys", this.on ? "on" : "off");
    });
    addEventListener("online", () => review.outbox.now());
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    addEventListener("beforeunload", (event) => {
      if (review.outbox.fault && review.outbox.items.length) event.preventDefault();
    });
    this.overlayButton();
  }

  overlay() {
    this.review.stage.toggle();
    this.overlayButton();
  }

  overlayButton() {
    this.$("overlay").setAttribute("aria-pressed", String(this.review.stage.marked));
  }

  draw(on = !this.review.boxes.drawing) {
    this.review.boxes.draws(on);
    this.$("draw").setAttribute("aria-pressed", String(this.review.boxes.drawing));
  }

  add() {
    this.draw(true);
    this.review.boxes.add();
  }

  typing() {
    let timer;
    this.defect.addEventListener("input", () => {
      this.typed();
      clearTimeout(timer);
      timer = setTimeout(() => this.complete(), 150);
    });
    this.defect.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // would press a button of the form
      this.defect.blur();
    });
    this.note.addEventListener("input", () => (this.review.card.note = this.note.value));
  }

  async complete() {
    try {
      const address = `review/types?prefix=${encodeURIComponent(this.defect.value.trim())}`;
      const found = await (await page.ask(address)).json();
      this.$("types").replaceChildren(...found.map((name) => new Option(name, name)));
    } catch {
      // What stands there will do.
    }
  }

  // The type that `d` will give: on its button, and among the frequent ones.
  typed() {
    const type = this.defect.value.trim();
    sessionStorage.setItem(this.kept, type);
    this.$("given").textContent = type;
    for (const button of this.$("frequent").children) {
      button.setAttribute("aria-pressed", String(button.dataset.type === type));
    }
  }

  choose(type) {
    this.defect.value = this.defect.value.trim() === type ? "" : type;
    this.typed();
  }

  // A type that is new here gets a key while there is one.
  learn(type) {
    const known = this.types.some((one) => one.toLowerCase() === type.toLowerCase());
    if (known || this.types.length >= 9) return;
    this.types.push(type);
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.type = type;
    const [key, name] = [document.createElement("kbd"), document.createElement("span")];
    key.textContent = this.types.length;
    name.textContent = type;
    button.append(key, " ", name);
    this.$("frequent").append(button);
    this.typed();
  }

  // Where a person's type for a category is kept: another one's damage has other names.
  get kept() {
    return `review-type:${this.review.form.dataset.who}:${this.review.card?.category}`;
  }

  show(card) {
    this.defect.value = sessionStorage.getItem(this.kept) ?? "";
    this.typed();
    this.note.value = card.note;
    this.draw(this.review.boxes.drawing && Boolean(card.picture));
    for (const id of ["overlay", "fade", "draw", "box-add", "box-found", "smaller", "whole", "pixels", "larger"]) {
      this.$(id).disabled = !card.picture;
    }
    this.$("mine").hidden = !card.mine;
    const chip = card.mine && this.$("chips").content.querySelector(`.chip.${card.mine}`);
    this.$("mine-chip").replaceChildren(...(chip ? [chip.cloneNode(true)] : []));
  }

  said(decision) {
    const defect = decision === "defective" ? this.defect.value.trim() : "";
    return { defect: defect || null, note: this.note.value.trim() || null };
  }

  keys() {
    const { review, $ } = this;
    const { stage, boxes } = review;
    const acts = {
      g: () => review.decide("good"), d: () => review.decide("defective"), u: () => review.decide("unsure"),
      ArrowRight: () => review.skip(), ArrowDown: () => review.skip(), ArrowLeft: () => review.back(),
      z: () => review.undo(), o: () => this.overlay(), b: () => this.draw(), a: () => this.add(),
      r: () => boxes.found(), n: () => this.note.focus(), t: () => (this.defect.focus(), this.defect.select()),
      "+": () => stage.larger(), "=": () => stage.larger(), "-": () => stage.smaller(),
      w: () => stage.resize(1), p: () => stage.pixels(), "?": () => $("keys").showModal(),
      Escape: () => this.draw(false), 0: () => ((this.defect.value = ""), this.typed()),
    };
    for (let i = 1; i <= 9; i++) acts[i] = () => this.types[i - 1] && this.choose(this.types[i - 1]);
    document.addEventListener("keydown", (event) => this.key(event, acts));
  }

  key(event, acts) {
    const { target } = event;
    if (event.defaultPrevented || event.isComposing || this.$("keys").open) return;
    if (target.closest("input:not([type=range]), textarea, select")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const control = event.ctrlKey || event.metaKey;
    if (event.altKey || (control && (key !== "z" || event.shiftKey))) return;
    const arrow = key.startsWith("Arrow");
    // There arrows have a meaning already: the strength, the part of an enlarged photo.
    if (arrow && (target.closest("input") || (target.id === "stage" && this.review.stage.zoom > 1))) return;
    const act = acts[key];
    if (!act || (key.length === 1 && !control && !this.on && key !== "?")) return;
    event.preventDefault();
    if (!event.repeat || "+=-".includes(key)) act();
  }
}

if (document.getElementById("review")) window.review = new Review(document.getElementById("review"));
