// The photo on the page: how large, with its overlay or without. Sizes are CSS pixels; `scale` is
// how many of them a pixel of the photo takes.
"use strict";

class Stage {
  static STEP = 1.5;
  static LARGEST = 16;

  constructor(element) {
    this.element = element;
    this.zoom = 1; // times the whole photo
    this.marked = Stage.kept("review-marks", "on") === "on";
    this.strength = Number(Stage.kept("review-fade", "60"));
    this.onScale = this.onMarks = () => {};
    new ResizeObserver(() => this.fit()).observe(element);
  }

  static kept(name, otherwise) {
    try {
      return localStorage.getItem(name) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  static keep(name, value) {
    try {
      localStorage.setItem(name, value);
    } catch {
      // Forbidden: it holds for this page.
    }
  }

  get plate() {
    return this.element.querySelector(".plate");
  }

  show(card) {
    this.card = card;
    this.zoom = 1;
    if (this.plate !== card.plate) this.element.replaceChildren(card.plate);
    this.fit();
    this.mark();
  }

  // The scale at which all of the photo is seen.
  get whole() {
    const { width, height } = this.card;
    const room = this.element.clientHeight ? this.tallest() : Infinity;
    return Math.min(this.element.clientWidth / width, room / height, 6);
  }

  tallest() {
    return parseFloat(getComputedStyle(this.element).maxHeight) || window.innerHeight;
  }

  get scale() {
    return this.whole * this.zoom;
  }

  fit() {
    if (!this.card?.width || !this.card.picture) return;
    const { plate, scale } = this;
    plate.style.width = `${Math.max(1, Math.floor(this.card.width * scale))}px`;
    plate.style.height = `${Math.max(1, Math.floor(this.card.height * scale))}px`;
    this.onScale();
  }

  // Larger or smaller; what is in the middle stays there.
  resize(zoom) {
    if (!this.card?.picture) return;
    const { element } = this;
    const most = Math.max(1, Stage.LARGEST / this.whole);
    const middle = [
      (element.scrollLeft + element.clientWidth / 2) / element.scrollWidth,
      (element.scrollTop + element.clientHeight / 2) / element.scrollHeight,
    ];
    this.zoom = Math.min(Math.max(1, zoom), most);
    this.fit();
    element.scrollLeft = middle[0] * element.scrollWidth - element.clientWidth / 2;
    element.scrollTop = middle[1] * element.scrollHeight - element.clientHeight / 2;
  }

  larger() {
    this.resize(this.zoom * Stage.STEP);
  }

  smaller() {
    this.resize(this.zoom / Stage.STEP);
  }

  pixels() {
    this.resize(1 / (devicePixelRatio || 1) / this.whole);
  }

  toggle() {
    this.marked = !this.marked;
    Stage.keep("review-marks", this.marked ? "on" : "off");
    this.mark();
  }

  fade(strength) {
    this.strength = strength;
    Stage.keep("review-fade", String(strength));
    this.mark();
  }

  mark() {
    const { plate } = this;
    if (!plate) return;
    plate.classList.toggle("bare", !this.marked);
    this.shade(plate);
    this.onMarks();
  }

  shade(plate) {
    const overlay = plate.querySelector(".overlay");
    if (overlay) overlay.style.opacity = String(this.strength / 100);
  }
}
