// Review: decide by key or button; the next photo is there at once, what was decided is stored
// meanwhile. See review_queue.js, review_outbox.js, review_stage.js and review_boxes.js.
"use strict";

class Review {
  static PAST = 30; // photos that one can go back to, and undo
  static STAYS_MS = 100;

  constructor(form) {
    this.form = form;
    this.$ = (id) => document.getElementById(id);
    this.past = []; // reviewed ones, in order
    this.place = 0; // which is on the screen; past.length: the one to be decided
    this.head = null; // the one to be decided
    this.decided = []; // what can be undone
    this.done = new Set();
    const { sitting, who, card } = form.dataset;
    this.counted = `review-done:${who}`;
    this.before = Number(sessionStorage.getItem(this.counted) ?? 0);
    this.tellDone();
    this.category = this.$("category").value;
    this.outbox = new Outbox(who, {
      query: () => (this.category ? `&category=${encodeURIComponent(this.category)}` : ""),
      stored: (item, answer) => this.stored(item, answer),
      refused: (item, reason) => page.say(`A decision was not stored. ${reason}`, 15),
      changed: () => this.waiting(),
    });
    this.queue = new Queue(sitting, this.category, {
      arrived: () => this.arrived(),
      over: () => this.head ?? this.show(),
      lost: (ids) => this.lost(ids),
      trouble: (reason) => this.waiting(reason),
      open: () => this.open,
      busy: () => [...this.outbox.verdicts, ...this.open, ...(this.head ? [this.head.id] : [])],
    });
    this.stage = new Stage(this.$("stage"));
    this.boxes = new Boxes(this.$("boxes"), this.$("boxes-title"), this.stage);
    this.stage.onMarks = () => this.drawSoon();
    this.fields = new ReviewFields(this);
    if (card) this.head = this.first(JSON.parse(card));
    this.queue.none = !card; // so the page came
    this.outbox.restore();
    this.show();
    this.queue.fill();
    setInterval(() => this.lookAgain(), 10000);
  }

  first(data) {
    return new Card(data, this.$("stage").firstElementChild, this.$("said").firstElementChild);
  }

  get card() {
    return this.place < this.past.length ? this.past[this.place] : this.head;
  }

  // What is to be decided here: the head, and whatever was undone.
  get open() {
    const cards = [...this.past, ...(this.head ? [this.head] : [])];
    return cards.filter((card) => !card.review).map((card) => card.id);
  }

  // What lies before the reviewer now.
  show() {
    const { card } = this;
    this.form.hidden = !card;
    this.$("nothing").hidden = Boolean(card) || !this.queue.none;
    this.$("loading").hidden = Boolean(card) || this.queue.none;
    this.$("nothing-back").hidden = !this.past.length;
    this.$("skipped-again").hidden = !this.queue.skipped.size;
    if (this.shown !== card) {
      this.shown?.leave();
      this.seen = null;
    }
    this.shown = card;
    if (!card) {
      this.$("spoken").textContent = this.queue.none ? "All done" : "Loading the next photo";
      return;
    }
    this.$("said").replaceChildren(card.said);
    this.stage.show(card);
    this.boxes.load(card);
    this.fields.show(card);
    this.$("back").disabled = this.place === 0;
    this.$("undo").disabled = !this.decided.length;
    this.$("spoken").textContent = `${card.name}${card.mine ? `, you said ${card.mine}` : ""}`;
    this.tellWhenSeen(card);
  }

  // An overlay costs the service a judgement: that of the photo on which one stays, once it is
  // painted, then the next.
  drawSoon() {
    clearTimeout(this.drawing);
    const { card } = this;
    if (!card || this.seen !== card || !this.stage.marked) return;
    this.drawing = setTimeout(async () => {
      await card.draw();
      this.stage.shade(card.plate);
      if (this.card === card) this.queue.ahead[0]?.draw();
    }, Review.STAYS_MS);
  }

