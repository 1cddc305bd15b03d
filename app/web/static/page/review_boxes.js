// Boxes that a reviewer draws: with mouse, finger or pen on the photo, or with keys in the list.
// Pixels of the upright photo, right and bottom exclusive, whatever the size on the screen.
"use strict";

class Boxes {
  static SVG = "http://www.w3.org/2000/svg";
  static CORNERS = ["left top", "right top", "left bottom", "right bottom"];
  static FINGER = 22; // half of a target, in CSS pixels
  static LEAST = 4; // CSS pixels: less is a slip of the hand
  static MOST = 200;

  constructor(list, title, stage) {
    Object.assign(this, { list, title, stage, drawing: false, card: null, drag: null });
    stage.onScale = () => this.render();
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      stage.element.addEventListener(kind, (event) => this[kind](event));
    }
    list.addEventListener("keydown", (event) => this.keydown(event));
    list.addEventListener("click", (event) => {
      const item = event.target.closest("li");
      if (event.target.closest(".remove")) this.remove(Number(item.dataset.box));
    });
  }

  load(card) {
    this.card = card;
    this.drag = null;
    this.render();
    this.tell();
  }

  get svg() {
    return this.stage.plate?.querySelector(".marks");
  }

  get all() {
    return this.card.boxes;
  }

  draws(drawing) {
    this.drawing = drawing && Boolean(this.svg);
    this.render();
  }

  // The event's place in the photo, whole pixels within it.
  at(event) {
    const place = new DOMPoint(event.clientX, event.clientY);
    const { x, y } = place.matrixTransform(this.svg.getScreenCTM().inverse());
    return {
      x: Math.min(Math.max(0, Math.round(x)), this.card.width),
      y: Math.min(Math.max(0, Math.round(y)), this.card.height),
    };
  }

  pointerdown(event) {
    if (!this.drawing || !event.isPrimary || event.button > 0 || !event.target.closest(".marks")) return;
    event.preventDefault();
    this.svg.setPointerCapture(event.pointerId);
    const start = this.at(event);
    const held = event.target.dataset;
    const before = held.box === undefined ? null : [...this.all[held.box]];
    const number = before ? Number(held.box) : this.all.length;
    if (!before && number >= Boxes.MOST) return;
    this.drag = { number, start, before, corner: held.corner ?? null, pointer: event.pointerId };
  }

  pointermove(event) {
    if (this.drag?.pointer !== event.pointerId) return;
    this.all[this.drag.number] = this.dragged(this.at(event));
    this.render();
  }

  pointerup(event) {
    if (this.drag?.pointer !== event.pointerId) return;
    const { number, before } = this.drag;
    const box = this.dragged(this.at(event));
    const least = Boxes.LEAST / this.stage.scale;
    this.drag = null;
    const slipped = box[2] - box[0] < Math.max(1, least) || box[3] - box[1] < Math.max(1, least);
    if (!slipped) this.all[number] = box;
    else if (before) this.all[number] = before;
    else this.all.length = number;
    this.render();
    this.tell();
  }

  pointercancel(event) {
    if (this.drag?.pointer !== event.pointerId) return;
    const { number, before } = this.drag;
    if (before) this.all[number] = before;
    else this.all.length = number;
    this.drag = null;
    this.render();
    this.tell();
  }

  dragged(to) {
    const { start, before, corner } = this.drag;
    if (!before) return Boxes.ordered([start.x, start.y, to.x, to.y]);
    const by = { x: to.x - start.x, y: to.y - start.y };
    if (!corner) return this.moved(before, by.x, by.y);
    const box = [...before];
    box[corner.includes("left") ? 0 : 2] += by.x;
    box[corner.includes("top") ? 1 : 3] += by.y;
    return this.within(Boxes.ordered(box));
  }

  static ordered([a, b, c, d]) {
    return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
  }

  within([left, top, right, bottom]) {
    const { width, height } = this.card;
    return [Math.max(0, left), Math.max(0, top), Math.min(width, right), Math.min(height, bottom)];
  }

  // Moved, but never beyond the photo's edge.
  moved([left, top, right, bottom], x, y) {
    const { width, height } = this.card;
    const across = Math.min(Math.max(x, -left), width - right);
    const down = Math.min(Math.max(y, -top), height - bottom);
    return [left + across, top + down, right + across, bottom + down];
  }

  // A box in the middle of what is seen, in focus, to be moved by keys.
  add() {
    if (!this.svg || this.all.length >= Boxes.MOST) return;
    const { width, height } = this.card;
    const half = [Math.max(1, width / 10), Math.max(1, height / 10)];
    const view = this.stage.element.getBoundingClientRect();
    const middle = this.at({ clientX: view.x + view.width / 2, clientY: view.y + view.height / 2 });
    const box = [middle.x - half[0], middle.y - half[1], middle.x + half[0], middle.y + half[1]];
    this.all.push(this.free(this.within(box.map(Math.round))));
    this.render();
    this.tell();
    this.focus(this.all.length - 1);
  }

  // The box, aside where another one lies exactly there.
  free(box) {
    const step = Math.max(1, Math.round(Math.min(this.card.width, this.card.height) / 30));
    const row = 10;
    for (let i = 0; i <= this.all.length; i++) {
      const moved = this.moved(box, step * (i % row), step * ((i % row) + Math.floor(i / row)));
      if (!this.all.some((one) => String(one) === String(moved))) return moved;
    }
    return box;
  }

  // The places that the service found, as boxes to be kept or changed.
  found() {
    if (!this.svg) return;
    for (const region of this.card.regions.slice(0, Boxes.MOST - this.all.length)) {
      const box = this.within([...region.slice(0, 2).map(Math.floor), ...region.slice(2).map(Math.ceil)]);
      const known = this.all.some((one) => String(one) === String(box));
      if (!known && box[0] < box[2] && box[1] < box[3]) this.all.push(box);
    }
    this.render();
    this.tell();
  }

  remove(number) {
    this.all.splice(number, 1);
    this.render();
    this.tell();
    if (this.all.length) this.focus(Math.min(number, this.all.length - 1));
  }

  focus(number) {
    this.list.children[number]?.querySelector(".box")?.focus();
  }

  keydown(event) {
    const button = event.target.closest(".box");
    if (!button) return;
    const number = Number(button.closest("li").dataset.box);
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const removes = event.key === "Delete" || event.key === "Backspace";
    if (!removes && !steps[event.key]) return;
    event.preventDefault();
    event.stopPropagation(); // arrows would go to another photo
    if (removes) return this.remove(number);
    const step = Math.max(1, Math.round(Math.max(this.card.width, this.card.height) / 200));
    const [x, y] = steps[event.key].map((sign) => sign * step);
    const [left, top, right, bottom] = this.all[number];
    const resized = [left, top, Math.max(left + 1, right + x), Math.max(top + 1, bottom + y)];
    this.all[number] = event.shiftKey ? this.within(resized) : this.moved(this.all[number], x, y);
    this.render();
    this.list.children[number].querySelector(".box").textContent = this.named(number);
  }

  named(number) {
    const [left, top, right, bottom] = this.all[number];
    return `Box ${number + 1}: ${right - left} × ${bottom - top} at ${left}, ${top}`;
  }

  // The list beside the photo.
  tell() {
    const { length } = this.all;
    this.title.textContent = length ? `${length} ${length === 1 ? "box" : "boxes"} drawn` : "No boxes drawn";
    const items = this.all.map((_, number) => {
      const item = document.createElement("li");
      item.dataset.box = number;
      const [box, remove] = ["box", "remove"].map((kind) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = kind;
        return button;
      });
      box.textContent = this.named(number);
      remove.textContent = "Remove";
      remove.setAttribute("aria-label", `Remove box ${number + 1}`);
      item.append(box, remove);
      return item;
    });
    this.list.replaceChildren(...items);
  }

  // On the photo. Corners are as large as a finger whatever the scale.
  render() {
    const { svg } = this;
    if (!svg || !this.card) return;
    svg.classList.toggle("drawing", this.drawing);
    const drawn = this.all.flatMap((box, number) => this.shapes(box, number));
    svg.querySelector(".drawn").replaceChildren(...drawn);
  }

  shapes([left, top, right, bottom], number) {
    const size = { x: left, y: top, width: right - left, height: bottom - top };
    const shapes = [Boxes.shape("rect", { ...size, class: "halo" }, {})];
    shapes.push(Boxes.shape("rect", { ...size, class: "own" }, { box: number }));
    if (!this.drawing) return shapes;
    const reach = Boxes.FINGER / this.stage.scale;
    for (const corner of Boxes.CORNERS) {
      const cx = corner.includes("left") ? left : right;
      const cy = corner.includes("top") ? top : bottom;
      shapes.push(Boxes.shape("circle", { cx, cy, r: reach / 3, class: "knob" }, {}));
      shapes.push(Boxes.shape("circle", { cx, cy, r: reach, class: "grip" }, { box: number, corner }));
    }
    return shapes;
  }

  static shape(name, attributes, data) {
    const made = document.createElementNS(Boxes.SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    Object.assign(made.dataset, data);
    return made;
  }
}