  // The photo is painted; whoever measures is told.
  async tellWhenSeen(card) {
    await card.loaded;
    this.stage.fit();
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        const detail = { id: card.id, at: performance.now() };
        if (this.card !== card) return;
        document.dispatchEvent(new CustomEvent("review:shown", { detail }));
        this.seen = card;
        this.drawSoon();
      }),
    );
  }

  decide(decision) {
    const { card } = this;
    if (!card) return;
    const sides = ["left", "top", "right", "bottom"];
    const boxes = card.boxes.map((box) => Object.fromEntries(sides.map((side, i) => [side, box[i]])));
    const body = { id: Outbox.id(), decision, boxes, ...this.fields.said(decision) };
    this.decided.push({ card, review: body.id, before: card.review, mine: card.mine });
    card.review = body;
    card.mine = decision;
    this.outbox.add("decide", card.id, body);
    this.forward();
  }

  // To the one after what is on the screen; behind the last the queue goes on.
  forward() {
    if (this.place < this.past.length) {
      this.place += 1;
    } else {
      this.past.push(this.head);
      if (this.past.length > Review.PAST) {
        const gone = this.past.shift();
        gone.drop();
        this.decided = this.decided.filter(({ card }) => card !== gone);
      }
      this.place = this.past.length;
      this.head = this.next();
    }
    this.show();
  }

  next() {
    this.leaveAddress();
    return this.queue.take();
  }

  skip() {
    if (this.place < this.past.length) {
      if (!this.card.review) this.queue.skip(this.card); // undone
      this.place += 1;
    } else if (this.head) {
      this.queue.skip(this.head);
      this.head.drop();
      this.head = this.next();
    }
    this.show();
  }

  back() {
    if (!this.place) return page.say("You have reviewed nothing before this photo here.", 3);
    this.place -= 1;
    this.show();
  }

  // The decision counts no more at once, and the photo lies here to be decided anew.
  undo() {
    const last = this.decided.pop();
    if (!last) return page.say("There is nothing to undo here.", 3);
    const { card } = last;
    const body = { review: last.review, id: Outbox.id(), sitting: this.queue.sitting };
    card.review = last.before;
    card.mine = last.mine;
    this.outbox.add("undo", card.id, body);
    this.place = this.past.indexOf(card);
    this.show();
    page.say(last.before ? "Undone: what was said before counts again." : "Undone: it is not reviewed now. What is it?", 4);
  }

  stored(item, { review, left }) {
    if (this.queue.none) this.lookAgain(); // another verdict of that photo may be free now
    const first = this.decided.find((one) => one.card.id === item.verdict);
    if (item.what === "decide") this.done.add(item.verdict);
    else if (!first) this.done.delete(item.verdict);
    this.left(left);
    if (review.defect) this.fields.learn(review.defect);
  }

  left({ urgent, all }) {
    this.$("left-urgent").textContent = urgent;
    this.$("left-all").textContent = all;
    sessionStorage.setItem(this.counted, this.tellDone());
  }

  tellDone() {
    const done = this.before + this.done.size;
    this.$("done").textContent = done;
    return done;
  }

  // Says what is not stored yet, and why.
  waiting(trouble = "") {
    const { items, fault } = this.outbox;
    const number = items.length === 1 ? "1 decision is" : `${items.length} decisions are`;
    const kept = fault && items.length ? `${number} not stored yet; kept in this browser and sent again.` : "";
    const text = [fault || trouble, kept].filter(Boolean).join(" ");
    this.$("waiting").hidden = !text;
    this.$("waiting").firstElementChild.textContent = text;
  }

  arrived() {
    if (!this.outbox.fault) this.waiting();
    if (this.head) return;
    this.head = this.queue.take();
    this.show();
  }

  lost(ids) {
    if (!this.head || !ids.includes(this.head.id)) return;
    page.say("Somebody else has got this photo meanwhile: here is the next one.");
    this.head = this.next();
    this.show();
  }

  lookAgain() {
    if (!this.head && document.visibilityState === "visible") this.queue.fill();
  }

  skippedAgain() {
    this.queue.skipped.clear();
    this.queue.fill();
  }

  // A verdict that was asked for by its address is done with: a reload goes on with the queue.
  leaveAddress() {
    const address = this.category ? `review?category=${encodeURIComponent(this.category)}` : "review";
    if (location.search.includes("id=")) history.replaceState(null, "", address);
  }
}
